"""The crop of a plate that the classifier sees."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SIDE = 224
"""Rows and columns of a crop, px of the plate: the network's input at native scale."""


def crop_at(pixels: NDArray[np.uint8], x: int, y: int) -> NDArray[np.uint8]:
    """A copy (224, 224) of the square around a plate's pixel.

    Shifted to lie inside the plate; a plate that is smaller is mirrored beyond its right and lower edges.

    Args:
        pixels: (rows, columns) of the plate, any strides. Only the square is read.
        x: column of the pixel.
        y: row of the pixel. A pixel beyond the plate counts as the nearest one on it.

    Raises:
        ValueError: the plate has no pixel.
    """
    rows, columns = pixels.shape
    if rows == 0 or columns == 0:
        raise ValueError(f"a crop needs a plate with pixels; found {rows} x {columns}")
    left, top = left_and_top(pixels.shape, x, y)
    crop = pixels[top : top + SIDE, left : left + SIDE]
    below, beside = SIDE - crop.shape[0], SIDE - crop.shape[1]
    if below or beside:
        return np.pad(crop, ((0, below), (0, beside)), mode="symmetric")
    return crop.copy()


def left_and_top(shape: tuple[int, ...], x: int, y: int) -> tuple[int, int]:
    """Where on a plate of that shape (rows, columns) the crop around a pixel begins, px."""
    rows, columns = shape
    return max(0, min(x - SIDE // 2, columns - SIDE)), max(0, min(y - SIDE // 2, rows - SIDE))
