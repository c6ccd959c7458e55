"""Counts a plate, with intervals: false alarms (FPB) and missed defects (MDB) a plate (FACTS.md 5)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.measure.assessment import RESAMPLES, middle
from models.measure.pod import rate_bounds


@dataclass(frozen=True, slots=True)
class Rate:
    """So many on so many plates."""

    count: int
    plates: int
    lower: float
    """95 % interval of the mean a plate."""
    upper: float

    @property
    def mean(self) -> float:
        """A plate; 0 of none."""
        return self.count / self.plates if self.plates else 0.0


def rate_of(counts: NDArray[np.int64], plates: int, *, resamples: int = RESAMPLES, seed: int = 0) -> Rate:
    """The mean a plate; the interval by drawing plates anew, for what lies on one plate is not independent.

    Where that says nothing, as where there is none at all, it is the exact interval of independent ones.

    Args:
        counts: of plates that have any (n,).
        plates: all of them, n at least.
        resamples: how often they are drawn.
        seed: of the draws.
    """
    total = int(counts.sum())
    lower, upper = rate_bounds(total, plates)
    some = counts[counts > 0]
    if len(some) > 1:
        # Plates with equal counts are alike: a draw is how many of each kind there are.
        kinds, often = np.unique(some, return_counts=True)
        shares = np.append(often, plates - len(some)) / plates
        drawn = np.random.default_rng(seed).multinomial(plates, shares, resamples)[:, :-1] @ kinds
        low, high = middle(drawn / plates)
        lower, upper = (low, high) if low < high else (lower, upper)
    return Rate(total, plates, lower, upper)
