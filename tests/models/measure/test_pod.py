"""Probability of detection: the model, its bounds, and what is said where there is none."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.measure.pod import Curve, NoCurveError, fit, rate_bounds

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

BLISS = (
    (1.6907, 59, 6),
    (1.7242, 60, 13),
    (1.7552, 62, 18),
    (1.7842, 56, 28),
    (1.8113, 63, 52),
    (1.8369, 59, 53),
    (1.8610, 62, 61),
    (1.8839, 60, 60),
)
"""Log10 dose, beetles, killed: Bliss 1935; the logit model as in Dobson, Introduction to Generalized Linear Models."""


def flaws(rng: np.random.Generator, count: int, slope: float, a50: float = 10.0) -> tuple[Floats, Bools]:
    sizes = np.exp(rng.uniform(math.log(3), math.log(50), count))
    return sizes, rng.random(count) < 1 / (1 + (sizes / a50) ** -slope)


def known(count: int = 120, seed: int = 0, slope: float = 4.0) -> Curve:
    return fit(*flaws(np.random.default_rng(seed), count, slope))


def test_a_published_example_has_its_published_coefficients() -> None:
    sizes = np.concatenate([np.full(count, 10**dose) for dose, count, _ in BLISS])
    hits = np.concatenate([np.arange(count) < killed for _, count, killed in BLISS])
    curve = fit(sizes, hits)
    assert curve.beta[1] * math.log(10) == pytest.approx(34.270, abs=1e-3)
    assert curve.beta[0] - curve.beta[1] * curve.centre[0] == pytest.approx(-60.717, abs=1e-3)
    assert math.sqrt(curve.covariance[1, 1]) * math.log(10) == pytest.approx(2.912, abs=1e-3)
    assert math.log10(curve.size(0.5)) == pytest.approx(60.717 / 34.270, abs=1e-4)


def test_nearly_all_a90_95_lie_above_the_true_a90() -> None:
    count, slope = 60, 3.0
    rng = np.random.default_rng(count)
    true = 10 * 9 ** (1 / slope)
    above = [fit(*flaws(rng, count, slope)).size_bounds(0.9)[1] >= true for _ in range(200)]
    # Of 200 with a chance of 0.95, 181 or more are, but for one in a thousand times.
    assert sum(above) >= 181


def test_bounds_by_the_likelihood_ratio_are_near_those_of_wald_where_there_is_much_to_tell_from() -> None:
    curve = known(5000)
    for one, other in zip(curve.size_bounds(0.9), curve.size_bounds(0.9, by="likelihood ratio"), strict=True):
        assert one == pytest.approx(other, rel=0.01)


chances = st.tuples(st.integers(0, 2**32 - 1), st.integers(40, 200), st.floats(1.5, 8))


@given(chances)
@settings(max_examples=25)
def test_a_curve_and_its_bands_rise_and_a50_a90_and_a90_95_follow_each_other(which: tuple[int, int, float]) -> None:
    seed, count, slope = which
    try:
        curve = known(count, seed, slope)
    except NoCurveError:
        assume(False)
    at = np.geomspace(2, 80, 15)
    lower, upper = curve.band(at)
    middle = curve.pod(at)
    for line in (lower, middle, upper):
        assert (np.diff(line) >= -1e-6).all()
    assert (lower <= middle + 1e-9).all()
    assert (middle <= upper + 1e-9).all()
    a50, a90, (low, high) = curve.size(0.5), curve.size(0.9), curve.size_bounds(0.9)
    assert a50 < a90 <= high
    assert low <= a90
    if math.isfinite(high):
        assert curve.band(np.array([high]))[0][0] == pytest.approx(0.9, abs=1e-3)


@given(chances, st.floats(0.001, 1000))
@settings(max_examples=12)
def test_another_unit_gives_the_same_curve_in_that_unit(which: tuple[int, int, float], factor: float) -> None:
    seed, count, slope = which
    sizes, hits = flaws(np.random.default_rng(seed), count, slope)
    try:
        curve = fit(sizes, hits)
    except NoCurveError:
        with pytest.raises(NoCurveError):
            fit(sizes * factor, hits)
        return
    other = fit(sizes * factor, hits)
    assert other.size(0.9) == pytest.approx(curve.size(0.9) * factor, rel=1e-5)
    assert other.size_bounds(0.9) == pytest.approx([one * factor for one in curve.size_bounds(0.9)], rel=1e-4)
    assert other.lack_of_fit() == pytest.approx(curve.lack_of_fit(), rel=1e-3)


def test_the_order_of_flaws_changes_nothing() -> None:
    sizes, hits = flaws(np.random.default_rng(3), 100, 4)
    turn = np.random.default_rng(4).permutation(100)
    assert fit(sizes[turn], hits[turn]).size_bounds(0.9) == pytest.approx(fit(sizes, hits).size_bounds(0.9), rel=1e-6)


SIZES = np.geomspace(1, 100, 80)


@pytest.mark.parametrize(
    ("hits", "why", "words"),
    [
        (np.ones(80, bool), "all hit", "all 80 were hit (POD at least 0.963 with 95 %): try smaller ones"),
        (np.zeros(80, bool), "all missed", "all 80 were missed (POD at most 0.037 with 95 %): try larger ones"),
        (SIZES > 10, "separated", "a50 lies between, no slope can be told"),
        (np.isin(np.arange(80), (3, 50), invert=True), "few", "78 of 80 were hit: 3 hits and 3 misses are the least"),
        (SIZES < 10, "falls", "such a curve has no a90"),
        (np.arange(80) % 2 == 0, "flat", "40 of 80 were hit, and size makes no difference that can be told"),
        (np.arange(80) % 8 > np.arange(80) // 10, "falls", "the more size, the less is hit"),
    ],
)
def test_where_there_is_no_curve_it_is_said_why(hits: Bools, why: str, words: str) -> None:
    with pytest.raises(NoCurveError) as caught:
        fit(SIZES, hits)
    assert caught.value.why == why
    assert words in str(caught.value)


def test_hits_and_misses_that_meet_in_one_size_are_separated_too() -> None:
    with pytest.raises(NoCurveError) as caught:
        fit(np.array([1.0, 2, 3, 3, 4, 5]), np.array([0, 0, 0, 1, 1, 1], np.bool_))
    assert caught.value.why == "separated"


def test_flaws_of_one_size_tell_nothing_of_sizes() -> None:
    hits = np.arange(20) % 2 == 0
    for sizes in (np.full(20, 3.0), np.column_stack([SIZES[:20], np.full(20, 3.0)])):
        with pytest.raises(NoCurveError, match="try flaws of other sizes") as caught:
            fit(sizes, hits, ("contrast", "width")[: sizes.ndim])
        assert caught.value.why == "flat"


def test_nothing_tells_nothing_and_a_size_is_above_0() -> None:
    with pytest.raises(NoCurveError, match="no flaw"):
        fit(np.empty(0), np.empty(0, np.bool_))
    with pytest.raises(ValueError, match="above 0"):
        fit(np.array([0.0, 1]), np.array([True, False]))


def test_where_hits_and_misses_all_but_part_the_bounds_are_by_the_likelihood_ratio_and_have_an_end() -> None:
    hits = SIZES > 10
    hits[39], hits[40] = True, False
    curve = fit(SIZES, hits)
    assert curve.bounds_by == "likelihood ratio"
    assert curve.size(0.9) < curve.size_bounds(0.9)[1] < 20


def test_a_model_of_several_factors_tells_each_ones_part() -> None:
    rng = np.random.default_rng(5)
    table = np.exp(rng.uniform(0, 3, (3000, 3)))
    logit = -6 + np.log(table) @ np.array([3.0, 1.0, 0.0])
    curve = fit(table, rng.random(3000) < 1 / (1 + np.exp(-logit)), ("contrast", "width", "length"))
    assert curve.beta[1:] == pytest.approx([3, 1, 0], abs=0.3)
    assert curve.size(0.5, (math.e, 1.0)) == pytest.approx(math.exp(5 / 3), rel=0.1)
    assert curve.size(0.9, (10.0, 5.0)) < curve.size(0.9, (2.0, 5.0))
    low, high = curve.size_bounds(0.5, (math.e, 1.0))
    assert low < math.exp(5 / 3) < high


def test_hits_that_do_not_follow_the_curve_are_told() -> None:
    rng = np.random.default_rng(6)
    sizes, hits = flaws(rng, 400, 4)
    assert fit(sizes, hits).lack_of_fit() > 0.01
    # However large: a third of them is missed.
    assert fit(sizes, hits & (rng.random(400) < 0.65)).lack_of_fit() < 0.01


def test_a_single_flaw_does_not_make_a_curve_unfit_and_too_few_tell_nothing_of_it() -> None:
    sizes, hits = flaws(np.random.default_rng(7), 200, 4)
    hits[np.argmax(sizes)] = False
    assert fit(sizes, hits).lack_of_fit() > 0.01
    few = np.array([0, 0, 0, 0, 1, 0, 1, 0, 1, 1, 1, 1], np.bool_)
    assert fit(np.arange(1.0, 13), few).lack_of_fit() == 1.0


def test_expected_hits_are_spread_by_chance_and_by_what_is_not_known_of_the_curve() -> None:
    few, many = known(60), known(6000)
    sizes = np.full(50, 10.0)
    assert many.expected_hits(sizes)[0] == pytest.approx(25, abs=2)
    assert many.expected_hits(sizes)[1] == pytest.approx(math.sqrt(50 / 4), rel=0.1)
    assert few.expected_hits(sizes)[1] > 1.2 * many.expected_hits(sizes)[1]


@pytest.mark.parametrize(("count", "units", "low", "high"), [(0, 10, 0.0, 0.3689), (5, 10, 0.1623, 1.1668)])
def test_a_rate_has_its_exact_interval(count: int, units: int, low: float, high: float) -> None:
    assert rate_bounds(count, units) == pytest.approx((low, high), abs=1e-4)
    assert rate_bounds(0, 0) == (0.0, math.inf)
