"""Found boxes against true ones: one-to-one matching, recall, precision and their kind (FACTS.md 5; M 109-112)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
    shared: int = 0
    """Those of the missed ones on which a found box lies that another true box has taken."""

    def __add__(self, other: Match) -> Match:
        return Match(
            self.true + other.true,
            self.missed + other.missed,
            self.false + other.false,
            self.fragments + other.fragments,
            self.shared + other.shared,
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
    return most_pairs(meeting(found, truth))


def most_pairs(meets: NDArray[np.bool_]) -> list[int]:
    """For each found thing (a row) its true one (a column), or -1: as many pairs as possible, each in one at most."""
    if not meets.any():
        return [-1] * len(meets)
    # Loaded here: who watches a line at a terminal need not hold it until there is something to compare.
    from scipy.sparse import csr_matrix  # noqa: PLC0415
    from scipy.sparse.csgraph import maximum_bipartite_matching  # noqa: PLC0415

    matching = maximum_bipartite_matching(csr_matrix(meets), perm_type="column")
    return [int(index) for index in matching]


def match(found: Sequence[Box], truth: Sequence[Box], ignored: Sequence[Box] = ()) -> Match:
    """Compare the boxes of one plate.

    Args:
        found: boxes of the detector.
        truth: boxes of the defects.
        ignored: boxes of defects that count neither way (under 30 % visible); what lies on them alone is not false.
    """
    return judge(meeting(found, truth), meeting(found, ignored)).match


@dataclass(frozen=True, slots=True)
class Judgement:
    """What became of each found thing of one plate."""

    taken: tuple[int, ...]
    """The true thing that it was matched with, or -1."""
    false: tuple[int, ...]
    """Those that count as false; the rest of the unmatched lie on ignored things."""
    fragments: tuple[int, ...]
    """Those of the false ones that lie on a true thing which another has taken."""
    missed: tuple[int, ...]
    """True things that were matched with none."""
    shared: tuple[int, ...]
    """Those of the missed ones on which something found lies."""
    match: Match


def judge(meets: NDArray[np.bool_], meets_ignored: NDArray[np.bool_]) -> Judgement:
    """One-to-one matching of found things (rows) with true ones and with ignored ones (columns)."""
    taken = most_pairs(meets)
    unmatched = np.array([index < 0 for index in taken], np.bool_)
    false = unmatched & ~meets_ignored.any(axis=1)
    fragments = false & meets.any(axis=1)
    missed = np.ones(meets.shape[1], np.bool_)
    missed[[index for index in taken if index >= 0]] = False
    shared = missed & meets.any(axis=0)
    true = len(taken) - int(unmatched.sum())
    counted = Match(true, int(missed.sum()), int(false.sum()), int(fragments.sum()), int(shared.sum()))
    return Judgement(
        taken=tuple(taken),
        false=_places(false),
        fragments=_places(fragments),
        missed=_places(missed),
        shared=_places(shared),
        match=counted,
    )


def _places(of: NDArray[np.bool_]) -> tuple[int, ...]:
    return tuple(np.flatnonzero(of).tolist())


def meeting(found: Sequence[Box], truth: Sequence[Box]) -> NDArray[np.bool_]:
    """Which found boxes (rows) intersect which true ones (columns) in a positive area."""
    a = np.array(found, np.int64).reshape(-1, 1, 4)
    b = np.array(truth, np.int64).reshape(1, -1, 4)
    across = np.minimum(a[..., 0] + a[..., 2], b[..., 0] + b[..., 2]) - np.maximum(a[..., 0], b[..., 0])
    along = np.minimum(a[..., 1] + a[..., 3], b[..., 1] + b[..., 3]) - np.maximum(a[..., 1], b[..., 1])
    return np.asarray((across > 0) & (along > 0))


def meets_any(found: Sequence[Box], others: Sequence[Box]) -> list[bool]:
    """Which found boxes intersect at least one of the others in a positive area."""
    return [bool(row.any()) for row in meeting(found, others)]
