"""Control charts: what is usual is not out of limits, what is not is."""

from __future__ import annotations

import numpy as np
import pytest

from models.measure.control import LEAST_POINTS, of_means, of_shares


def test_points_of_one_spread_are_rarely_out_of_limits() -> None:
    rng = np.random.default_rng(1)
    out = sum(of_means(rng.normal(100, 3, 40)).out for _ in range(200))
    assert out / 8_000 < 0.01


@pytest.mark.parametrize(("moved", "side"), [(15.0, "above"), (-15.0, "below")])
def test_a_point_that_jumps_is_out_of_limits(moved: float, side: str) -> None:
    values = np.random.default_rng(2).normal(100, 2, 40)
    values[30] += moved
    chart = of_means(values)
    assert np.flatnonzero(getattr(chart, side)).tolist() == [30]
    assert chart.centre == pytest.approx(100, abs=2)


def test_a_slow_drift_leaves_the_limits() -> None:
    values = 100 + np.linspace(0, 20, 40) + np.random.default_rng(3).normal(0, 1, 40)
    chart = of_means(values)
    assert chart.above[-1]
    assert chart.below[0]


def test_shares_of_one_chance_are_rarely_out_of_limits_however_many_sheets_a_point_has() -> None:
    rng = np.random.default_rng(4)
    for sheets in (1, 5, 25, 400):
        of = np.full(40, sheets)
        out = sum(of_shares(rng.binomial(of, 0.05), of).out for _ in range(100))
        assert out / 4_000 < 0.005, sheets


def test_a_run_of_bad_sheets_is_out_of_limits() -> None:
    of = np.full(40, 25)
    counts = np.full(40, 1)
    counts[20] = 12
    assert np.flatnonzero(of_shares(counts, of).above).tolist() == [20]


@pytest.mark.parametrize("count", [0, 7])
def test_where_all_are_alike_nothing_is_out_of_limits(count: int) -> None:
    of = np.full(20, 7)
    chart = of_shares(np.full(20, count), of)
    assert (chart.out, chart.centre) == (0, count / 7)
    assert of_means(np.full(20, 3.0)).out == 0


def test_too_few_points_have_no_limits() -> None:
    few = LEAST_POINTS - 1
    assert of_means(np.arange(few, dtype=np.float64) ** 3).out == 0
    assert of_shares(np.arange(few), np.full(few, few)).out == 0
    assert of_means(np.zeros(0)).out == 0
