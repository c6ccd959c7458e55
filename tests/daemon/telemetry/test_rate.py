"""How fast a total grows."""

from __future__ import annotations

import pytest

from daemon.telemetry.rate import Rate


def test_nothing_is_known_before_two_points() -> None:
    rate = Rate(10.0)
    assert rate.per_s == 0.0
    rate.add(0.0, 7.0)
    assert rate.per_s == 0.0


def test_it_looks_back_so_far_and_no_further() -> None:
    rate = Rate(10.0)
    for second in range(31):
        rate.add(float(second), 100.0 * min(second, 25))
    assert rate.per_s == pytest.approx(50.0)
    for second in range(31, 41):
        rate.add(float(second), 2500.0)
    assert rate.per_s == 0.0


def test_an_estimate_that_was_too_high_never_counts_backwards() -> None:
    rate = Rate(10.0)
    for at, total in enumerate((0.0, 50.0, 40.0)):
        rate.add(float(at), total)
    assert rate.per_s == 25.0
