"""The temperature: how sure an answer is made to be (Guo et al. 2017). Apart from its fitting, which needs scipy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

TEMPERATURES = (0.05, 20.0)
"""Least and highest."""
_LEAST = 1e-9
"""No answer is taken as nearer to 0 or 1: one wrong answer would otherwise outweigh all others."""


def calibrated(probabilities: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    """Mean probabilities after the views, their log-odds divided by the temperature; NaN stays NaN."""
    return np.asarray(1 / (1 + np.exp(-log_odds(probabilities) / temperature)))


def log_odds(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of the probability of a crack; finite for every probability."""
    shares = np.clip(probabilities, _LEAST, 1 - _LEAST)
    return np.asarray(np.log(shares) - np.log1p(-shares))
