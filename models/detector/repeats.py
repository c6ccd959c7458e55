"""What the press repeats is no crack (docs/decisions/0021-repeats.md).

Ridges come back at their pitch: a fold or a crest that looks like a crack does so again and again in one window, and
even where it does not reach the floor it is far from calm. A crack comes once.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_SIDE = 4
"""Px of a cell, along both axes: a third of a crack's width is enough to tell a place."""
_IN_A_ROW = 4
"""Places at equal distances, the region among them; three cracks may lie so by chance."""
_LEAST_DISTANCE = 15
"""Cells between two of them."""
_MARGIN = 2
"""Cells between a region's box and the next place: a long crack is not its own repetition."""
_ALIKE = 2.0
"""Groups are taken for the same thing up to this ratio of their sides."""
_CALM, _MOST = -8.0, 8.0
"""Feature values beyond which nothing more is told."""
_ALONE = 7.5
"""A region whose own values lie so far above those at the other places counts in full, feature units;"""
_SLOPE = 1.5
"""what it lacks of that is taken from its evidence, so many times."""


class Repeats:
    """One window's feature values, looked through for what comes again."""

    def __init__(
        self, values: NDArray[np.float32], labels: NDArray[np.int32], sides: NDArray[np.int32], scale: int
    ) -> None:
        """Takes means over cells as they are asked for.

        Args:
            values: feature values (h, w), NaN where masked.
            labels: (h, w), the connected group of candidates that each value belongs to; 0 for none.
            sides: (groups + 1,), the longer side of each group's box, in values.
            scale: px of the window for one value along each axis.
        """
        self._calm = np.nan_to_num(values, nan=_CALM, posinf=_CALM, neginf=_CALM).clip(_CALM, _MOST)
        self._labels, self._sides = labels, sides
        self._cell = _SIDE // scale

    def less(self, group: int) -> float:
        """What the evidence of a group is to be lowered by, feature units; 0 for one that comes once."""
        cells = self._cells(group)
        rows, columns = cells.shape
        y, x = (at // self._cell for at in np.nonzero(self._labels == group))
        inside = (y < rows) & (x < columns)
        y, x = y[inside], x[inside]
        if y.size == 0:
            return 0.0
        top, left = int(y.min()), int(x.min())
        height, width = int(y.max()) - top + 1, int(x.max()) - left + 1
        shape = np.zeros((height, width), np.float32)
        np.add.at(shape, (y - top, x - left), np.float32(1 / y.size))
        means = np.asarray(cv2.matchTemplate(cells, shape, cv2.TM_CCORR), np.float32)
        own = float(means[top, left])
        others = _best_row(np.asarray(cv2.dilate(means, np.ones((3, 3))), np.float32), top, left, height, width)
        return _SLOPE * max(0.0, _ALONE - (own - others))

    def _cells(self, group: int) -> NDArray[np.float32]:
        """Means over cells; groups of another size are taken for calm, for a short dash is no part of a long line."""
        side = self._sides[group]
        other = (self._sides > _ALIKE * side) | (_ALIKE * self._sides < side)
        other[0] = False
        rows, columns = (length // self._cell * self._cell for length in self._calm.shape)
        calm = np.where(other[self._labels], np.float32(_CALM), self._calm)[:rows, :columns]
        if calm.size == 0:
            return calm
        size = (columns // self._cell, rows // self._cell)
        return np.asarray(cv2.resize(calm, size, interpolation=cv2.INTER_AREA), np.float32)


def _best_row(means: NDArray[np.float32], top: int, left: int, height: int, width: int) -> float:
    """The least of the means at the other places of a row of four, for the row in which it is highest."""
    rows, columns = means.shape
    farthest = _IN_A_ROW - 1
    down, right = np.meshgrid(
        np.arange(rows // farthest + 1), np.arange(-(columns // farthest), columns // farthest + 1), indexing="ij"
    )
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
