"""What a candidate says of a plate that the line has judged; it changes no verdict."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from stages.plate import Cause, Verdict


class Change(StrEnum):
    """What becomes of a defect that counts, by either result."""

    KEPT = "kept"
    NEW = "new"
    GONE = "gone"


class Kind(StrEnum):
    """What a candidate would change of a plate; the most that it changes."""

    SAME = "unchanged"
    DEFECTS = "defects"
    VERDICT = "verdict"
    UNFINISHED = "not inspected whole"
    """By the line: what differs is not the candidate's doing alone."""


@dataclass(frozen=True, slots=True)
class ChallengedDefect:
    """A defect that counts by the line's result, by the candidate's, or by both."""

    change: Change
    x: int
    """Its box in plate coordinates, px: the candidate's, or the line's where it is gone; likewise y, width, height."""
    y: int
    width: int
    height: int
    score: float
    probability: float | None
    number: int | None
    """Of the stored defect there, 1 being the worst; None of a new one where none was stored."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """A candidate's result of one plate, held against the stored one."""

    candidate: str
    """SHA-256 of all that decides its results, hex."""
    recipe: str
    """Name of the candidate's recipe."""
    kind: Kind
    verdict: Verdict
    """The candidate's, with what stands whoever judges."""
    causes: tuple[Cause, ...]
    defects: tuple[ChallengedDefect, ...]

    def count(self, change: Change) -> int:
        """Defects of which that is said."""
        return sum(one.change is change for one in self.defects)
