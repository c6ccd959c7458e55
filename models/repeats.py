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
_CALM, _MOST = -8.0, 8.0
"""Feature values beyond which nothing more is told."""
_ALONE = 7.5
"""A region whose own values lie so far above those at the other places counts in full, feature units;"""
_SLOPE = 1.5
"""what it lacks of that is taken from its evidence, so many times."""


class Repeats:
    """One window's feature values, looked through for what comes again."""

    def __init__(self, values: NDArray[np.float32], scale: int) -> None:
        """Takes means over cells.

        Args:
            values: feature values (h, w), NaN where masked.
            scale: px of the window for one value along each axis.
        """
        self._side = _SIDE // scale
        calm = np.nan_to_num(values, nan=_CALM, posinf=_CALM, neginf=_CALM).clip(_CALM, _MOST)
        rows, columns = (length // self._side for length in values.shape)
        whole = calm[: rows * self._side, : columns * self._side]
        self._cells = cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA) if whole.size else whole

    def less(self, y: NDArray[np.intp], x: NDArray[np.intp]) -> float:
        """What the evidence of a region is to be lowered by, feature units; 0 for one that comes once.

        Args:
            y: rows of its values.
            x: their columns.
        """
        rows, columns = self._cells.shape
        y, x = y // self._side, x // self._side
        inside = (y < rows) & (x < columns)
        y, x = y[inside], x[inside]
        if y.size == 0:
            return 0.0
        top, left = int(y.min()), int(x.min())
        height, width = int(y.max()) - top + 1, int(x.max()) - left + 1
        shape = np.zeros((height, width), np.float32)
        np.add.at(shape, (y - top, x - left), np.float32(1 / y.size))
        means = np.asarray(cv2.matchTemplate(self._cells, shape, cv2.TM_CCORR), np.float32)
        own = float(means[top, left])
        others = _best_row(np.asarray(cv2.dilate(means, np.ones((3, 3))), np.float32), top, left, height, width)
        return _SLOPE * max(0.0, _ALONE - (own - others))


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
