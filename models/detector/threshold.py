"""From feature values to the value above which a pixel is a candidate (M 88-91; FACTS.md 4)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from config.schema import Threshold
from models.detector.mixture import fit

_STEP = 3
"""The adaptive rule looks at every third pixel along both axes: 11,700 of a window."""
_CALM = -5.0
"""Feature value below which the 95th percentile of a window without structure lies."""


@dataclass(frozen=True, slots=True)
class LearntThreshold:
    """What the adaptive rule takes from training: learnt on defect-free samples, stored with the weights."""

    floor: float
    """Least feature value of a region's best pixels."""
    grow: float
    """How far below the floor the pixels around those may lie, feature units."""
    spread: float
    """How far the floor rises with each feature unit by which a window's background lies above a calm one."""


@dataclass(frozen=True, slots=True)
class Levels:
    """The two levels of a window: a region has pixels of at least `seed`, and all of them reach `grow`."""

    seed: float
    grow: float
    rise: float = 0.0
    """By how much the window's restlessness has raised the seed: evidence counts less by that much."""


def threshold_levels(values: NDArray[np.float32], threshold: Threshold, learnt: LearntThreshold) -> Levels:
    """The candidates' levels of one window.

    Args:
        values: feature values (h, w) of the window's valid pixels; masked ones are NaN.
        threshold: the recipe's mode; `fraction` is used by the top_fraction modes.
        learnt: used by the adaptive mode.

    Returns:
        Infinite levels where there is nothing to look at.
    """
    if threshold.mode == "adaptive":
        floor = learnt.floor if threshold.floor is None else threshold.floor
        return _adaptive(values, floor, learnt)
    valid = values[np.isfinite(values)]
    if valid.size == 0:
        return Levels(math.inf, math.inf)
    if threshold.mode == "mu_3sigma":
        mixture = fit(valid)
        level = mixture.means[1] + 3 * mixture.sigmas[1]
    elif threshold.mode == "top_fraction":
        level = _top(valid, threshold.fraction)
    else:
        level = _top(valid[fit(valid).upper_posterior(valid) > 0.5], threshold.fraction)
    return Levels(level, level)


def _top(values: NDArray[np.float32], fraction: float) -> float:
    """The level that the highest `fraction` of the values reach; infinite for no value or a fraction of 0.

    Equal values cannot be parted: all of them are taken, or none, whichever comes nearer to the fraction. So a flat
    window, all of which is its own top, has no candidates.
    """
    count = min(values.size, math.ceil(fraction * values.size))
    if count == 0:
        return math.inf
    place = values.size - count
    level = np.partition(values, place)[place]
    reached, beyond = int(np.count_nonzero(values >= level)), int(np.count_nonzero(values > level))
    if reached - count > count - beyond:
        level = np.nextafter(level, np.float32(np.inf))
    return float(level)


def _adaptive(values: NDArray[np.float32], floor: float, learnt: LearntThreshold) -> Levels:
    """The learnt floor, raised where the window's background is restless.

    The background is described by the 95th percentile of a sample: that of a window full of structure lies high, while
    cracks, which cover a few hundredths of a window at most, hardly move it.
    """
    sample = values[::_STEP, ::_STEP].ravel()
    sample = sample[np.isfinite(sample)]
    if sample.size == 0:
        return Levels(math.inf, math.inf)
    place = min(sample.size - 1, sample.size * 95 // 100)
    upper = float(np.partition(sample, place)[place])
    rise = learnt.spread * max(0.0, upper - _CALM)
    # What a region may grow down to does not rise: a higher level would only break restless structure into pieces.
    # Nor does it move with a recipe's floor: a crack would drown in one large region with all that lies around it.
    return Levels(floor + rise, learnt.floor - learnt.grow, rise)
