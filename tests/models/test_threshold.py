from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from config.schema import Threshold
from models.threshold import Learnt, limit

LEARNT = Learnt(floor=2.0, grow=1.5, spread=0.5)
MODES = ("adaptive", "mu_3sigma", "top_fraction", "top_fraction_foreground")


def window(middle: float = -6.0, sigma: float = 0.5) -> NDArray[np.float32]:
    return np.random.default_rng(1).normal(middle, sigma, (325, 325)).astype(np.float32)


def test_quiet_window_keeps_the_learnt_floor() -> None:
    levels = limit(window(), Threshold(), LEARNT)
    assert (levels.seed, levels.grow) == (2.0, 0.5)


def test_restless_window_raises_the_threshold() -> None:
    # The 95th percentile of a normal distribution lies 1.645 sigma above its mean; a calm window's below -5.
    levels = limit(window(-2.0, 1.5), Threshold(), LEARNT)
    assert levels.seed == pytest.approx(2 + 0.5 * (-2 + 1.645 * 1.5 + 5), abs=0.05)
    assert levels.grow == 0.5


def test_without_spread_every_window_has_the_same_threshold() -> None:
    assert limit(window(-2.0, 1.5), Threshold(), Learnt(2.0, 1.5, 0.0)).seed == 2.0


def test_cracks_do_not_raise_their_own_threshold() -> None:
    values = window()
    values[100:110, 20:300] = 8
    assert limit(values, Threshold(), LEARNT).seed == 2.0


def test_recipe_moves_the_floor() -> None:
    assert limit(window(), Threshold(floor=4.5), LEARNT).seed == 4.5


def test_top_fraction_takes_its_share_of_a_window_without_any_crack() -> None:
    values = window()
    level = limit(values, Threshold(mode="top_fraction"), LEARNT).seed
    assert int((values >= level).sum()) == math.ceil(0.003 * values.size)


def test_foreground_fraction_is_taken_from_the_upper_component() -> None:
    values = window()
    values[:60] = np.random.default_rng(2).normal(1, 0.5, (60, 325))
    level = limit(values, Threshold(mode="top_fraction_foreground"), LEARNT).seed
    assert int((values >= level).sum()) == pytest.approx(0.003 * 60 * 325, rel=0.05)


def test_three_sigma_of_the_upper_component() -> None:
    values = window()
    values[:60] = np.random.default_rng(2).normal(1, 0.5, (60, 325))
    assert limit(values, Threshold(mode="mu_3sigma"), LEARNT).seed == pytest.approx(2.5, abs=0.1)


@pytest.mark.parametrize("mode", MODES)
def test_masked_pixels_enter_no_statistic(mode: str) -> None:
    threshold = Threshold.model_validate({"mode": mode})
    values = window(-2.0, 1.0)
    masked = np.full((325, 400), np.nan, np.float32)
    masked[:, :325] = values
    assert limit(masked, threshold, LEARNT).seed == pytest.approx(limit(values, threshold, LEARNT).seed, abs=0.2)


@pytest.mark.parametrize("mode", MODES)
def test_wholly_masked_window_has_no_candidates(mode: str) -> None:
    levels = limit(np.full((20, 20), np.nan, np.float32), Threshold.model_validate({"mode": mode}), LEARNT)
    assert levels.seed == math.inf
