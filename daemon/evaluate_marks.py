"""Marks of a mask as true defects: their boxes, and what can be measured of them in the picture."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from models.assessment import TruthBox
from models.evaluation import Box

_GAP, _REACH = 3, 12
"""What lies this far from a defect, px, is beside it."""
_LEAST_NOISE = 0.5
"""Grey levels; a perfectly even ground has the noise of rounding at least."""
_LEAST_AREA = 4
"""px; smaller marks are slips of the pen, and the detector drops such regions (M 109)."""


def marks_of(image: NDArray[np.uint8], labels: NDArray[np.uint16], polarity: str) -> tuple[TruthBox, ...]:
    """The defects of a mask.

    Args:
        image: (rows, columns).
        labels: (rows, columns); 0 is the ground, and 8-connected pixels of one value are one defect.
        polarity: bright, dark or both: how the defects differ from their ground.
    """
    marks = []
    for value in np.unique(labels[labels > 0]).tolist():
        same = (labels == value).view(np.uint8)
        count, parts, stats, _ = cv2.connectedComponentsWithStats(same, connectivity=8, ltype=cv2.CV_32S)
        for index in range(1, count):
            x, y, width, height, area = (int(part) for part in stats[index])
            if area >= _LEAST_AREA:
                pixels = parts[y : y + height, x : x + width] == index
                marks.append(_measured(image, (x, y, width, height), pixels, polarity))
    return tuple(marks)


def noise_beside(image: NDArray[np.uint8], box: Box, pixels: NDArray[np.bool_]) -> float:
    """Standard deviation of the grey values 3 to 12 px beside a defect, at least half a grey level."""
    _, beside = _inside_and_beside(image, box, pixels)
    return max(_LEAST_NOISE, float(beside.std())) if beside.size else _LEAST_NOISE


def _inside_and_beside(
    image: NDArray[np.uint8], box: Box, pixels: NDArray[np.bool_]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    x, y, width, height = box
    rows, columns = image.shape
    padded = np.pad(pixels.astype(np.uint8), _REACH)
    ring = (_grown(padded, _REACH) > 0) & (_grown(padded, _GAP) == 0)
    top, left = max(0, _REACH - y), max(0, _REACH - x)
    bottom, right = min(height + 2 * _REACH, rows - y + _REACH), min(width + 2 * _REACH, columns - x + _REACH)
    part = image[y - _REACH + top : y - _REACH + bottom, x - _REACH + left : x - _REACH + right]
    seen = np.s_[top:bottom, left:right]
    return part[padded[seen] > 0], part[ring[seen]]


def _grown(mask: NDArray[np.uint8], reach: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.dilate(mask, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)), np.uint8)


def _measured(image: NDArray[np.uint8], box: Box, pixels: NDArray[np.bool_], polarity: str) -> TruthBox:
    inside, beside = _inside_and_beside(image, box, pixels)
    ground = float(np.median(beside)) if beside.size else float(image.mean())
    bright, dark = float(np.percentile(inside, 75)) - ground, ground - float(np.percentile(inside, 25))
    height = {"bright": bright, "dark": dark}.get(polarity, max(bright, dark))
    noise = noise_beside(image, box, pixels)
    points = np.argwhere(pixels).astype(np.float32)
    # The longer side of the narrowest rectangle around it: exact for a straight line.
    length = max(cv2.minAreaRect(points)[1]) + 1
    return TruthBox(
        box=box,
        width_px=float(pixels.sum()) / length,
        height_grey=height,
        contrast_to_noise=height / noise,
        length_px=length,
        pixels=pixels,
    )
