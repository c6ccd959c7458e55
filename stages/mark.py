"""What a person says of a plate after looking: marks. A verdict is never rewritten, and no mark is ever deleted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class MarkKind(StrEnum):
    """What is said; the same words in the store, the command line and exports."""

    CONFIRMED = "confirmed"
    """The defect is one."""
    FALSE_ALARM = "false alarm"
    """The defect is none."""
    MISSED = "missed crack"
    """There is a crack where no defect was found."""
    WITHDRAWN = "withdrawn"
    """What was said of it before does not hold any more."""


class Shape(StrEnum):
    """What a missed crack is marked with."""

    BOX = "box"
    LINE = "line"


WHYS: dict[MarkKind, tuple[str, ...]] = {
    MarkKind.CONFIRMED: ("crack", "necking", "hole", "other"),
    MarkKind.FALSE_ALARM: (
        "scratch",
        "stain",
        "dust",
        "reflection",
        "pattern",
        "die mark",
        "edge",
        "picture fault",
        "other",
    ),
    MarkKind.MISSED: ("crack", "necking", "hole", "other"),
    MarkKind.WITHDRAWN: ("by mistake", "looked again", "other"),
}
"""Why it is said: a short list, so that it can be counted."""

MOST_LETTERS = 100
"""Of a name."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a missed crack lies, in plate coordinates, px: a box, half-open, or a line from its first to its end."""

    shape: Shape
    x0: int
    y0: int
    x1: int
    y1: int


@dataclass(frozen=True, slots=True)
class Mark:
    """One thing that one person said of one defect, or of one missed crack."""

    plate: int
    kind: MarkKind
    who: str
    at: datetime
    defect: int | None = None
    """Number of the defect, 1 being the worst; None of a missed crack."""
    place: Place | None = None
    """Of a missed crack, or of one that is withdrawn."""
    why: str | None = None
    """A word of WHYS; None where nobody said one."""


def why_unusable(mark: Mark) -> str | None:
    """What is wrong with a mark, in words, whatever plate it is of; None where nothing is."""
    if (mark.defect is None) == (mark.place is None):
        return "a mark is of one defect or of one place"
    if mark.kind is not MarkKind.WITHDRAWN and (mark.kind is MarkKind.MISSED) != (mark.place is not None):
        return "a missed crack has a place, and what was found has the number of a defect"
    if mark.why is not None and mark.why not in WHYS[mark.kind]:
        return f"{mark.why!r} is no reason for {mark.kind.value!r}: give one of {', '.join(WHYS[mark.kind])}"
    if not mark.who.strip() or len(mark.who) > MOST_LETTERS:
        return f"say who it is: a name of up to {MOST_LETTERS} letters"
    return None if mark.place is None else _why_no_place(mark.place)


def why_outside(place: Place, rows: int, columns: int) -> str | None:
    """What is wrong with a place on a plate of that size, px; None where it lies on the plate."""
    inside = max(place.x0, place.x1) <= columns and max(place.y0, place.y1) <= rows
    return None if inside else f"the plate is {columns} x {rows} px: the {place.shape} goes beyond it"


def standing(marks: Iterable[Mark]) -> tuple[Mark, ...]:
    """Of the marks of one plate, in the order in which they were made, those that hold: the latest of each thing.

    Those of defects come first, by number, then missed cracks as they were marked.
    """
    latest: dict[int | Place | None, Mark] = {}
    for mark in marks:
        latest[mark.defect if mark.place is None else mark.place] = mark
    held = [mark for mark in latest.values() if mark.kind is not MarkKind.WITHDRAWN]
    of_defects = sorted((mark for mark in held if mark.defect is not None), key=lambda mark: mark.defect or 0)
    return (*of_defects, *(mark for mark in held if mark.defect is None))


def _why_no_place(place: Place) -> str | None:
    if min(place.x0, place.y0, place.x1, place.y1) < 0:
        return "a plate begins at 0,0"
    if place.shape is Shape.BOX and not (place.x0 < place.x1 and place.y0 < place.y1):
        return "a box is X0,Y0,X1,Y1 with X0 below X1 and Y0 below Y1"
    if (place.x0, place.y0) == (place.x1, place.y1):
        return "a line has two ends"
    return None
