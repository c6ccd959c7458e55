"""The picture as the switch: background to metal is a sheet's leading edge, metal to background its trailing edge.

A state machine that looks at few pixels of each strip: one row of eight, one column of many. A row shows metal where
an eighth of its pixels is brighter than `level`, so that a sheet that lies askew begins with its first corner. An edge
lies between two rows that were looked at; a sheet is made as long as it may be.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stages.timed_switch import Turn

_STEP = 8
"""Rows from one that is looked at to the next, counted from the camera's row 0, so that strips do not matter."""
_COLUMNS = 16
"""Columns that are looked at, evenly over the sheet."""
_SHARE = 8
"""One of so many pixels of a row must be metal."""


class PictureSwitch:
    """Told of each strip's pixels, in order.

    Args:
        level: grey value above which a pixel is metal.
        debounce_rows: rows for which metal or background must go on to count.
    """

    def __init__(self, level: int, debounce_rows: int) -> None:
        self._columns = slice(0, None, 4 * _COLUMNS)
        self._level = level
        self._debounce = debounce_rows
        self._metal: bool | None = None
        """Held for the debounce; None: nothing was seen yet."""
        self._began = False
        self._row = 0
        """All rows before it were passed; the one before it was looked at."""
        self._change: Turn | None = None
        """It may not hold."""
        self._turns: list[Turn] = []

    @property
    def known_row(self) -> int:
        """All turns before this row are known."""
        return self._row if self._change is None else min(self._row, self._change.row)

    def expect(self, first: int, last: int) -> None:
        """Sheets lie within these camera columns, half-open."""
        step = max(1, (last - first) // _COLUMNS)
        self._columns = slice(first + step // 2, last, step)

    def began(self) -> bool:
        """Whether metal was there from the beginning."""
        return self._began

    def turns(self, until_row: int) -> list[Turn]:
        """Turns before this row, each of them once."""
        found = [turn for turn in self._turns if turn.row < until_row]
        del self._turns[: len(found)]
        return found

    def look(self, pixels: NDArray[np.uint8], first_row: int) -> None:
        """A strip, uint8 (rows, camera's width), whose first row is that one; rows left out before it were lost."""
        rows = len(pixels)
        if not rows:
            return
        first = -first_row % _STEP
        shown = [*self._metal_in(pixels[first::_STEP]), *self._metal_in(pixels[-1:])]
        if self._change is None and shown.count(self._metal is True) == len(shown) and self._metal is not None:
            # Nothing changes, as in nearly every strip.
            self._row = first_row + rows
            return
        for row, shows in zip([*range(first, rows, _STEP), rows - 1], shown, strict=True):
            self._see(first_row + row, shows)

    def _metal_in(self, rows: NDArray[np.uint8]) -> list[bool]:
        """Which of these rows show metal."""
        bright = rows[:, self._columns] > self._level
        shows: list[bool] = (np.count_nonzero(bright, axis=1) * _SHARE >= bright.shape[1]).tolist()
        return shows

    def _see(self, row: int, metal: bool) -> None:
        if self._metal is None:
            self._metal = self._began = metal
        if self._change is None and metal != self._metal:
            # It changed after the row that was looked at before, and not after this one.
            self._change = Turn(self._row if metal else row, metal)
        elif self._change is not None and metal != self._change.rising:
            self._change = None
        if (change := self._change) is not None and row + 1 - change.row >= self._debounce:
            self._change = None
            self._metal = metal
            self._turns.append(change)
        self._row = row + 1
