"""What the press repeats is no crack (docs/decisions/0021-repeats.md).

Ridges come back at their pitch: a fold or a crest that looks like a crack does so again and again, and even where it
does not reach the floor it is far from calm. A crack comes once.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

_SIDE = 8
"""Px of a cell, along both axes: a crack's width is enough to tell a place."""
_IN_A_ROW = 4
"""Places at equal distances, the region among them; three cracks may lie so by chance."""
_LEAST_DISTANCE, _MOST_DISTANCE = 7, 80
"""Cells between two of them."""
_MARGIN = 2
"""Cells between a region's box and the next place: a long crack is not its own repetition."""
_CALM, _MOST = -8.0, 8.0
"""Feature values beyond which nothing more is told."""
_BEST = 2.0
"""A region is compared by its best values, down to so far below their mean: the part of a crest line that a crack has
grown into would come again everywhere."""
_ALONE = 4.5
"""A region whose own values lie so far above those at the other places counts in full, feature units;"""
_SLOPE = 1.5
"""what it lacks of that is taken from its evidence, so many times."""


class Repeats:
    """Feature values of a piece of a plate, looked through for what comes again."""

    def __init__(self, values: NDArray[np.float32], scale: int) -> None:
        """Takes what cells hold when it is first asked for.

        Args:
            values: feature values (h, w); not written, and read later.
            scale: px of the plate for one value along each axis.
        """
        self._values, self._cell = values, _SIDE // scale
        self._highest: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None

    def less(self, y: NDArray[np.intp], x: NDArray[np.intp], own: NDArray[np.float32], strength: float) -> float:
        """What the evidence of a region is to be lowered by, feature units; 0 for one that comes once.

        Args:
            y: rows (n,) of the region's values in the piece.
            x: their columns.
            own: the values themselves.
            strength: the mean of the best of them.
        """
        cells, near = self._cells()
        best = own >= strength - _BEST
        y, x = y[best] // self._cell, x[best] // self._cell
        inside = (y < cells.shape[0]) & (x < cells.shape[1])
        y, x = y[inside], x[inside]
        if y.size == 0:
            return 0.0
        there = float(cells[y, x].mean())
        left, right = int(x.min()), int(x.max()) + 1
        # No place of a row lies farther away than that.
        farthest = (_IN_A_ROW - 1) * _MOST_DISTANCE
        first = max(0, left - farthest)
        near = near[:, first : right + farthest]
        x, left, top = x - first, left - first, int(y.min())
        height, width = int(y.max()) - top + 1, right - first - left
        shape = np.zeros((height, width), np.float32)
        np.add.at(shape, (y - top, x - left), np.float32(1 / y.size))
        means = np.asarray(cv2.matchTemplate(near, shape, cv2.TM_CCORR), np.float32)
        others = _best_row(means, top, left, height, width)
        return _SLOPE * max(0.0, _ALONE - (there - others))

    def _cells(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The highest value of each cell, and of it and its neighbours: places need not be equal to the cell.

        A mean would tell a thin line from a wide one, and one that lies across two cells from one within one.
        """
        if self._highest is None:
            rows, columns = (length // self._cell for length in self._values.shape)
            whole = self._values[: rows * self._cell, : columns * self._cell]
            calm = np.nan_to_num(whole, nan=_CALM, posinf=_CALM, neginf=_CALM).clip(_CALM, _MOST)
            cells = calm.reshape(rows, self._cell, columns, self._cell).max(axis=(1, 3))
            near = np.asarray(cv2.dilate(cells, np.ones((3, 3), np.uint8)), np.float32) if cells.size else cells
            self._highest = cells, near
        return self._highest


class Around(NamedTuple):
    """Where a window lies in the piece of the plate that is looked through for what comes again."""

    repeats: Repeats
    left: int
    """In values."""
    top: int


def _best_row(means: NDArray[np.float32], top: int, left: int, height: int, width: int) -> float:
    """The least of the means at the other places of a row of four, for the row in which it is highest."""
    rows, columns = means.shape
    farthest = _IN_A_ROW - 1
    most_down, most_right = min(rows // farthest, _MOST_DISTANCE), min(columns // farthest, _MOST_DISTANCE)
    down, right = np.meshgrid(np.arange(most_down + 1), np.arange(-most_right, most_right + 1), indexing="ij")
    apart = (down >= height + _MARGIN) | (np.abs(right) >= width + _MARGIN)
    apart &= down**2 + right**2 >= _LEAST_DISTANCE**2
    down, right = down[apart], right[apart]
    best = _CALM
    for place in range(_IN_A_ROW):  # the region's own in the row
        y, x = top - place * down, left - place * right
        last_y, last_x = y + farthest * down, x + farthest * right
        fits = (y >= 0) & (last_y < rows) & (np.minimum(x, last_x) >= 0) & (np.maximum(x, last_x) < columns)
        y, x, step_y, step_x = y[fits], x[fits], down[fits], right[fits]
        if y.size == 0:
            continue
        others = [means[y + at * step_y, x + at * step_x] for at in range(_IN_A_ROW) if at != place]
        best = max(best, float(np.minimum.reduce(others).max()))
    return best
