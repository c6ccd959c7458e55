from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from config.schema import Threshold
from models.detector.regions import Criteria, find_regions
from models.detector.threshold import LearntThreshold, threshold_levels

LEARNT = LearntThreshold(floor=2.0, grow=1.5, spread=0.5)
MODES = ("adaptive", "mu_3sigma", "top_fraction", "top_fraction_foreground")


def window(middle: float = -6.0, sigma: float = 0.5) -> NDArray[np.float32]:
    return np.random.default_rng(1).normal(middle, sigma, (325, 325)).astype(np.float32)


def test_quiet_window_keeps_the_learnt_floor() -> None:
    levels = threshold_levels(window(), Threshold(), LEARNT)
    assert (levels.seed, levels.grow) == (2.0, 0.5)


def test_restless_window_raises_the_threshold() -> None:
    # The 95th percentile of a normal distribution lies 1.645 sigma above its mean; a calm window's below -5.
    levels = threshold_levels(window(-2.0, 1.5), Threshold(), LEARNT)
    assert levels.seed == pytest.approx(2 + 0.5 * (-2 + 1.645 * 1.5 + 5), abs=0.05)
    assert levels.grow == 0.5


def test_without_spread_every_window_has_the_same_threshold() -> None:
    assert threshold_levels(window(-2.0, 1.5), Threshold(), LearntThreshold(2.0, 1.5, 0.0)).seed == 2.0


def test_cracks_do_not_raise_their_own_threshold() -> None:
    values = window()
    values[100:110, 20:300] = 8
    assert threshold_levels(values, Threshold(), LEARNT).seed == 2.0


def test_recipe_moves_the_floor() -> None:
    assert threshold_levels(window(), Threshold(floor=4.5), LEARNT).seed == 4.5


@pytest.mark.parametrize("floor", [-9.0, 0.0, 4.5])
def test_what_a_region_grows_down_to_does_not_move_with_the_recipes_floor(floor: float) -> None:
    """Or a lower floor would drown a crack in one large region with all that lies around it."""
    assert threshold_levels(window(), Threshold(floor=floor), LEARNT).grow == LEARNT.floor - LEARNT.grow


def test_top_fraction_takes_its_share_of_a_window_without_any_crack() -> None:
    values = window()
    level = threshold_levels(values, Threshold(mode="top_fraction"), LEARNT).seed
    assert int((values >= level).sum()) == math.ceil(0.003 * values.size)


@pytest.mark.parametrize("fraction", [0.001, 0.003, 0.005, 0.01])
@pytest.mark.parametrize("valid", [1.0, 0.4])
def test_top_fraction_is_one_of_the_valid_pixels(fraction: float, valid: float) -> None:
    values = window()
    values[int(325 * valid) :] = np.nan
    level = threshold_levels(values, Threshold(mode="top_fraction", fraction=fraction), LEARNT).seed
    assert int((values >= level).sum()) == math.ceil(fraction * np.isfinite(values).sum())


def test_equal_values_are_taken_whole_or_not_at_all() -> None:
    values = np.full((100, 100), -6, np.float32)
    values[0, :40] = 2  # 0.4 % of them; 0.3 % were asked for
    assert threshold_levels(values, Threshold(mode="top_fraction"), LEARNT).seed == 2
    values[0, :70] = 2
    values[5, :10] = 3
    level = threshold_levels(values, Threshold(mode="top_fraction"), LEARNT).seed
    assert int((values >= level).sum()) == 10


def test_three_sigma_flags_the_share_of_a_normal_upper_component() -> None:
    rng = np.random.default_rng(3)
    values = np.concatenate((rng.normal(-6, 0.5, 50_000), rng.normal(2, 0.8, 50_000))).astype(np.float32)
    level = threshold_levels(values.reshape(250, 400), Threshold(mode="mu_3sigma"), LEARNT).seed
    assert float((values >= level).mean()) == pytest.approx(0.5 * 0.00135, abs=2e-4)


def test_foreground_fraction_is_less_than_the_windows() -> None:
    values = window()
    values[:60] = np.random.default_rng(2).normal(1, 0.5, (60, 325))
    counts = {
        mode: int((values >= threshold_levels(values, Threshold.model_validate({"mode": mode}), LEARNT).seed).sum())
        for mode in ("top_fraction", "top_fraction_foreground")
    }
    assert counts["top_fraction_foreground"] == pytest.approx(counts["top_fraction"] * 60 / 325, rel=0.05)


def test_low_tail_is_no_part_of_the_foreground() -> None:
    values = window()
    values[:60] = np.random.default_rng(2).normal(1, 0.5, (60, 325))
    tail = values.copy()
    tail[-60:] = -4249 * np.random.default_rng(3).random((60, 325))
    threshold = Threshold(mode="top_fraction_foreground")
    assert threshold_levels(tail, threshold, LEARNT).seed == pytest.approx(
        threshold_levels(values, threshold, LEARNT).seed, abs=0.05
    )


def test_foreground_fraction_is_taken_from_the_upper_component() -> None:
    values = window()
    values[:60] = np.random.default_rng(2).normal(1, 0.5, (60, 325))
    level = threshold_levels(values, Threshold(mode="top_fraction_foreground"), LEARNT).seed
    assert int((values >= level).sum()) == pytest.approx(0.003 * 60 * 325, rel=0.05)


def test_three_sigma_of_the_upper_component() -> None:
    values = window()
    values[:60] = np.random.default_rng(2).normal(1, 0.5, (60, 325))
    assert threshold_levels(values, Threshold(mode="mu_3sigma"), LEARNT).seed == pytest.approx(2.5, abs=0.1)


@pytest.mark.parametrize("mode", MODES)
def test_masked_pixels_enter_no_statistic(mode: str) -> None:
    threshold = Threshold.model_validate({"mode": mode})
    values = window(-2.0, 1.0)
    masked = np.full((325, 400), np.nan, np.float32)
    masked[:, :325] = values
    assert threshold_levels(masked, threshold, LEARNT).seed == pytest.approx(
        threshold_levels(values, threshold, LEARNT).seed, abs=0.2
    )


@pytest.mark.parametrize("mode", MODES)
def test_wholly_masked_window_has_no_candidates(mode: str) -> None:
    levels = threshold_levels(np.full((20, 20), np.nan, np.float32), Threshold.model_validate({"mode": mode}), LEARNT)
    assert levels.seed == math.inf


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("value", [-4249.0, -6.3, 0.0, 1.5])
@pytest.mark.parametrize("shape", [(325, 325), (2, 3)])
def test_flat_window_has_no_candidates(mode: str, value: float, shape: tuple[int, int]) -> None:
    values = np.full(shape, value, np.float32)
    assert not (values >= threshold_levels(values, Threshold.model_validate({"mode": mode}), LEARNT).seed).any()


@pytest.mark.parametrize("mode", ["mu_3sigma", "top_fraction", "top_fraction_foreground"])
def test_repeated_background_is_no_foreground(mode: str) -> None:
    """A window at a plate's edge: nine tenths are the same value, by bits."""
    values = window(-3.0, 1.0)
    values[:, :290] = -6.3125
    level = threshold_levels(values, Threshold.model_validate({"mode": mode}), LEARNT).seed
    assert level > -3
    assert float((values >= level).mean()) < 0.004


@pytest.mark.parametrize("mode", MODES)
def test_infinite_values_enter_no_statistic(mode: str) -> None:
    threshold = Threshold.model_validate({"mode": mode})
    values = window(-2.0, 1.0)
    spoiled = np.concatenate((values, np.full((30, 325), np.inf, np.float32), np.full((30, 325), -np.inf, np.float32)))
    assert threshold_levels(spoiled, threshold, LEARNT).seed == pytest.approx(
        threshold_levels(values, threshold, LEARNT).seed, abs=0.2
    )


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from(MODES),
    hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.floats(width=32)),
)
def test_any_window_has_levels_and_no_more_candidates_than_values(mode: str, values: NDArray[np.float32]) -> None:
    levels = threshold_levels(values, Threshold.model_validate({"mode": mode}), LEARNT)
    assert not math.isnan(levels.seed)
    assert levels.grow <= levels.seed
    criteria = Criteria(
        scale=1,
        seed=levels.seed,
        grow=levels.grow,
        floor=LEARNT.floor,
        least_area=1,
        opening=False,
        line_like=mode == "adaptive",
    )
    regions, _ = find_regions(values, values.shape[1], values.shape[0], criteria)
    for region in regions:
        assert 0 <= region.score <= 1
        for y, first, last in np.frombuffer(region.runs, "<i4").reshape(-1, 3).tolist():
            assert np.isfinite(values[y, first:last]).all()


def test_what_raises_the_seed_is_told_so_that_scores_count_from_it() -> None:
    calm, restless = (
        threshold_levels(window(), Threshold(), LEARNT),
        threshold_levels(window(-2.0, 1.5), Threshold(), LEARNT),
    )
    assert calm.rise == 0
    assert restless.rise == pytest.approx(restless.seed - LEARNT.floor)
    assert restless.rise > 0
    assert threshold_levels(window(-2.0, 1.5), Threshold(mode="top_fraction"), LEARNT).rise == 0
