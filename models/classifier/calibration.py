"""Probabilities that mean what they say: temperature, and how far off they are (C 82).

The temperature is fitted after the average over the views: averaging itself changes how sure the answers are (Guo et
al. 2017; Rahaman and Thiery, NeurIPS 2021).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar

from models.classifier.temperature import TEMPERATURES, calibrated, log_odds

__all__ = [
    "Reliability",
    "binned",
    "calibrated",
    "calibration_errors",
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
    counts, said, true = binned(probabilities, labels, bins).sum(0).reshape(3, bins)
    return tuple(
        Reliability(
            low=index / bins,
            high=(index + 1) / bins,
            count=int(counts[index]),
            said=float(said[index] / counts[index]),
            true=float(true[index] / counts[index]),
        )
        for index in np.flatnonzero(counts).tolist()
    )


def binned(probabilities: ArrayLike, labels: ArrayLike, bins: int = 10) -> NDArray[np.float64]:
    """What each crop adds to its bin, (n, 3 * bins): one crop, its probability, and one if it shows a crack.

    Sums over crops, or over groups of them drawn anew, are what `calibration_errors` takes.

    Raises:
        ValueError: values that are no probabilities, or unequal lengths.
    """
    shares, truth = _checked(probabilities, labels)
    place = np.minimum((shares * bins).astype(np.int64), bins - 1)
    found = np.zeros((len(shares), 3, bins))
    found[np.arange(len(shares)), :, place] = np.stack([np.ones_like(shares), shares, truth], 1)
    return found.reshape(len(shares), 3 * bins)


def calibration_errors(sums: NDArray[np.float64], *, weighted: bool = True) -> NDArray[np.float64]:
    """How far the probabilities lie from the truth, 0..1; 0 of nothing. Of sums (m, 3 * bins) of `binned`: (m,).

    Args:
        sums: of the crops that are asked about.
        weighted: by the crops in each bin, which is the usual measure; else the plain mean over the bins that hold
            any, which the paper's 0.2186 fits (C 82).
    """
    counts, said, true = sums.reshape(len(sums), 3, -1).transpose(1, 0, 2)
    gaps = np.abs(said - true) / np.maximum(counts, 1)
    weights = counts if weighted else (counts > 0).astype(np.float64)
    return np.asarray((gaps * weights).sum(1) / np.maximum(weights.sum(1), 1))


def expected_calibration_error(
    probabilities: ArrayLike, labels: ArrayLike, bins: int = 10, *, weighted: bool = True
) -> float:
    """The calibration error of crops, as `calibration_errors` has it.

    Args:
        probabilities: (n,) of a crack.
        labels: (n,) true for a crack.
        bins: of equal width.
        weighted: by the crops in each bin, or the plain mean over bins.

    Raises:
        ValueError: values that are no probabilities, or unequal lengths.
    """
    return float(calibration_errors(binned(probabilities, labels, bins).sum(0)[None], weighted=weighted)[0])


def _checked(probabilities: ArrayLike, labels: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    shares, truth = np.asarray(probabilities, np.float64), np.asarray(labels, np.bool_)
    if shares.ndim != 1 or shares.shape != truth.shape:
        raise ValueError(f"one label to each probability is needed; found {shares.shape} and {truth.shape}")
    if not bool(np.all((shares >= 0) & (shares <= 1))):
        raise ValueError("probabilities lie in 0..1; some do not")
    return shares, truth
