"""The plate around a window: the network sees it, so that a crack at a window's border is judged as any other."""

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
