"""What the press repeats is no crack (docs/decisions/0021-repeats.md).

Ridges come back at their pitch: a fold or a crest that looks like a crack does so again and again, and even where it
does not reach the floor it is far from calm. A crack comes once.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from models.detector.reference import CALM, SIDE, Cells, Lying, cells_of, near

_IN_A_ROW = 4
"""Places at equal distances, the region among them; three cracks may lie so by chance."""
_LEAST_DISTANCE, _MOST_DISTANCE = 7, 80
"""Cells between two of them."""
_MARGIN = 2
"""Cells between a region's box and the next place: a long crack is not its own repetition."""
_BEST = 2.0
"""A region is compared by its best values, down to so far below their mean: the part of a crest line that a crack has
grown into would come again everywhere."""
_ALONE = 4.5
"""A region whose own values lie so far above those at the other places counts in full, feature units;"""
_SLOPE = 1.5
"""what it lacks of that is taken from its evidence, so many times."""
_UNUSUAL = 3.0
"""The same for what good sheets show at the place, where that is known."""


class Repeats:
    """Feature values of a piece of a plate, looked through for what comes again: on the sheet, or on every sheet."""

    def __init__(self, values: NDArray[np.float32], scale: int, lying: Lying | None = None) -> None:
        """Takes what cells hold when it is first asked for.

        Args:
            values: feature values (h, w); not written, and read later.
            scale: px of the plate for one value along each axis.
            lying: what good sheets of the product show there, where that was taught.
        """
        self._values, self._scale, self._lying = values, scale, lying
        self._highest: tuple[Cells, Cells] | None = None
        self._usual: Cells | None = None

    def less(self, y: NDArray[np.intp], x: NDArray[np.intp], own: NDArray[np.float32], strength: float) -> float:
        """What the evidence of a region is to be lowered by, feature units; 0 for one that comes once.

        Where it is known what good sheets show at its place, that alone counts: it tells more, and a crack that crosses
        ridges in a row is not taken for one of them.

        Args:
            y: rows (n,) of the region's values in the piece.
            x: their columns.
            own: the values themselves.
            strength: the mean of the best of them.
        """
        cells, around = self._cells()
        best = own >= strength - _BEST
        side = SIDE // self._scale
        y, x = y[best] // side, x[best] // side
        inside = (y < cells.shape[0]) & (x < cells.shape[1])
        y, x = y[inside], x[inside]
        if y.size == 0:
            return 0.0
        there = float(cells[y, x].mean())
        if self._usual is not None:
            return _SLOPE * max(0.0, _UNUSUAL - (there - float(self._usual[y, x].mean())))
        left, right = int(x.min()), int(x.max()) + 1
        # No place of a row lies farther away than that.
        farthest = (_IN_A_ROW - 1) * _MOST_DISTANCE
        first = max(0, left - farthest)
        around = around[:, first : right + farthest]
        x, left, top = x - first, left - first, int(y.min())
        height, width = int(y.max()) - top + 1, right - first - left
        shape = np.zeros((height, width), np.float32)
        np.add.at(shape, (y - top, x - left), np.float32(1 / y.size))
        means = np.asarray(cv2.matchTemplate(around, shape, cv2.TM_CCORR), np.float32)
        others = _best_row(means, top, left, height, width)
        return _SLOPE * max(0.0, _ALONE - (there - others))

    def _cells(self) -> tuple[Cells, Cells]:
        """The highest value of each cell, and of it and its neighbours.

        A mean would tell a thin line from a wide one, and one that lies across two cells from one within one.
        """
        if self._highest is None:
            cells = cells_of(self._values, self._scale)
            self._highest = cells, near(cells)
            self._usual = None if self._lying is None else self._lying.high(cells)
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
    best = CALM
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
