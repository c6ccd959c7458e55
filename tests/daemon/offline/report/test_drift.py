"""Light and focus over time, and what is called a move."""

from __future__ import annotations

import numpy as np
import pytest

from config.schema import OpticsLimits
from daemon.offline.report.drift import drifts
from tests.daemon.offline.report.periods import period, plates

LIMITS = OpticsLimits()
COUNT = 200


def test_light_that_fades_by_more_than_is_allowed_has_moved_and_noise_has_not() -> None:
    rng = np.random.default_rng(4)
    steady = 120 + rng.normal(0, 2, COUNT)
    (one,) = drifts(period(plates(COUNT, brightness=np.linspace(120, 90, COUNT), contrast=steady)), LIMITS)
    assert one.plates == COUNT
    assert [line.name for line in one.moved] == ["brightness"]
    (bright, _) = one.lines
    assert bright.change == pytest.approx(90 / 120 - 1, abs=0.06)
    (one,) = drifts(period(plates(COUNT, brightness=steady, focus=steady, unevenness=0 * steady)), LIMITS)
    assert one.moved == ()
    assert [line.name for line in one.lines] == ["brightness", "focus", "unevenness"]
    assert all((line.low <= line.middle).all() and (line.middle <= line.high).all() for line in one.lines)


def test_products_are_looked_at_apart_and_few_plates_say_nothing_of_change() -> None:
    product = (np.arange(8) % 2).astype(np.int32)
    two = drifts(period(plates(8, product=product, brightness=np.where(product, 50.0, 150.0)), products=2), LIMITS)
    assert [one.lines[0].middle[0] for one in two] == [150.0, 50.0]
    assert [one.lines[0].change for one in two] == [None, None]


def test_what_was_not_measured_and_the_golden_sheet_are_left_out() -> None:
    assert drifts(period(plates(COUNT)), LIMITS) == []
    assert drifts(period(plates(0), products=0), LIMITS) == []
    golden = np.ones(COUNT, bool)
    assert drifts(period(plates(COUNT, brightness=np.ones(COUNT), golden=golden)), LIMITS) == []
