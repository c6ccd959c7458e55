"""The published training patches: 27 x 27 px around points of the cracks' skeletons, and as many elsewhere (M 106)."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.detector.crops import LabelledCrop

PATCHES = 128
"""Of a step."""
REACH = 13
"""Px on both sides of the middle: the patch is 27 px wide."""


def skeleton(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Points (n, 2), x and y, on the middle lines of a mask: where the distance from its border is greatest around."""
    inside = cv2.distanceTransform(np.pad(mask.view(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    highest = cv2.dilate(inside, np.ones((3, 3), np.uint8))
    y, x = np.nonzero(mask & (inside >= highest))
    return np.stack((x, y), axis=1)


def patches_of(
    rng: np.random.Generator, crops: Sequence[LabelledCrop], count: int, even: bool = False
) -> list[LabelledCrop]:
    """`count` patches: half of them around skeleton points, the rest around points at least 27 px from any crack.

    Args:
        rng: of the points.
        crops: where they are cut; beyond a crop's border pixels are mirrored.
        count: patches of the batch.
        even: 28 px instead of 27, for a network at half resolution.
    """
    found: list[LabelledCrop] = []
    middles = [skeleton(mask) for _, mask, _ in crops]
    cracked = [index for index, points in enumerate(middles) if len(points)]
    for index in range(count):
        if index % 2 == 0 and cracked:
            chosen = cracked[int(rng.integers(len(cracked)))]
            points = middles[chosen]
            x, y = points[int(rng.integers(len(points)))]
        else:
            chosen = int(rng.integers(len(crops)))
            x, y = _elsewhere(rng, crops[chosen])
        found.append(_cut(crops[chosen], int(x), int(y), REACH + 1 if even else REACH, 2 * REACH + (2 if even else 1)))
    return found


def _elsewhere(rng: np.random.Generator, crop: LabelledCrop) -> tuple[int, int]:
    """A point whose patch holds no crack; after twenty misses any point."""
    _, mask, ignored = crop
    x, y = 0, 0
    for _ in range(20):
        y, x = (int(rng.integers(side)) for side in mask.shape)
        around = slice(max(0, y - REACH), y + REACH + 1), slice(max(0, x - REACH), x + REACH + 1)
        if not mask[around].any() and not ignored[around].any():
            break
    return x, y


def _cut(crop: LabelledCrop, x: int, y: int, before: int, side: int) -> LabelledCrop:
    image, mask, ignored = crop
    rows = _mirrored(np.arange(y - before, y - before + side), image.shape[0])
    columns = _mirrored(np.arange(x - before, x - before + side), image.shape[1])
    place = np.ix_(rows, columns)
    return image[place], mask[place], ignored[place]


def _mirrored(index: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    index = np.abs(index)
    return np.minimum(index, np.maximum(2 * (size - 1) - index, 0))
