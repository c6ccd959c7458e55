"""The check standard: what a golden sheet must be like, what a pass comes to, and what an overdue check does."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.golden import (
    GoldenError,
    Pass,
    as_golden,
    checked,
    control_limits,
    overdue,
    standard_from,
    without_check,
)
from stages.plate import Cause, Defect, PlateResult, Verdict, without_windows

NOW = datetime(2026, 11, 30, 8, tzinfo=UTC)
MARKS = [(100, 200), (700, 900), (400, 1500), (900, 300)]


def defect(x: int, y: int, *, vetoed: bool = False) -> Defect:
    return Defect(x - 5, y - 20, 11, 41, 200, 0.9, x, y, edge=False, vetoed=vetoed)


def passed(plate: int = 1, marks: list[tuple[int, int]] | None = None, *, by: tuple[int, int] = (0, 0)) -> Pass:
    """A pass of the golden sheet, shifted by so many px."""
    found = tuple(defect(x + by[0], y + by[1]) for x, y in (MARKS if marks is None else marks))
    return Pass(plate, 1900, 110.0, 20.0, 0.3, 0.1, found, complete=True)


STANDARD = standard_from([passed()])


def test_the_same_sheet_passes_wherever_it_lies() -> None:
    for by in [(0, 0), (120, -90), (-300, 250)]:
        check = checked(STANDARD, passed(by=by))
        assert check.passed, check.failures
        assert (check.values["missed"], check.values["extra"]) == (0, 0)


def test_a_mark_that_is_not_found_again_is_a_failure() -> None:
    check = checked(STANDARD, passed(marks=MARKS[1:], by=(50, 50)))
    assert check.values["missed"] == 1
    assert check.failures == ("missed 1, allowed 0 to 0",)


def test_what_the_classifier_vetoed_is_not_found() -> None:
    one = passed()
    vetoed = replace(one, defects=(replace(one.defects[0], vetoed=True), *one.defects[1:]))
    assert checked(STANDARD, vetoed).values["missed"] == 1


def test_a_mark_in_two_pieces_is_found_and_no_extra() -> None:
    check = checked(STANDARD, passed(marks=[*MARKS, (MARKS[0][0] + 10, MARKS[0][1] + 10)]))
    assert check.passed
    assert check.values["extra"] == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"brightness": 90.0}, "brightness 90, allowed 99 to 121"),
        ({"focus": 0.1}, "focus 0.1, allowed"),
        ({"rows": 1950}, "rows 1950, allowed"),
        ({"unevenness": 0.3}, "unevenness 0.3, allowed"),
        ({"contrast": None}, "contrast was not measured"),
        ({"brightness": float("nan")}, "brightness nan, allowed"),
    ],
)
def test_a_quantity_beyond_its_limits_is_a_failure_with_its_value(change: dict[str, Any], said: str) -> None:
    check = checked(STANDARD, replace(passed(), **change))
    assert not check.passed
    assert check.failures[0].startswith(said)


def test_many_defects_beside_the_marks_are_a_failure() -> None:
    assert not checked(STANDARD, passed(marks=[*MARKS, (10, 10), (20, 1800), (950, 1850), (500, 60)])).passed


def test_several_passes_set_what_they_have_in_common_with_limits_as_wide_as_they_scatter() -> None:
    passes = [
        passed(1),
        replace(passed(2, [*MARKS[:3], (30, 1700)], by=(40, 30)), brightness=150.0),
        replace(passed(3, MARKS, by=(-20, 10)), brightness=130.0),
    ]
    standard = standard_from(passes)
    assert len(standard.marks) == 3
    assert all(checked(standard, one).passed for one in passes)


def test_a_sheet_without_marks_or_not_seen_whole_sets_no_standard() -> None:
    with pytest.raises(GoldenError, match="no mark is found in every pass"):
        standard_from([passed(marks=[])])
    with pytest.raises(GoldenError, match="plate 1 was not seen whole: pass the golden sheet again"):
        standard_from([replace(passed(), complete=False)])
    with pytest.raises(GoldenError, match="not seen whole"):
        checked(STANDARD, replace(passed(), complete=False))


@given(
    lost=st.sets(st.integers(0, 3), max_size=4),
    by=st.tuples(st.integers(-300, 300), st.integers(-300, 300)),
    jitter=st.integers(0, 15),
    seed=st.integers(0, 99),
)
def test_as_many_marks_are_missed_as_were_lost(lost: set[int], by: tuple[int, int], jitter: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    kept = [
        (x + int(rng.integers(-jitter, jitter + 1)), y + int(rng.integers(-jitter, jitter + 1)))
        for number, (x, y) in enumerate(MARKS)
        if number not in lost
    ]
    assert checked(STANDARD, passed(marks=kept, by=by)).values["missed"] == len(lost)


def test_limits_of_control_come_from_what_is_usual() -> None:
    assert control_limits([1.0] * 7) is None
    usual = control_limits([10, 11, 10, 9, 10, 11, 10, 9, 10, 11])
    assert usual is not None
    assert (usual.least, usual.most) == pytest.approx((10.1 - 2.66, 10.1 + 2.66))


@pytest.mark.parametrize(
    ("set_at", "latest", "said"),
    [
        (None, None, "no check standard is set"),
        (NOW, None, "was not checked since it was set"),
        (NOW, (NOW - timedelta(hours=1), False), "the check standard failed at 2026-11-30 07:00"),
        (NOW, (NOW - timedelta(hours=9), True), "passed last at 2026-11-29 23:00 UTC, it is due every 8 h"),
        (NOW, (NOW + timedelta(hours=1), True), "passed last at 2026-11-30 09:00"),
    ],
)
def test_a_check_that_is_missing_failed_old_or_of_the_future_is_overdue(
    set_at: datetime | None, latest: tuple[datetime, bool] | None, said: str
) -> None:
    assert said in overdue(set_at, latest, 8, NOW)


def test_a_check_that_passed_in_time_holds() -> None:
    assert overdue(NOW, (NOW - timedelta(hours=7), True), 8, NOW) == ""
    assert overdue(NOW, (NOW + timedelta(minutes=1), True), 8, NOW) == ""


OK = PlateResult("run", 1, Verdict.OK, (), "", True, 9, 9, 1, 1, 1.0)


def test_the_golden_sheet_has_no_verdict_of_a_product_whatever_was_found() -> None:
    ng = without_windows("run", 1, Verdict.NG, (Cause.DEFECT, Cause.FOCUS), "1 defect")
    for result, causes, reason in ((OK, (), ""), (ng, (Cause.FOCUS,), "; 1 defect")):
        golden = as_golden(result)
        assert golden.verdict is Verdict.INCONCLUSIVE
        assert (golden.causes, golden.reason) == ((Cause.GOLDEN_SHEET, *causes), f"this is the golden sheet{reason}")
        assert as_golden(golden) is golden


def test_without_a_check_no_plate_is_ok_and_a_defect_stays_one() -> None:
    weaker = without_check(OK, "it is due")
    assert (weaker.verdict, weaker.causes, weaker.reason) == (
        Verdict.INCONCLUSIVE,
        (Cause.CHECK_OVERDUE,),
        "it is due",
    )
    ng = without_windows("run", 1, Verdict.NG, (Cause.DEFECT,), "1 defect")
    assert (without_check(ng, "it is due").verdict, without_check(ng, "it is due").causes[0]) == (
        Verdict.NG,
        Cause.DEFECT,
    )
    assert without_check(OK, "") is OK
    assert without_check(weaker, "it is due") is weaker
