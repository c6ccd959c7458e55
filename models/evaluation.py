"""Found boxes against true ones: one-to-one matching, recall, precision and their kind (FACTS.md 5; M 109-112)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching

Box = tuple[int, int, int, int]
"""x, y, width, height; px, half-open."""


@dataclass(frozen=True, slots=True)
class Match:
    """What became of the true and the found boxes of one plate, or of several added up."""

    true: int = 0
    missed: int = 0
    false: int = 0
    fragments: int = 0
    """Those of the false ones that lie on a true box which another found box has taken."""

    def __add__(self, other: Match) -> Match:
        return Match(
            self.true + other.true,
            self.missed + other.missed,
            self.false + other.false,
            self.fragments + other.fragments,
        )

    @property
    def recall(self) -> float:
        """True of all there were; 1 where there were none."""
        return self.true / (self.true + self.missed) if self.true + self.missed else 1.0

    @property
    def precision(self) -> float:
        """True of all found; 1 where none was found."""
        return self.true / (self.true + self.false) if self.true + self.false else 1.0

    @property
    def f1(self) -> float:
        """Harmonic mean of the two."""
        total = self.recall + self.precision
        return 2 * self.recall * self.precision / total if total else 0.0


def pairs(found: Sequence[Box], truth: Sequence[Box]) -> list[int]:
    """For each found box the index of its true box, or -1: as many pairs as possible, each box in one at most.

    A pair may match where the boxes intersect in a positive area.
    """
    if not found or not truth:
        return [-1] * len(found)
    matching = maximum_bipartite_matching(csr_matrix(_meeting(found, truth)), perm_type="column")
    return [int(index) for index in matching]


def match(found: Sequence[Box], truth: Sequence[Box], ignored: Sequence[Box] = ()) -> Match:
    """Compare the boxes of one plate.

    Args:
        found: boxes of the detector.
        truth: boxes of the defects.
        ignored: boxes of defects that count neither way (under 30 % visible); what lies on them alone is not false.
    """
    taken = pairs(found, truth)
    free = [box for box, index in zip(found, taken, strict=True) if index < 0]
    true = len(found) - len(free)
    on_ignored = _meeting(free, ignored).any(axis=1) if free and ignored else np.zeros(len(free), np.bool_)
    on_truth = _meeting(free, truth).any(axis=1) if free and truth else np.zeros(len(free), np.bool_)
    counted = ~on_ignored
    return Match(true, len(truth) - true, int(counted.sum()), int((on_truth & counted).sum()))


def _meeting(found: Sequence[Box], truth: Sequence[Box]) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    a, b = np.array(found, np.int64)[:, None], np.array(truth, np.int64)[None]
    across = np.minimum(a[..., 0] + a[..., 2], b[..., 0] + b[..., 2]) - np.maximum(a[..., 0], b[..., 0])
    along = np.minimum(a[..., 1] + a[..., 3], b[..., 1] + b[..., 3]) - np.maximum(a[..., 1], b[..., 1])
    return np.asarray((across > 0) & (along > 0))
