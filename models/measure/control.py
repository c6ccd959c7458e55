"""Control charts (Shewhart 1931): the usual spread of a quantity over time, and the points that lie beyond it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtrik

Floats = NDArray[np.float64]

LEAST_POINTS = 10
"""Of fewer nothing is usual yet, and there are no limits."""
_SPREAD = 2.66
"""Three standard deviations by the mean difference of neighbours: 3 / 1.128."""
_TAIL = 0.00135
"""What lies beyond three standard deviations, to one side."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A quantity at points in time (n,)."""

    values: Floats
    centre: float
    low: Floats
    """Limits at each point; infinite of too few points."""
    high: Floats

    @property
    def above(self) -> NDArray[np.bool_]:
        """Points above their limit."""
        return self.values > self.high

    @property
    def below(self) -> NDArray[np.bool_]:
        """Points below their limit."""
        return self.values < self.low

    @property
    def out(self) -> int:
        """How many lie beyond either."""
        return int(self.above.sum() + self.below.sum())


def of_means(values: Floats) -> Chart:
    """The chart of means, finite (n,): limits by the differences of neighbours, so that a slow drift widens none."""
    centre = float(values.mean()) if len(values) else 0.0
    if len(values) < LEAST_POINTS:
        return _open(values, centre)
    reach = _SPREAD * float(np.abs(np.diff(values)).mean())
    return Chart(values, centre, np.full(len(values), centre - reach), np.full(len(values), centre + reach))


def of_shares(counts: NDArray[np.int64], of: NDArray[np.int64]) -> Chart:
    """The chart of shares, so many of so many at least one (n,): limits by the binomial, as if each stood alone."""
    values = counts / np.maximum(of, 1)
    centre = float(counts.sum() / max(int(of.sum()), 1))
    if len(values) < LEAST_POINTS:
        return _open(values, centre)
    if not 0 < centre < 1:
        return Chart(values, centre, values.copy(), values.copy())
    low, high = (np.ceil(np.maximum(np.asarray(bdtrik(tail, of, centre)), 0)) / of for tail in (_TAIL, 1 - _TAIL))
    return Chart(values, centre, low, np.minimum(high, 1.0))


def _open(values: Floats, centre: float) -> Chart:
    return Chart(values, centre, np.full(len(values), -np.inf), np.full(len(values), np.inf))
