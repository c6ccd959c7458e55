from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.classifier.assessment import (
    Predictions,
    by_collection,
    by_source,
    calibration,
    draws,
    figures,
    fold_table,
    threshold_of,
)


def judged(chance: list[float], crack: list[bool], groups: list[str] | None = None, source: str = "a/b") -> Predictions:
    return Predictions(
        np.array(chance),
        np.array(crack, np.bool_),
        tuple(groups or [str(index) for index in range(len(chance))]),
        (source,) * len(chance),
    )


def paper() -> Predictions:
    """TP 40, FP 6, TN 34, FN 0."""
    return judged([0.9] * 40 + [0.8] * 6 + [0.1] * 34, [True] * 40 + [False] * 40)


def test_table_1_of_the_paper_comes_out_as_it_was_recomputed() -> None:
    found = figures(paper(), 0.5)
    assert found["accuracy"] == 0.925
    assert found["exact"] == pytest.approx([0.844, 0.972], abs=5e-4)
    assert found["recall"] == 1.0
    assert found["precision"] == pytest.approx(0.870, abs=5e-4)
    assert found["classes"]["without_crack"]["recall"] == 0.85
    assert found["macro"]["f1"] == pytest.approx(0.925, abs=1e-3)
    assert found["weighted"]["precision"] == pytest.approx(0.93, abs=0.01)
    json.dumps(found, allow_nan=False)


def test_recall_at_a_precision_is_the_most_that_any_threshold_reaches() -> None:
    known = judged([0.9] * 9 + [0.8] + [0.7] * 5 + [0.6] * 9 + [0.1], [True] * 9 + [False] + [True] * 5 + [False] * 10)
    found = figures(known, 0.85)
    assert (found["recall"], found["recall_at_precision"]) == (9 / 14, 1.0), "14 of 15 called above 0.65 are right"
    low, high = found["intervals"]["recall_at_precision"]
    assert low <= 1.0 <= high
    none = figures(judged([0.9, 0.8], [False, True]), 0.5)
    assert none["recall_at_precision"] == 0, "the only crack comes after a false one"
    assert "recall_at_precision" not in figures(judged([0.9], [False]), 0.5)["intervals"]


def test_a_threshold_for_recall_does_not_change_what_is_likelier() -> None:
    found = figures(paper(), 0.05)
    assert (found["recall"], found["accuracy"], found["likelier"]) == (1.0, 0.5, 0.925)


def test_intervals_know_that_pictures_of_one_group_are_not_independent() -> None:
    alone = figures(paper(), 0.5)["intervals"]["specificity"]
    piles = judged(paper().chance.tolist(), paper().crack.tolist(), [str(index // 6) for index in range(80)])
    together = figures(piles, 0.5)["intervals"]["specificity"]
    assert together[1] - together[0] > alone[1] - alone[0]


def test_draws_without_a_crack_say_nothing_of_the_recall() -> None:
    # One group in twenty shows cracks, one of four of which is found: every third draw of groups has none.
    known = judged(
        [0.9, 0.1, 0.1, 0.1] + [0.1] * 19, [True] * 4 + [False] * 19, ["c"] * 4 + [str(n) for n in range(19)]
    )
    assert figures(known, 0.5)["intervals"]["recall"] == [0.25, 0.25]


def test_a_classifier_that_calls_nothing_has_no_interval_of_its_precision() -> None:
    found = figures(judged([0.1, 0.2, 0.1], [True, False, False]), 0.5)
    assert found["precision"] == 1.0
    assert "precision" not in found["intervals"]
    assert found["intervals"]["recall"] == [0, 0]


def test_one_group_has_no_interval_and_one_class_no_figure_of_the_other() -> None:
    found = figures(judged([0.9, 0.8], [True, True], ["g", "g"]), 0.5)
    assert found["intervals"] == {}
    found = figures(judged([0.9, 0.2, 0.1], [False] * 3), 0.5)
    assert set(found["intervals"]) == {"accuracy", "likelier", "specificity"}


def test_the_threshold_lies_in_the_midst_of_those_that_reach_recall_and_precision() -> None:
    only = judged([0.9] * 97 + [0.7] * 3 + [0.7] * 9 + [0.1] * 91, [True] * 100 + [False] * 100)
    assert 0.1 < threshold_of(only) < 0.7, "recall 1 at precision 0.92 reaches both; 0.97 at 1 does not"
    # Ten look-alikes at log-odds from -4.5 to 2.25: all of them called leaves a precision of 0.91, cracks lie above.
    alike = [1 / (1 + math.exp(4.5 - 0.75 * step)) for step in range(10)]
    known = judged([0.96] * 100 + alike + [0.005] * 90, [True] * 100 + [False] * 100)
    assert 0.2 < threshold_of(known) < 0.4, "neither at the end that finds more nor at the one that is more precise"


def test_a_threshold_knows_what_each_picture_counts() -> None:
    known = judged([0.9] * 99 + [0.3] + [0.3] * 6 + [0.1] * 94, [True] * 100 + [False] * 100)
    assert threshold_of(known) < 0.3
    assert threshold_of(known, np.array([1.0] * 100 + [3.0] * 100)) > 0.3, "six false ones count as eighteen"


def test_a_crack_that_cannot_be_told_apart_does_not_have_everything_called_one() -> None:
    known = judged([0.9] * 19 + [0.01] + [0.02] * 200, [True] * 20 + [False] * 200)
    assert 0.02 < threshold_of(known) < 0.9


@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=2, max_size=40).filter(
        lambda rows: 0 < sum(crack for _, crack in rows) < len(rows)
    )
)
def test_no_threshold_between_values_does_better(rows: list[tuple[float, bool]]) -> None:
    known = judged([chance for chance, _ in rows], [crack for _, crack in rows])
    at = threshold_of(known)
    chosen = figures(known, at, resamples=0)
    assert 0 <= at <= 1
    # Values nearer to 0 or 1 than can be told apart are taken together.
    if min(chance for chance, crack in rows if crack) > 1e-6:
        for cut in {chance for chance, _ in rows if 1e-6 < chance < 1 - 1e-6}:
            other = figures(known, cut, resamples=0)
            reached = [min(1.0, one["recall"] / 0.98, one["precision"] / 0.9) for one in (chosen, other)]
            assert reached[1] <= reached[0] + 1e-9


def test_a_threshold_of_one_class_is_refused() -> None:
    with pytest.raises(ValueError, match="with and without"):
        threshold_of(judged([0.5, 0.6], [True, True]))


def test_figures_are_given_by_source_and_by_set() -> None:
    known = Predictions(
        np.array([0.9, 0.2, 0.8, 0.1]),
        np.array([True, True, False, False]),
        ("1", "2", "3", "4"),
        ("mt/MT_Crack", "mt/MT_Crack", "mt/MT_Free", "xsdd/red iron"),
    )
    sources = by_source(known, 0.5)
    assert sources["mt/MT_Crack"]["right"] == 0.5
    assert sources["mt/MT_Free"]["called"] == 1
    assert sources["xsdd/red iron"]["interval"] is None
    sets = by_collection(known, 0.5)
    assert {name: one["pictures"] for name, one in sets.items()} == {"mt": 3, "xsdd": 1}
    assert sets["mt"]["calibration"]["weighted"] == pytest.approx((0.1 + 0.8 + 0.8) / 3)


def test_draws_are_balanced_and_need_enough_pictures() -> None:
    assert draws(judged([0.5] * 50, [True] * 39 + [False] * 11), 0.5) is None
    found = draws(paper(), 0.5)
    assert found is not None
    assert found["accuracy"] == {"mean": pytest.approx(0.925), "sd": pytest.approx(0)}
    assert found["draws"] == 100
    assert found["ece"]["mean"] > 0


def test_calibration_error_is_given_both_ways_with_intervals() -> None:
    found = calibration(paper(), resamples=50)
    assert 0 < found["weighted"] < 1
    assert found["weighted_interval"][0] <= found["weighted"] <= found["weighted_interval"][1]
    assert found["unweighted"] != found["weighted"]
    assert calibration(paper(), resamples=0)["weighted_interval"] is None


def test_calibration_intervals_know_that_pictures_of_one_group_are_not_independent() -> None:
    rng = np.random.default_rng(3)
    wrong = np.repeat(rng.random(20) < 0.3, 50).tolist()
    chance = [0.1] * 1000
    alone = calibration(judged(chance, wrong))["weighted_interval"]
    together = calibration(judged(chance, wrong, np.repeat(np.arange(20), 50).astype(str).tolist()))
    assert together["weighted_interval"][1] - together["weighted_interval"][0] > 3 * (alone[1] - alone[0])


def test_the_fold_table_gives_mean_and_spread_as_the_paper_does() -> None:
    folds = [
        dict.fromkeys(("precision", "recall", "f1"), 1.0)
        | dict.fromkeys(("accuracy", "likelier", "likelier_without_anecdotes"), value)
        | {"ece": 0.0}
        for value in (0.976, 0.959, 0.968, 0.961, 0.972)
    ]
    table = fold_table(folds)
    assert table["accuracy"]["mean"] == pytest.approx(0.9672)
    assert table["accuracy"]["sd"] == pytest.approx(0.0072, abs=1e-4)
    assert fold_table(folds[:1])["accuracy"] == {"mean": 0.976, "sd": None}
