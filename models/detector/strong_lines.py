"""Lines of great contrast, which the network does not know: a net under it (docs/decisions/0036-strong-lines.md).

The network has learnt from cracks of 7 to 46 grey levels. A line that is much stronger, or goes on beyond what the
network sees, is to it a rim or a crest. Here no network looks: a line is what is brighter than both its sides, narrow,
long, and far above whatever else stands in its window.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from models.detector.findings import Region, score_of
from models.detector.regions import runs_of
from models.detector.zones import Weigher

CELL = 4
"""Px of a cell, along both axes: a mean of 16 px has little noise, and a line of 3 px is still seen."""
VIEW = 8
"""Cells around a window that are looked at with it, where the plate goes on."""
Cells = NDArray[np.uint8]

_ACROSS = 7
"""Cells: no line is as wide. What a square of that side does not fit under stands out."""
_AROUND = 15
"""Cells: what stands out of these by a like amount is the crest of a ridge."""
_ALONG = 21
"""Cells for which a line along an axis goes on without a gap."""
_LEAST, _LEAST_ALONG = 10, 14
"""Grey levels by which a line in any direction, or one along an axis, stands out of a picture without any noise. On
clean sheets nothing does for so long."""
_NOISE, _NOISE_ALONG = 3.0, 1.5
"""So many times what a tenth of the cells stand out by is added to these."""
_STEP, _STEP_LEAST = 0.5, 8
"""The darker side lies at most so much of the line's height, and grey levels, below the brighter; else it is a rim."""
_EDGE = 4
"""Cells along the border of what is seen, whose surroundings are not whole."""
_LEAST_LENGTH, _MOST_WIDTH, _LEAST_RATIO = 20.0, 11.0, 4.0
"""Cells of a line, and how much longer it is than wide."""
_ALONE = 3.0
"""A line stands out so many times as far as all but `_REST` of what lies beside it: a pattern, a ground finish or a
bundle of crests is no line."""
_REST = 0.985
_METAL, _DARK = 0.95, 0.6
"""A strip that is no brighter than so large a share of what lies beside it, and whose sides have at most so much of its
grey, is metal between two dark patches, oil for one."""
_LONGEST_SIDE = 120
"""Cells of a picture's longer side below which too little lies around a line to tell it from a pattern."""
_SURE = 3.0
"""Evidence of the least line above the floor, feature units: a score of 0.82, which the recipes that ship do not let
the classifier veto."""
_GRAIN = 6
"""Grey levels by which any good sheet stands out here and there: nothing that a line has to stand out of."""
_GAIN = 2.0
"""Feature units for each factor of e in contrast."""


class StrongLine(NamedTuple):
    """A line, in cells of the picture."""

    inside: NDArray[np.bool_]
    """(h, w) of its box: which cells are of it."""
    left: int
    top: int
    evidence: float
    """Above the floor, feature units; grows with the contrast."""
    peak: tuple[int, int]
    """x, y of its strongest cell, in the picture."""
    contrast: float
    """Grey levels by which it stands out, the median over its cells."""
    least: float
    """By which a line must, there."""


def cells_of(grey: NDArray[np.uint8], scale: int) -> Cells:
    """The means over cells of a picture (h, w) at `scale` px a value; what makes no whole cell is left out."""
    side = CELL // scale
    height, width = grey.shape[0] // side, grey.shape[1] // side
    if not height or not width:
        return np.empty((0, 0), np.uint8)
    whole = grey[: height * side, : width * side]
    return np.asarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def strong_lines(cells: Cells, valid: NDArray[np.bool_] | None = None) -> list[StrongLine]:
    """The bright lines of a picture that are sure.

    Args:
        cells: means over CELL x CELL px (`cells_of`), uint8 (h, w).
        valid: which cells may be looked at; None for all.
    """
    if max(cells.shape) < _LONGEST_SIDE or min(cells.shape) < _AROUND + 2 * _EDGE:
        return []
    flat = _opened(cells, _ACROSS, _ACROSS)
    height = np.asarray(cv2.subtract(cells, flat), np.uint8)
    crest = cv2.subtract(flat, _opened(cells, _AROUND, _AROUND))
    least = _LEAST + _NOISE * _reached(height, 0.9)
    found = np.asarray(cv2.compare(height, cv2.addWeighted(crest, 1, crest, 0, least), cv2.CMP_GE), np.uint8)
    for across, along in ((1, 0), (0, 1)):
        found |= _along_axis(cells, across, along)
    level = _level(cells, flat, height)
    if valid is not None:
        level &= valid
    found = np.asarray(found & level.view(np.uint8), np.uint8)
    if cv2.countNonZero(found) < _LEAST_LENGTH:
        return []
    lines = []
    count, labels, stats, _ = cv2.connectedComponentsWithStats(found, connectivity=8, ltype=cv2.CV_32S)
    longer = np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
    for index in range(1, count):
        if longer[index] * math.sqrt(2) >= _LEAST_LENGTH:
            line = _line(cells, height, np.asarray(labels, np.int32), stats[index], index, level, least)
            if line is not None:
                lines.append(line)
    return lines


def standing(cells: Cells) -> Cells:
    """By how many grey levels narrow bright things stand out, uint8 of the shape of the cells."""
    return np.asarray(cv2.subtract(cells, _opened(cells, _ACROSS, _ACROSS)), np.uint8)


def unusual(lines: Sequence[StrongLine], usual: NDArray[np.uint8]) -> list[StrongLine]:
    """Those that stand out of what good sheets show at their place as far as a line must at all.

    Args:
        lines: of a picture of cells.
        usual: grey levels by which good sheets stand out there, of the picture's shape.
    """
    kept = []
    for line in lines:
        down, across = line.inside.shape
        there = usual[line.top : line.top + down, line.left : line.left + across]
        level = float(np.median(there[line.inside]))
        # A line along an axis is sure with less than what is asked of the others.
        if level <= _GRAIN or line.contrast - level >= min(line.least, line.contrast / 2):
            kept.append(line)
    return kept


class Seen(NamedTuple):
    """The window in the picture of cells that is seen of it and around it."""

    left: int
    """Cells left of the window; likewise above."""
    top: int
    width: int
    """Px of the window."""
    height: int


def regions_of(
    lines: Sequence[StrongLine], seen: Seen, found: Sequence[Region], least: float, zones: Weigher | None
) -> list[Region]:
    """The lines of a window as regions; what the network has found with a score as high is not said twice.

    Args:
        lines: of the picture of cells.
        seen: where the window lies in that.
        found: what the network found in the window.
        least: evidence above the floor that a region must have, feature units.
        zones: those that the window touches, at CELL px a value; what a line gains there is added to its evidence.
    """
    regions = []
    for line in lines:
        y, x = np.nonzero(line.inside)
        y, x = y + line.top - seen.top, x + line.left - seen.left
        here = (y >= 0) & (x >= 0) & (y * CELL < seen.height) & (x * CELL < seen.width)
        y, x = y[here], x[here]
        if not y.size:
            continue
        evidence = line.evidence + (0.0 if zones is None else zones(y, x))
        score = score_of(evidence, 0.0)
        if evidence < least or any(one.score >= score and _touches(one, y, x) for one in found):
            continue
        inside = np.zeros((int(y.max()) + 1, int(x.max()) + 1), np.bool_)
        inside[y, x] = True
        runs = runs_of(inside, 0, 0, CELL, seen.width, seen.height)
        left, top = int(runs[:, 1].min()), int(runs[0, 0])
        regions.append(
            Region(
                x=left,
                y=top,
                width=int(runs[:, 2].max()) - left,
                height=int(runs[-1, 0]) + 1 - top,
                area=int((runs[:, 2] - runs[:, 1]).sum()),
                score=score,
                peak_x=_middle(line.peak[0] - seen.left, seen.width),
                peak_y=_middle(line.peak[1] - seen.top, seen.height),
                runs=runs.astype("<i4").tobytes(),
            )
        )
    return regions


def _touches(region: Region, y: NDArray[np.int64], x: NDArray[np.int64]) -> bool:
    """Whether a cell of a line lies in the box of a region."""
    down = (y * CELL < region.y + region.height) & ((y + 1) * CELL > region.y)
    return bool(np.any(down & (x * CELL < region.x + region.width) & ((x + 1) * CELL > region.x)))


def _middle(cell: int, length: int) -> int:
    """The px in the middle of a cell, inside a window of that length."""
    return max(0, min(cell * CELL + CELL // 2, length - 1))


def _opened(cells: Cells, width: int, height: int) -> Cells:
    """What a rectangle of that size fits under."""
    kernel = np.ones((height, width), np.uint8)
    return np.asarray(cv2.dilate(cv2.erode(cells, kernel), kernel), np.uint8)


def _along_axis(cells: Cells, across: int, along: int) -> Cells:
    """Cells of lines that go on along an axis, every cell of them: `across` and `along` say which is x."""
    narrow = _opened(cells, _ACROSS if across else 1, 1 if across else _ACROSS)
    wide = _opened(cells, _AROUND if across else 1, 1 if across else _AROUND)
    height, crest = np.asarray(cv2.subtract(cells, narrow), np.uint8), cv2.subtract(narrow, wide)
    going_on = _opened(height, _ALONG if along else 1, 1 if along else _ALONG)
    least = _LEAST_ALONG + _NOISE_ALONG * _reached(going_on, 0.9)
    return np.asarray(cv2.compare(going_on, cv2.addWeighted(crest, 0.5, crest, 0, least), cv2.CMP_GE), np.uint8)


def _level(cells: Cells, flat: Cells, height: Cells) -> NDArray[np.bool_]:
    """Cells whose two sides are of a like grey, and both seen: no rim of a hole, no edge of a sheet."""
    side = _ACROSS + 2
    dark = cv2.erode(cells, np.ones((side, side), np.uint8))
    most = cv2.addWeighted(height, _STEP, height, 0, _STEP_LEAST)
    level = np.asarray(cv2.compare(cv2.subtract(flat, dark), most, cv2.CMP_LE) > 0, np.bool_)
    level[:_EDGE] = level[-_EDGE:] = False
    level[:, :_EDGE] = level[:, -_EDGE:] = False
    return level


def _line(
    cells: Cells,
    height: Cells,
    labels: NDArray[np.int32],
    stats: NDArray[np.int32],
    index: int,
    level: NDArray[np.bool_],
    least: float,
) -> StrongLine | None:
    """The line of a group of cells; None for one that is short, wide, or not alone."""
    left, top, across, down = stats[:4].tolist()
    inside = labels[top : top + down, left : left + across] == index
    y, x = np.nonzero(inside)
    # 1/12 is a cell's own extent.
    xx, yy, xy = x.var() + 1 / 12, y.var() + 1 / 12, ((x - x.mean()) * (y - y.mean())).mean()
    length = math.sqrt(12 * ((xx + yy) / 2 + math.hypot((xx - yy) / 2, xy)))
    width = y.size / length
    if length < _LEAST_LENGTH or width > _MOST_WIDTH or length < _LEAST_RATIO * width:
        return None
    own = height[top : top + down, left : left + across]
    contrast = float(np.median(own[inside]))
    angle = math.atan2(2 * xy, xx - yy) / 2
    rows, columns = np.ogrid[: height.shape[0], : height.shape[1]]
    away = np.abs((columns - left - x.mean()) * math.sin(angle) - (rows - top - y.mean()) * math.cos(angle))
    beside = away > width / 2 + _EDGE
    if contrast < _ALONE * _reached(height[level & beside], _REST):
        return None
    grey = float(np.median(cells[top : top + down, left : left + across][inside]))
    if grey - contrast <= _DARK * grey and grey <= _reached(cells[beside], _METAL):
        return None
    peak = int(np.argmax(np.where(inside, own, 0)))
    evidence = _SURE + _GAIN * math.log(max(1.0, contrast / least))
    return StrongLine(inside, left, top, evidence, (left + peak % across, top + peak // across), contrast, least)


def _reached(values: Cells, share: float) -> float:
    """The value that so large a share does not exceed; 0 of none."""
    if values.size == 0:
        return 0.0
    counts = np.cumsum(cv2.calcHist([values], [0], None, [256], [0, 256]))
    return float(np.searchsorted(counts, share * counts[-1]))
