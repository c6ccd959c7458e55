from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.classifier.calibration import (
    binned,
    calibrated,
    calibration_errors,
    expected_calibration_error,
    fit_temperature,
    reliability,
)


def answers(temperature: float, count: int = 4000, seed: int = 1) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Probabilities too sure by that temperature, and labels drawn from the right ones."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(0, 2, count)
    return 1 / (1 + np.exp(-temperature * odds)), rng.random(count) < 1 / (1 + np.exp(-odds))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_temperature_of_answers_too_sure_by_it_is_found(temperature: float) -> None:
    shares, truth = answers(temperature)
    assert fit_temperature(shares, truth) == pytest.approx(temperature, rel=0.1)


def test_calibration_brings_the_error_down() -> None:
    shares, truth = answers(3.0)
    after = calibrated(shares, fit_temperature(shares, truth))
    for weighted in (True, False):
        before = expected_calibration_error(shares, truth, weighted=weighted)
        assert expected_calibration_error(after, truth, weighted=weighted) < before / 3


@given(st.lists(st.floats(0, 1), min_size=1), st.floats(0.05, 20))
def test_calibration_keeps_the_order_and_the_middle(values: list[float], temperature: float) -> None:
    found = calibrated(np.sort(values), temperature)
    assert np.all(np.diff(found) >= 0)
    assert np.all((found >= 0) & (found <= 1))
    assert calibrated(np.array([0.5]), temperature)[0] == 0.5


def test_temperature_of_one_changes_nothing_and_no_number_stays_none() -> None:
    shares = np.array([0.0, 0.01, 0.3, 0.999, 1.0])
    assert np.allclose(calibrated(shares, 1.0), shares, atol=1e-8)
    assert np.isnan(calibrated(np.array([np.nan]), 2.0)).all()


@settings(deadline=None, max_examples=20)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=2))
def test_fitted_temperature_is_finite_for_any_answers(pairs: list[tuple[float, bool]]) -> None:
    shares, truth = [share for share, _ in pairs] + [0.0, 1.0], [label for _, label in pairs] + [True, False]
    assert 0.05 <= fit_temperature(shares, truth) <= 20


@pytest.mark.parametrize("label", [True, False])
def test_temperature_needs_both_classes(label: bool) -> None:
    with pytest.raises(ValueError, match="all 2 are of one class"):
        fit_temperature([0.2, 0.8], [label, label])


def test_error_counts_by_crops_or_by_bins() -> None:
    shares = [0.05] * 9 + [0.95]
    truth = [False] * 10
    assert expected_calibration_error(shares, truth) == pytest.approx(0.9 * 0.05 + 0.1 * 0.95)
    assert expected_calibration_error(shares, truth, weighted=False) == pytest.approx((0.05 + 0.95) / 2)
    assert expected_calibration_error([], []) == 0.0


def test_bins_leave_out_the_empty_ones_and_hold_both_ends() -> None:
    bins = reliability([0.0, 0.1, 0.19, 1.0], [False, True, False, True])
    assert [(one.low, one.count) for one in bins] == [(0.0, 1), (0.1, 2), (0.9, 1)]
    assert bins[1].said == pytest.approx(0.145)
    assert bins[1].true == 0.5
    assert bins[-1].high == 1.0


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1), st.integers(1, 30), st.booleans())
def test_error_lies_between_none_and_all(pairs: list[tuple[float, bool]], bins: int, weighted: bool) -> None:
    shares, truth = zip(*pairs, strict=True)
    assert 0 <= expected_calibration_error(shares, truth, bins, weighted=weighted) <= 1
    assert sum(one.count for one in reliability(shares, truth, bins)) == len(pairs)


@pytest.mark.parametrize(
    ("shares", "truth"), [([0.5], []), ([1.2], [True]), ([-0.1], [True]), ([math.nan], [True]), ([[0.5]], [[True]])]
)
def test_what_is_no_probability_is_refused(shares: list[float], truth: list[bool]) -> None:
    with pytest.raises(ValueError, match="probabilit"):
        expected_calibration_error(shares, truth)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1), st.integers(1, 30))
def test_error_of_sums_over_bins_is_that_of_the_crops(pairs: list[tuple[float, bool]], bins: int) -> None:
    shares, truth = zip(*pairs, strict=True)
    gaps = [(one.count, abs(one.said - one.true)) for one in reliability(shares, truth, bins)]
    twice = 2 * binned(shares, truth, bins).sum(0)[None]
    weighted = sum(count * gap for count, gap in gaps) / len(pairs)
    assert calibration_errors(twice)[0] == pytest.approx(weighted, abs=1e-9)
    plain = sum(gap for _, gap in gaps) / len(gaps)
    assert calibration_errors(twice, weighted=False)[0] == pytest.approx(plain, abs=1e-9)
