"""Where on a sheet there is room for a crack, and laying it down."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from config.schema import Recipe
from daemon.lab.pod.forms import Stroke
from models.measure.matching import Box

_CELL = 16
"""Side of the cells, px, in which room is kept."""
_BORDER = 24
"""px along the edges of a sheet, and beside what is no metal, that stay free."""
_DARK, _BRIGHT = 0.35, 250
"""A cell is no metal below that share of the sheet's median, or from that grey level on."""
_CLIPPED = 0.05
"""Most of a crack's pixels that may end at 0 or 255: more, and its contrast is not what it is said to be."""
_PLACES = 20


class Room:
    """Where on a sheet there is room for a crack: on metal, off the recipe's masks, apart from all that was taken."""

    def __init__(self, image: NDArray[np.uint8], recipe: Recipe, found: Sequence[Box]) -> None:
        """`found` are boxes of what is reported of the sheet without paint."""
        self._image = image
        rows, columns = image.shape[0] // _CELL, image.shape[1] // _CELL
        self._free = np.zeros((rows, columns), np.uint8)
        self._apart = int(max(recipe.windows.stride // 2, 2 * recipe.post.join_gap))
        if rows == 0 or columns == 0:
            return
        whole = image[: rows * _CELL, : columns * _CELL]
        cells = np.asarray(cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA))
        metal = np.asarray((cells >= _DARK * float(np.median(cells))) & (cells < _BRIGHT), np.uint8)
        # Beyond the image there is none.
        reach = 2 * -(-_BORDER // _CELL) + 1
        self._free = np.asarray(
            cv2.erode(metal, np.ones((reach, reach), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=(0.0,)),
            np.uint8,
        )
        for mask in recipe.masks:
            self._take((mask.x, mask.y, mask.width, mask.height), _CELL)
        for box in found:
            self._take(box, int(max(3 * _CELL, 2 * recipe.post.join_gap)))

    def place(self, rng: np.random.Generator, stroke: Stroke, sign: int) -> tuple[int, int] | None:
        """A place (x, y) for the upper left pixel of a crack, which is then taken; None where there is no room.

        `sign` is 1 for bright, -1 for dark: nearly none of its pixels may be clipped.
        """
        height, width = stroke.added.shape
        down, across = -(-height // _CELL) + 1, -(-width // _CELL) + 1
        if down > self._free.shape[0] or across > self._free.shape[1]:
            return None
        summed = np.asarray(cv2.integral(self._free))
        full = summed[down:, across:] - summed[:-down, across:] - summed[down:, :-across] + summed[:-down, :-across]
        places = np.argwhere(full == down * across)
        for _ in range(min(_PLACES, len(places))):
            row, column = places[rng.integers(len(places))].tolist()
            y = row * _CELL + int(rng.integers(0, down * _CELL - height + 1))
            x = column * _CELL + int(rng.integers(0, across * _CELL - width + 1))
            after = self._image[y : y + height, x : x + width] + sign * stroke.added
            clipped = (after[stroke.inside] > 255) | (after[stroke.inside] < 0)
            if clipped.mean() <= _CLIPPED:
                self._take((x, y, width, height), self._apart)
                return x, y
        return None

    def _take(self, box: Box, around: int) -> None:
        x, y, width, height = box
        left, top = max(0, (x - around) // _CELL), max(0, (y - around) // _CELL)
        self._free[top : (y + height + around) // _CELL + 1, left : (x + width + around) // _CELL + 1] = 0


def lay_down(image: NDArray[np.uint8], stroke: Stroke, x: int, y: int, sign: int) -> None:
    """Paint a crack into an image (rows, columns) at its upper left pixel."""
    height, width = stroke.added.shape
    part = image[y : y + height, x : x + width]
    part[:] = np.clip(np.rint(part + sign * stroke.added), 0, 255)
