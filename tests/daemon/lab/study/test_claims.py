"""Whether our figures say what the paper says: differences count where they are large enough and no chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from daemon.lab.study.claims import (
    Claim,
    ClaimResult,
    Measured,
    at_least,
    lower,
    measured_of,
    not_lower,
    stays,
    together,
)

Record = dict[str, Any]
_LOWER, _STAYS, _NOT_LOWER = (claim("a", "b", "recall") for claim in (lower, stays, not_lower))


def _sheets(*found: int, of: int = 100, false: int = 0) -> Record:
    """A record with so many found of each sheet's cracks."""
    recall = sum(found) / (of * len(found))
    return {
        "recall": recall,
        "precision": 1.0,
        "f1": 2 * recall / (1 + recall),
        "intervals": {},
        "tp_fp_fn_by_image": {f"P-{index}": f"{one}/{false}/{of - one}" for index, one in enumerate(found)},
    }


def _interval(recall: float, wide: float = 0.0) -> Record:
    """A record without counts of sheets."""
    bounds = {"recall": [recall - wide, recall + wide]} if wide else {}
    return {"recall": recall, "precision": 1.0, "f1": 0.9, "intervals": bounds}


def _judged(claim: Claim, a: Record, b: Record) -> ClaimResult:
    return claim({"a": measured_of([a]), "b": measured_of([b])})


@pytest.mark.parametrize(
    ("a", "b", "answer"),
    [
        ((95, 95, 95), (98, 98, 98), "yes"),
        ((98, 98, 98), (95, 95, 95), "otherwise"),
        ((97, 97, 97), (98, 98, 98), "too small to tell"),
        ((98, 98, 98), (98, 98, 98), "too small to tell"),
        ((80, 99, 99), (99, 95, 99), "too small to tell"),
    ],
    ids=["each sheet fell", "each sheet rose", "each fell by little", "nothing fell", "one fell far and one rose"],
)
def test_a_share_is_lower_where_the_same_sheets_fall_far_enough(
    a: Sequence[int], b: Sequence[int], answer: str
) -> None:
    assert _judged(_LOWER, _sheets(*a), _sheets(*b)).answer == answer


@pytest.mark.parametrize(
    ("fall", "lower_", "stays_", "not_lower_"),
    [
        (0.0200, "too small to tell", "yes", "yes"),
        (0.0201, "yes", "otherwise", "otherwise"),
        (-0.0200, "too small to tell", "yes", "yes"),
        (-0.0201, "otherwise", "otherwise", "yes"),
    ],
)
@pytest.mark.parametrize("counted", [True, False])
def test_the_margin_itself_counts_as_equal(
    counted: bool, fall: float, lower_: str, stays_: str, not_lower_: str
) -> None:
    missed = round(9000 - 10000 * fall)
    if counted:
        a, b = _sheets(missed, missed, of=10000), _sheets(9000, 9000, of=10000)
    else:
        a, b = _interval(missed / 10000), _interval(0.9)
    answers = [_judged(claim, a, b).answer for claim in (_LOWER, _STAYS, _NOT_LOWER)]
    assert answers == [lower_, stays_, not_lower_]


def test_sheets_are_drawn_for_both_at_once() -> None:
    easy_and_hard = _sheets(99, 50, 99, 50, 99, 50), _sheets(94, 45, 94, 45, 94, 45)
    assert _judged(_LOWER, easy_and_hard[1], easy_and_hard[0]) == ClaimResult("yes", "R 0.050 lower (0.050 to 0.050)")
    # Their own intervals are far wider than what parts them.
    apart = [one | {"tp_fp_fn_by_image": {}, "intervals": {"recall": [0.5, 0.99]}} for one in easy_and_hard]
    assert _judged(_LOWER, apart[1], apart[0]).answer == "too small to tell"


@pytest.mark.parametrize(("wide", "answer"), [(0.024, "yes"), (0.026, "too small to tell")])
def test_without_the_same_sheets_intervals_must_not_meet(wide: float, answer: str) -> None:
    assert _judged(_LOWER, _interval(0.85, wide), _interval(0.90, wide)).answer == answer


def test_about_the_same_needs_sheets_enough_to_be_sure() -> None:
    assert _judged(_STAYS, _sheets(98, 99, 98, 99), _sheets(99, 98, 99, 98)).answer == "yes"
    assert _judged(_STAYS, _sheets(80, 99, 80, 99), _sheets(99, 80, 99, 80)).answer == "too small to tell"
    assert _judged(_NOT_LOWER, _sheets(99, 99), _sheets(80, 80)).answer == "yes"


@pytest.mark.parametrize(
    ("value", "answer"), [(0.55, "yes"), (0.51, "too small to tell"), (0.49, "too small to tell"), (0.45, "otherwise")]
)
def test_a_value_is_reached_where_the_interval_reaches_it(value: float, answer: str) -> None:
    figures: Mapping[str, Measured] = {"a": measured_of([_interval(value, 0.03)])}
    assert at_least("a", "recall", 0.5)(figures).answer == answer


def test_a_method_that_finds_nothing_has_no_precision_to_compare() -> None:
    none, some = _sheets(0, 0), _sheets(50, 50, false=20)
    claim = lower("b", "a", "precision")
    assert _judged(claim, none, some).answer == "too small to tell"


def test_several_trainings_count_as_one() -> None:
    seeds = measured_of([_sheets(90, 80), _sheets(100, 90)])
    assert seeds.sheets == {"P-0": (190, 0, 10), "P-1": (170, 0, 30)}
    assert seeds.shares["recall"] == pytest.approx(0.9)


def test_what_says_several_things_holds_where_all_of_them_do() -> None:
    yes, small, no = (ClaimResult(answer, "") for answer in ("yes", "too small to tell", "otherwise"))
    assert together([yes, yes]) == "yes"
    assert together([yes, small]) == "too small to tell"
    assert together([small, no, yes]) == "otherwise"
