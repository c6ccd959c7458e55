"""A plate of the selection and what came of it: held against the candidate, or why it was not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import cv2

from daemon.offline.reinspect.plate import Job, Outcome
from daemon.store.rows import PlateRow, result_of
from stages.comparison import Change, Counterparts, Difference, box_of, compare
from stages.mark import Mark, MarkKind, Place, Shape
from stages.plate import Defect, PlateResult, worst_first


class LeftOut(StrEnum):
    """Why a plate of the selection was not inspected anew, although nothing is wrong."""

    NOT_ARCHIVED = "not archived"
    OPEN = "open"
    OTHER_WIDTH = "other width"


class Fate(StrEnum):
    """What the candidate makes of what somebody marked."""

    FOUND = "found"
    NOT_FOUND = "not found"


@dataclass(frozen=True, slots=True)
class Marked:
    """A mark and whether the candidate has a defect that counts there."""

    mark: Mark
    fate: Fate


@dataclass(frozen=True, slots=True)
class Held:
    """One plate of the selection."""

    row: PlateRow
    outcome: Outcome | None = None
    """None where it was left out."""
    left_out: LeftOut | None = None
    words: str = ""
    """Why it was left out."""

    difference: Difference | None = None
    """What the candidate would change; None where it has no result."""

    @property
    def candidate(self) -> PlateResult | None:
        """The candidate's result; None where there is none."""
        return None if self.outcome is None else self.outcome.candidate

    @property
    def outcome_words(self) -> str:
        """What came of it, in a word: a kind of difference, a fault, or why it was left out."""
        if self.left_out is not None:
            return self.left_out
        if self.outcome is not None and self.outcome.fault is not None:
            return self.outcome.fault
        assert self.difference is not None
        return self.difference.kind

    @property
    def detail(self) -> str:
        """More of it, where there is more to say."""
        if self.outcome is not None and self.outcome.fault is not None:
            return self.outcome.words
        return self.words


def held(row: PlateRow, outcome: Outcome) -> Held:
    """The plate with what came of it."""
    found = None if outcome.candidate is None else compare(result_of(row), outcome.candidate)
    return Held(row, outcome, difference=found)


def job_of(row: PlateRow, file: str = "") -> Job:
    """What is to be done for a plate that has a file in the archive, which lies there."""
    assert row.archive is not None
    assert row.archive.sha256 is not None
    return Job(file, row.archive.sha256, result_of(row))


def pairs_of(plate: Held, one: Counterparts) -> tuple[Defect | None, Defect | None]:
    """The stored defect and the candidate's."""
    assert plate.candidate is not None
    before, after = worst_first(plate.row.defects), worst_first(plate.candidate.defects)
    return (
        None if one.stored is None else before[one.stored - 1],
        None if one.candidate is None else after[one.candidate - 1],
    )


def mark_of(plate: Held, one: Counterparts) -> Mark | None:
    """What somebody said of a stored defect, or of the missed crack on which a new one lies."""
    for mark in plate.row.marks:
        if one.stored is not None and mark.defect == one.stored:
            return mark
    _, after = pairs_of(plate, one)
    if one.change is Change.NEW and after is not None:
        return next((mark for mark in plate.row.marks if mark.place is not None and lies_on(after, mark.place)), None)
    return None


def marked(plate: Held) -> list[Marked]:
    """The marks of a plate that was held against the candidate, each with whether it finds what is marked."""
    difference, candidate = plate.difference, plate.candidate
    if difference is None or candidate is None:
        return []
    kept = {one.stored for one in difference.defects if one.change is Change.KEPT}
    # What a person marked although the classifier had vetoed it: found where it counts now.
    kept |= {one.stored for one in difference.defects if one.change is Change.NEW and one.stored is not None}
    counting = [one for one in candidate.defects if not one.vetoed]
    found: list[Marked] = []
    for mark in plate.row.marks:
        there = mark.defect in kept if mark.place is None else _any_on(counting, mark.place)
        found.append(Marked(mark, Fate.FOUND if there else Fate.NOT_FOUND))
    return found


def good(one: Marked) -> bool:
    """Whether the candidate does as the mark says."""
    return (one.fate is Fate.FOUND) == (one.mark.kind is not MarkKind.FALSE_ALARM)


def lies_on(defect: Defect, place: Place) -> bool:
    """Whether a defect's box shares a pixel with a place."""
    box = box_of(defect)
    if place.shape is Shape.LINE:
        return bool(cv2.clipLine(box, (place.x0, place.y0), (place.x1, place.y1))[0])
    across = min(defect.x + defect.width, place.x1) - max(defect.x, place.x0)
    along = min(defect.y + defect.height, place.y1) - max(defect.y, place.y0)
    return across > 0 and along > 0


def _any_on(defects: Sequence[Defect], place: Place) -> bool:
    return any(lies_on(one, place) for one in defects)


def is_faulty(plate: Held) -> bool:
    """Whether it was to be inspected anew and could not be."""
    return plate.outcome is not None and plate.outcome.fault is not None
