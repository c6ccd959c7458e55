"""What only the acquire process says and does: which slots are free, and which rows are to be copied where."""

from __future__ import annotations

from dataclasses import dataclass

from stages.events import Place


@dataclass(frozen=True, slots=True)
class SlotsFree:
    """All slots that are free now, each as the place of the next plate in it; read after all that was said is done."""

    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class CopyRows:
    """Copy rows [source_row, source_row + rows) of the buffer to rows [row, row + rows) of the slot."""

    buffer: int
    source_row: int
    rows: int
    slot: int
    row: int


@dataclass(frozen=True, slots=True)
class BlankRows:
    """Make rows [row, row + rows) of the slot zero: the camera lost them."""

    slot: int
    row: int
    rows: int
