"""Probabilities that mean what they say: the temperature (C 82; Guo et al. 2017)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def calibrated(probabilities: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    """Mean probabilities after the views, their log-odds divided by the temperature."""
    shares = np.clip(probabilities, 1e-9, 1 - 1e-9)
    return np.asarray(1 / (1 + ((1 - shares) / shares) ** (1 / temperature)))
