"""A window and its neighbours: the plate around it, which the network sees too, and the part that it alone counts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

HALO = 32
"""Px around a window that are read with it where the plate goes on; one cell of the network's coarsest level, and more
than the strip along a cut in which values cannot be trusted (docs/decisions/0020-halo.md)."""


class Around(NamedTuple):
    """A window's pixels with those around it."""

    pixels: NDArray[np.uint8]
    """(rows, columns), a view; not copied."""
    left: int
    """Px of it left of the window."""
    top: int
    """Px above."""


def around(pixels: NDArray[np.uint8], x: int, y: int, width: int, height: int) -> Around:
    """The window at (x, y) of a plate's pixels with up to HALO px on each side, as far as the pixels go."""
    left, top = min(HALO, x), min(HALO, y)
    part = pixels[y - top : y + height + HALO, x - left : x + width + HALO]
    return Around(part, left, top)


def own_area(
    x: int, y: int, width: int, height: int, columns: int, size: int, stride: int
) -> tuple[int, int, int, int]:
    """The part of a window that it alone counts: x0, y0, x1, y1, half-open, px of the window.

    A window owns what neither the one above nor the one to its left has seen, so the own areas are a partition of the
    plate whatever its length, which is not known while the windows of a plate that still passes are scored.

    Args:
        x: left of the window in plate coordinates.
        y: top.
        width: valid px.
        height: valid rows.
        columns: of the plate; what lies beyond them is nobody's.
        size: side of a window, px.
        stride: px from one window to the next.
    """
    shared = size - stride
    right = min(width, columns - x)
    return min(right, shared) if x > 0 else 0, min(height, shared) if y > 0 else 0, right, height
