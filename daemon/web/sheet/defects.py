"""The defects of a plate as its page shows them, and the marks that hold."""

from __future__ import annotations

from dataclasses import dataclass

from config.schema import Recipe
from daemon.store.rows import PlateRow
from daemon.web.sheet.stored import StoredPlate
from daemon.web.words import Words
from stages.mark import WHYS, Mark, MarkKind
from stages.plate import Defect
from stages.verdict import makes_ng

MOST = 200
"""Defects that a page shows, the worst first."""


@dataclass(frozen=True, slots=True)
class ShownDefect:
    """One defect on the page."""

    number: int
    defect: Defect
    counts: str
    """Its word: what it does to the verdict."""
    crop: bool
    """Whether a picture of it was stored, and one of where the classifier saw the crack."""
    heat: bool
    mark: str
    """What people say of it, in words; empty where nobody said anything."""


def shown_defects(plate: StoredPlate, words: Words) -> list[ShownDefect]:
    """The worst defects of a plate."""
    marks = {mark.defect: mark for mark in plate.row.marks if mark.defect is not None}
    shown = []
    for number, defect in enumerate(plate.row.defects[:MOST], start=1):
        mark = marks.get(number)
        crop, heat = crop_name(number), heat_name(number)
        shown.append(
            ShownDefect(
                number,
                defect,
                _counts(defect, plate.recipe),
                crop in plate.pictures,
                heat in plate.pictures,
                "" if mark is None else mark_words(mark, words),
            )
        )
    return shown


def crop_name(number: int) -> str:
    """Name of the picture of a defect (daemon/store/evidence.py)."""
    return f"defect-{number:03d}.png"


def heat_name(number: int) -> str:
    """Name of the picture of where the classifier saw it."""
    return f"defect-{number:03d}-heat.png"


def mark_words(mark: Mark, words: Words) -> str:
    """What somebody said, who and when: `confirmed (crack), anna, 2026-11-30 14:05`."""
    why = "" if mark.why is None else f" ({why_words(mark.why, words)})"
    return f"{words(f'sheet.{mark_key(mark.kind)}')}{why}, {mark.who}, {mark.at.astimezone():%Y-%m-%d %H:%M}"


def mark_key(kind: MarkKind) -> str:
    """The word of a kind of mark in the tables of words."""
    return f"mark_{kind.replace(' ', '_')}"


def why_words(why: str, words: Words) -> str:
    """A reason of the list, in the visitor's language."""
    return words.get(f"sheet.why_{why.replace(' ', '_')}", why)


def whys(kind: MarkKind, words: Words) -> list[tuple[str, str]]:
    """The reasons that a mark may have, and their words."""
    return [(why, why_words(why, words)) for why in WHYS[kind]]


def told_marks(row: PlateRow, words: Words) -> dict[str, object]:
    """The marks that hold, as a script of the page needs them."""
    kinds = {mark.defect: mark.kind.value for mark in row.marks if mark.defect is not None}
    return {
        "defects": {
            mark.defect: {"kind": kinds[mark.defect], "words": mark_words(mark, words)}
            for mark in row.marks
            if mark.defect is not None
        },
        "missed": [
            {
                "shape": mark.place.shape.value,
                "at": [mark.place.x0, mark.place.y0, mark.place.x1, mark.place.y1],
                "words": mark_words(mark, words),
            }
            for mark in row.marks
            if mark.place is not None
        ],
    }


def _counts(defect: Defect, recipe: Recipe | None) -> str:
    if defect.vetoed:
        return "vetoed"
    if recipe is None:
        return "stands"
    return "counts" if makes_ng(defect, recipe) else "minor"
