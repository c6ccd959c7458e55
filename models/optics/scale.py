"""The size of a pixel from a picture of a target: dots in rows and columns, at distances that are known."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

LEAST_DOTS = 4
"""Dots in a row, and in a column, at least."""
_ALIKE = (0.5, 2.0)
"""Area of a dot against that of the middle one."""
_NEAR = 0.25
"""Share of a step within which the next dot must lie."""
_EVEN = 0.05
"""Share of a step that dots may lie beside the fitted grid."""

Points = NDArray[np.float64]


class ScaleError(Exception):
    """The picture shows no such target; the message says what was found and what to do."""


@dataclass(frozen=True, slots=True)
class Scale:
    """What a target says of the camera over its belt."""

    row_mm: float
    """mm from one row to the next, along the travel."""
    column_mm: float
    """mm from one pixel to the next, across."""
    row_error_mm: float
    """Standard error of that, as the dots agree; likewise the next."""
    column_error_mm: float
    dots: int
    angle: float
    """Degrees by which the target lies turned."""
    skew: float
    """Degrees by which the camera's line is not square to the travel."""
    worst_mm: float
    """How far the worst dot lies beside its place."""


def measure_scale(image: NDArray[np.uint8], across_mm: float, along_mm: float) -> Scale:
    """The scale that a picture of a grid of dots shows, dark on bright or bright on dark.

    Args:
        image: (rows, columns) uint8. The target lies with its rows of dots across the belt, turned by a few degrees
            at most.
        across_mm: from the middle of a dot to that of the next, across the belt.
        along_mm: the same along the travel.

    Raises:
        ScaleError: too few dots, or they lie in no even grid.
    """
    dots = _dots(image)
    across, along = _steps(dots)
    places, found = _numbered(dots, across, along)
    if min(np.ptp(places, axis=0)) + 1 < LEAST_DOTS:
        counts = " x ".join(str(int(count) + 1) for count in np.ptp(places, axis=0))
        raise ScaleError(
            f"a grid of {counts} dots was found, least is {LEAST_DOTS} x {LEAST_DOTS}: show more of the target, "
            "evenly lit and without marks beside it"
        )
    known = np.column_stack([places * (across_mm, along_mm), np.ones(len(places))])
    fitted, *_ = np.linalg.lstsq(known, found, rcond=None)
    beside = found - known @ fitted
    if float(np.abs(beside / (np.hypot(*across), np.hypot(*along))).max()) > _EVEN:
        worst = found[int(np.hypot(*beside.T).argmax())]
        raise ScaleError(
            f"the dots lie in no even grid: the one at x {worst[0]:.0f}, y {worst[1]:.0f} lies "
            f"{np.hypot(*beside.T).max():.1f} px beside its place; lay the target flat, and move it evenly"
        )
    return _scale(np.asarray(fitted, np.float64), known, np.asarray(beside, np.float64))


def _scale(fitted: Points, known: Points, beside: Points) -> Scale:
    """From px a mm, (mm across, mm along, 1) to (x, y), to mm a px."""
    by_x, by_y = fitted[:2, 0], fitted[:2, 1]
    column_mm, row_mm = 1 / float(np.hypot(*by_x)), 1 / float(np.hypot(*by_y))
    # Of a turned target, x = (cos u - sin v) / column_mm and y = (sin u + cos v) / row_mm.
    turned_x, turned_y = math.atan2(-by_x[1], by_x[0]), math.atan2(by_y[0], by_y[1])
    freedom = max(1, len(known) - 3)
    spread = np.sqrt(np.diag(np.linalg.inv(known.T @ known))[:2] / freedom)
    errors = np.sqrt((beside**2).sum(axis=0)) * spread
    return Scale(
        row_mm=row_mm,
        column_mm=column_mm,
        row_error_mm=float(errors[1]) * row_mm**2,
        column_error_mm=float(errors[0]) * column_mm**2,
        dots=len(known),
        angle=math.degrees((turned_x + turned_y) / 2),
        skew=math.degrees(turned_y - turned_x),
        worst_mm=float(np.hypot(*(beside * (column_mm, row_mm)).T).max()),
    )


def _dots(image: NDArray[np.uint8]) -> Points:
    """Middles of what looks like the target's dots, x and y, to a part of a pixel."""
    smooth = cv2.GaussianBlur(image, (0, 0), 1.0)
    level, black = cv2.threshold(smooth, 0, 255, cv2.THRESH_BINARY_INV + cv2.THRESH_OTSU)
    # Dots cover the smaller part of the target.
    dark = np.count_nonzero(black) < black.size / 2
    inside = black if dark else cv2.bitwise_not(black)
    count, labels, stats, middles = cv2.connectedComponentsWithStats(inside, connectivity=8)
    left, top, width, height, area = (stats[1:, column] for column in range(5))
    rows, columns = image.shape
    cut = (left == 0) | (top == 0) | (left + width == columns) | (top + height == rows)
    round_ = (area > 0.6 * width * height) & (area > 20) & ~cut
    if count < 2 or not round_.any():
        raise ScaleError("no dots are to be seen: show the target sharp and evenly lit, dark dots on bright or inverse")
    typical = float(np.median(area[round_]))
    chosen = np.flatnonzero(round_ & (area > _ALIKE[0] * typical) & (area < _ALIKE[1] * typical))
    del labels, middles
    found = []
    for one in chosen:
        x0, y0 = max(0, left[one] - 2), max(0, top[one] - 2)
        near = smooth[y0 : top[one] + height[one] + 2, x0 : left[one] + width[one] + 2].astype(np.float64)
        part = np.clip(level - near if dark else near - level, 0, None)
        ys, xs = np.mgrid[0 : part.shape[0], 0 : part.shape[1]]
        found.append((x0 + float((part * xs).sum() / part.sum()), y0 + float((part * ys).sum() / part.sum())))
    return np.array(found, np.float64)


def _steps(dots: Points) -> tuple[Points, Points]:
    """From a dot to the next across, and to the next along, px."""
    if len(dots) < LEAST_DOTS**2:
        raise ScaleError(f"{len(dots)} dots were found, least is {LEAST_DOTS**2}: show more of the target")
    neighbours = np.asarray(KDTree(dots).query(dots, k=5)[1])
    steps = (dots[neighbours[:, 1:]] - dots[:, None]).reshape(-1, 2)
    flat = np.abs(steps[:, 0]) > np.abs(steps[:, 1])
    if not flat.any() or flat.all():
        raise ScaleError("the dots lie in one line: the target needs rows and columns of them")
    across, along = steps[flat], steps[~flat]
    across, along = across * np.sign(across[:, :1]), along * np.sign(along[:, 1:])
    # The shortest are the steps to the next; some lead past a dot that is missing.
    return _shortest(across), _shortest(along)


def _shortest(steps: Points) -> Points:
    lengths = np.hypot(*steps.T)
    near = steps[lengths < 1.3 * np.percentile(lengths, 20)]
    return np.asarray(np.median(near, axis=0), np.float64)


def _numbered(dots: Points, across: Points, along: Points) -> tuple[Points, Points]:
    """Column and row in the grid of the dots that hang together, and where they are; from the middle one on."""
    tree = KDTree(dots)
    start = int(np.hypot(*(dots - dots.mean(axis=0)).T).argmin())
    numbers, ahead = {start: (0, 0)}, deque([start])
    within = _NEAR * min(float(np.hypot(*across)), float(np.hypot(*along)))
    while ahead:
        one = ahead.popleft()
        column, row = numbers[one]
        for right, down in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            distance, other = tree.query(dots[one] + right * across + down * along)
            if distance < within and int(other) not in numbers:
                numbers[int(other)] = (column + right, row + down)
                ahead.append(int(other))
    return np.array(list(numbers.values()), np.float64), dots[list(numbers)]
