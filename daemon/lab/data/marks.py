"""Marks of a mask as true defects: their boxes, and what can be measured of them in the picture."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects

from config.schema import Recipe
from models.detector.findings import Quality, Region
from models.measure.assessment import TruthBox
from models.measure.matching import Box
from stages.defects import defects_of
from stages.plate import Defect, WindowResult

_GAP, _REACH = 3, 12
"""What lies this far from a defect, px, is beside it."""
_LEAST_NOISE = 0.5
"""Grey levels; a perfectly even ground has the noise of rounding at least."""
_LEAST_AREA = 4
"""px; smaller marks are slips of the pen, and the detector drops such regions (M 109)."""


def instances(mask: NDArray[np.bool_], recipe: Recipe) -> NDArray[np.int32]:
    """Numbers from 1 for the defects of a mask (rows, columns); 0 is the ground.

    8-connected pixels are one defect, and so are pieces that continue each other by the rule that joins what the
    detector finds: a true defect lies farther from the next than the merger joins (FACTS 5).
    """
    rows, columns = mask.shape
    count, parts, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8, ltype=cv2.CV_32S)
    regions = []
    for index in range(1, count):
        x, y, width, height, area = (int(part) for part in stats[index])
        if area >= _LEAST_AREA:
            runs = _runs(parts[y : y + height, x : x + width] == index, x, y)
            regions.append(Region(x, y, width, height, area, 1.0, x, y, runs.astype("<i4").tobytes()))
    # One window that begins at the plate's origin and reports all of them.
    result = WindowResult("", 0, 0, tuple(regions), truncated=False, quality=Quality(), threshold=0.0, seconds=0.0)
    joined = defects_of([result], rows, columns, recipe)
    by_size = sorted(enumerate(joined, start=1), key=lambda one: one[1].width * one[1].height)
    labels = np.zeros(mask.shape, np.int32)
    for region in regions:
        number = next(number for number, defect in by_size if _holds(defect, region))
        for row, first, last in np.frombuffer(region.runs, "<i4").reshape(-1, 3).tolist():
            labels[row, first:last] = number
    return labels


def _holds(defect: Defect, region: Region) -> bool:
    return (
        defect.x <= region.x
        and defect.y <= region.y
        and defect.x + defect.width >= region.x + region.width
        and defect.y + defect.height >= region.y + region.height
    )


def _runs(pixels: NDArray[np.bool_], x: int, y: int) -> NDArray[np.int32]:
    """Runs of a piece at (x, y), (n, 3): y, first x, x after the last."""
    edges = np.diff(pixels.astype(np.int8), axis=1, prepend=0, append=0)
    rows, first = np.nonzero(edges == 1)
    last = np.nonzero(edges == -1)[1]
    return np.stack((rows + y, first + x, last + x), axis=1).astype(np.int32)


def marks_of(image: NDArray[np.uint8], labels: NDArray[np.int32], polarity: str) -> tuple[TruthBox, ...]:
    """The defects of a picture.

    Args:
        image: (rows, columns).
        labels: (rows, columns); 0 is the ground, all pixels of one value are one defect.
        polarity: bright, dark or both: how the defects differ from their ground.
    """
    marks = []
    for value, place in enumerate(find_objects(labels), start=1):
        if place is not None:
            pixels = np.asarray(labels[place] == value)
            box = (place[1].start, place[0].start, pixels.shape[1], pixels.shape[0])
            marks.append(_measured(image, box, pixels, polarity))
    return tuple(marks)


def darker(image: NDArray[np.uint8], marks: NDArray[np.bool_]) -> bool:
    """Whether what is marked, (rows, columns), is darker than what lies beside it."""
    inside, beside = _inside_and_beside(image, (0, 0, marks.shape[1], marks.shape[0]), marks)
    ground = np.median(beside) if beside.size else image.mean()
    # By the quartile that is farther away: a mask is often wider than its line.
    return bool(ground - np.percentile(inside, 25) > np.percentile(inside, 75) - ground)


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
