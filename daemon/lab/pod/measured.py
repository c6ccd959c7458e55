"""The size of a crack as its pixels show it: one yardstick for painted and for real ones.

On a pressed sheet the ground rises and falls by more than a faint crack. So the ground under a crack is drawn from
what lies beside it at each place, and the contrast is what stands out of that.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.measure.matching import Box

_GAP, _REACH = 3, 14
"""What lies this far from a crack, px, is beside it."""
_BLUR = 6.0
"""px: so near must lie what the ground at a place is drawn from."""
Grey = NDArray[np.float32]
_LEAST = 0.5
"""Grey levels; a logarithm is taken."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Sizes of a crack as measured."""

    contrast: float
    """Grey levels: the mean of the clearer half of its pixels above (or, of a dark one, below) the ground."""
    width: float
    """px: the area over the length."""
    length: float
    """px: the longer side of the narrowest rectangle around it."""


def measured(image: NDArray[np.uint8], box: Box, pixels: NDArray[np.bool_], sign: int) -> Measured:
    """Measure a crack.

    Args:
        image: (rows, columns).
        box: of the crack in it, px.
        pixels: the crack's own in the box, at least one.
        sign: 1 where the crack is bright, -1 where it is dark, 0 where that is to be seen.
    """
    x, y, width, height = box
    left, top = max(0, x - _REACH), max(0, y - _REACH)
    part = image[top : y + height + _REACH, left : x + width + _REACH].astype(np.float32)
    own = np.zeros(part.shape, np.uint8)
    own[y - top : y - top + height, x - left : x - left + width] = pixels
    beside = np.asarray((_grown(own, _REACH) > 0) & (_grown(own, _GAP) == 0), np.float32)
    above = np.sort(_above(part, beside, own > 0))
    half = max(1, len(above) // 2)
    bright, dark = float(above[-half:].mean()), -float(above[:half].mean())
    contrast = {1: bright, -1: dark}.get(sign, max(bright, dark))
    points = np.argwhere(pixels).astype(np.float32)
    length = max(cv2.minAreaRect(points)[1]) + 1
    return Measured(max(_LEAST, contrast), float(pixels.sum()) / length, length)


def _above(part: Grey, beside: Grey, own: NDArray[np.bool_]) -> Grey:
    """Grey levels of a crack's pixels above the ground, which at each is the plane through what lies beside nearby."""

    def near(values: Grey) -> Grey:
        blurred: Grey = np.asarray(cv2.GaussianBlur(values, (0, 0), _BLUR, borderType=cv2.BORDER_CONSTANT), np.float32)
        return blurred[own]

    level = float(part[beside > 0].mean()) if beside.any() else float(part.mean())
    place = np.indices(part.shape, np.float32)
    axes = (np.ones_like(part), *(one - np.float32(one[own].mean()) for one in (place[1], place[0])))
    normal = np.stack([[near(beside * one * other) for other in axes] for one in axes]).transpose(2, 0, 1)
    right = np.stack([near(beside * one * (part - np.float32(level))) for one in axes], axis=-1)
    # A trace of it holds the plane level where all that lies beside lies on one line, or nothing does.
    least = np.diag([1e-6, 1e-3, 1e-3])
    plane = np.asarray(np.linalg.solve(normal.astype(np.float64) + least, right[..., None]), np.float64)[..., 0]
    at = np.stack([one[own] for one in axes], axis=-1)
    return np.asarray(part[own] - level - (plane * at).sum(axis=-1), np.float32)


def _grown(mask: NDArray[np.uint8], reach: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.dilate(mask, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)), np.uint8)
