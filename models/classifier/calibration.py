"""Probabilities that mean what they say: temperature, and how far off they are (C 82).

The temperature is fitted after the average over the views: averaging itself changes how sure the answers are (Guo et
al. 2017; Rahaman and Thiery, NeurIPS 2021).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar

from models.assessment import RESAMPLES, Interval
from models.classifier.temperature import TEMPERATURES, calibrated, log_odds

__all__ = [
    "Reliability",
    "bootstrap",
    "calibrated",
    "expected_calibration_error",
    "fit_temperature",
    "reliability",
]


def fit_temperature(probabilities: ArrayLike, labels: ArrayLike) -> float:
    """The temperature, 0.05 to 20, under which these answers are likeliest; above 1 they were too sure of themselves.

    Args:
        probabilities: (n,) of a crack, uncalibrated means over the views (Classifier.uncalibrated), of validation.
        labels: (n,) true for a crack.

    Raises:
        ValueError: not both classes among the labels, or values that are no probabilities.
    """
    shares, truth = _checked(probabilities, labels)
    if truth.all() or not truth.any():
        raise ValueError(f"a temperature needs crops with and without a crack; all {len(truth)} are of one class")
    # Log-odds towards the true class: the likelihood is log-concave in 1 / temperature, so there is one minimum.
    towards = np.where(truth, 1, -1) * log_odds(shares)
    low, high = np.log(TEMPERATURES)
    found = minimize_scalar(
        lambda log: float(np.logaddexp(0, -towards / np.exp(log)).mean()), bounds=(low, high), method="bounded"
    )
    return float(np.exp(found.x))


@dataclass(frozen=True, slots=True)
class Reliability:
    """The crops of which the probability lies in [low, high); the last bin holds 1 too."""

    low: float
    high: float
    count: int
    said: float
    """Mean probability."""
    true: float
    """Share that shows a crack."""


def reliability(probabilities: ArrayLike, labels: ArrayLike, bins: int = 10) -> tuple[Reliability, ...]:
    """Bins of equal width over the probability of a crack, as the paper's diagram has them; empty ones are left out.

    Raises:
        ValueError: values that are no probabilities, or unequal lengths.
    """
    shares, truth = _checked(probabilities, labels)
    place = np.minimum((shares * bins).astype(np.int64), bins - 1)
    return tuple(
        Reliability(
            low=index / bins,
            high=(index + 1) / bins,
            count=int((place == index).sum()),
            said=float(shares[place == index].mean()),
            true=float(truth[place == index].mean()),
        )
        for index in np.unique(place).tolist()
    )


def expected_calibration_error(
    probabilities: ArrayLike, labels: ArrayLike, bins: int = 10, *, weighted: bool = True
) -> float:
    """How far the probabilities lie from the truth, 0..1; 0 of nothing.

    Args:
        probabilities: (n,) of a crack.
        labels: (n,) true for a crack.
        bins: of equal width.
        weighted: by the crops in each bin, which is the usual measure; else the plain mean over the bins, which the
            paper's 0.2186 fits (C 82).

    Raises:
        ValueError: values that are no probabilities, or unequal lengths.
    """
    found = reliability(probabilities, labels, bins)
    if not found:
        return 0.0
    gaps = [abs(one.said - one.true) for one in found]
    return float(np.average(gaps, weights=[one.count for one in found] if weighted else None))


def bootstrap(
    figure: Callable[[NDArray[np.intp]], float], groups: Sequence[str], *, resamples: int = RESAMPLES, seed: int = 0
) -> Interval | None:
    """The 95 % interval of a figure when the groups had been others.

    Args:
        figure: of the crops with these indices, each as often as it comes; NaN where there is none.
        groups: (n,) of each crop; crops of one group come and go together.
        resamples: how often the groups are drawn.
        seed: of the draws.

    Returns:
        None for fewer than two groups, or where the figure never is a number.
    """
    names, place = np.unique(np.array(groups, np.str_), return_inverse=True)
    if len(names) < 2:
        return None
    members = [np.flatnonzero(place == index) for index in range(len(names))]
    rng = np.random.default_rng(seed)
    values = np.array(
        [
            figure(np.concatenate([members[index] for index in rng.integers(0, len(names), len(names))]))
            for _ in range(resamples)
        ]
    )
    values = values[np.isfinite(values)]
    if values.size == 0:
        return None
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)


def _checked(probabilities: ArrayLike, labels: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    shares, truth = np.asarray(probabilities, np.float64), np.asarray(labels, np.bool_)
    if shares.ndim != 1 or shares.shape != truth.shape:
        raise ValueError(f"one label to each probability is needed; found {shares.shape} and {truth.shape}")
    if not bool(np.all((shares >= 0) & (shares <= 1))):
        raise ValueError("probabilities lie in 0..1; some do not")
    return shares, truth
