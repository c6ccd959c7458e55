"""Which sheets serve what: learnt from, held apart, left out; and the places that most of them share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from daemon.lab.teach.look import Looked
from daemon.lab.teach.outliers import Odd, odd_sheets
from daemon.lab.teach.places import Offset, Place, offsets, places
from daemon.lab.teach.sheets import LEAST_SHEETS, TeachError

_HELD_APART = 3
"""One sheet in so many is held apart, and so many at least."""
_LEAST_LEFT = LEAST_SHEETS - 2
"""Sheets, after odd ones are left out."""
_MOST_MARKS = 6
"""A die with more places that alarm has no faults there but a relief that the base does not know."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The sheets by what they serve; indices are places in `looked`."""

    looked: list[Looked]
    where: list[Offset]
    learnt: tuple[int, ...]
    held: tuple[int, ...]
    odd: list[Odd]
    marks: list[Place]
    """Places that are not learnt from: perhaps faults of the die."""
    relief: list[Place]
    """Places that alarm on most sheets and are learnt all the same."""


def parted(looked: list[Looked], *, accept_marks: bool) -> Parts:
    """Leave out what is odd, hold one sheet in three apart, and find what most of them share.

    Raises:
        TeachError: too few are alike.
    """
    where = offsets([one.reduced for one in looked])
    common = places(looked, where)
    odd = odd_sheets(looked, where, common)
    out = {id(one.looked) for one in odd if one.left_out}
    kept = [index for index, one in enumerate(looked) if id(one) not in out]
    if len(kept) < _LEAST_LEFT:
        raise TeachError(_too_few(len(kept), len(looked), odd))
    count = max(_HELD_APART, round(len(kept) / _HELD_APART))
    # Evenly over the run: light, oil and the die itself change while it goes on.
    held = {kept[index] for index in np.linspace(0, len(kept) - 1, count).round().astype(int)}
    few = len(common) <= _MOST_MARKS and not accept_marks
    return Parts(
        looked=looked,
        where=where,
        learnt=tuple(index for index in kept if index not in held),
        held=tuple(sorted(held)),
        odd=odd,
        marks=common if few else [],
        relief=[] if few else common,
    )


def _too_few(left: int, of: int, odd: Sequence[Odd]) -> str:
    each = "\n  ".join(f"{one.looked.sheet.name}: {one.why}" for one in odd if one.left_out)
    return f"{left} of {of} sheets are alike enough to learn from, {_LEAST_LEFT} is the least; left out are\n  {each}"
