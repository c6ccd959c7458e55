"""Counts a plate with intervals that hold as often as they say."""

from __future__ import annotations

import numpy as np
import pytest

from models.measure.rates import rate_of


def test_the_interval_holds_the_true_rate_also_where_some_plates_have_many() -> None:
    rng = np.random.default_rng(8)
    true, held = 0.3, 0
    for _ in range(200):
        # A tenth of the plates have three each on average: far from independent.
        counts = rng.poisson(3.0, 80) * (rng.random(80) < 0.1)
        rate = rate_of(counts[counts > 0], 80, resamples=400)
        held += rate.lower <= true <= rate.upper
    assert held >= 0.85 * 200


def test_none_at_all_and_one_alone_have_the_exact_interval() -> None:
    none = rate_of(np.zeros(0, np.int64), 100)
    assert (none.mean, none.lower) == (0.0, 0.0)
    assert none.upper == pytest.approx(3.689 / 100, rel=1e-3)
    one = rate_of(np.array([1]), 100)
    assert one.mean == 0.01
    assert (one.lower, one.upper) == pytest.approx((0.0253 / 100, 5.572 / 100), rel=1e-2)


def test_plates_that_are_all_alike_and_no_plates() -> None:
    alike = rate_of(np.ones(20, np.int64), 20)
    assert alike.lower < alike.mean < alike.upper
    nothing = rate_of(np.zeros(0, np.int64), 0)
    assert (nothing.mean, nothing.lower, nothing.upper) == (0.0, 0.0, float("inf"))
