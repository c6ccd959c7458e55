"""Regions: connected groups of candidate pixels after the post-processing (M 109; FACTS.md 4)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

MOST_REGIONS = 200
"""A window reports at most so many, the worst ones."""
_DISK = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
_STEEPNESS = 0.5
"""Score a feature unit: a region one unit above the floor has a score of 0.62."""


@dataclass(frozen=True, slots=True)
class Region:
    """A connected group of candidates, in px of its window (origin top left, half-open)."""

    x: int
    y: int
    width: int
    height: int
    area: int
    """Pixels of the region."""
    score: float
    """In [0, 1], higher is worse."""
    peak_x: int
    peak_y: int
    """Where the feature value is highest."""
    runs: bytes
    """Little-endian int32 of shape (n, 3): y, first x, x after the last; sorted by y then x; every pixel once."""


def find_regions(
    values: NDArray[np.float32],
    *,
    scale: int,
    width: int,
    height: int,
    seed: float,
    grow: float,
    floor: float,
    least_area: int,
    opening: bool,
) -> tuple[tuple[Region, ...], bool]:
    """The regions of a window, from the top down, and whether some were left out.

    Args:
        values: feature values (h, w), one for each `scale` x `scale` px; masked ones are NaN.
        scale: px of the window for one feature value along each axis.
        width: valid px of the window; the last values may reach beyond it.
        height: likewise.
        seed: a region has a pixel of at least this value.
        grow: all of its pixels reach this value.
        floor: feature value at which the score is 0.5.
        least_area: components of fewer px are dropped.
        opening: open the kept components once with a disk of radius 1, and label again (M 109).
    """
    if values.size == 0 or not math.isfinite(seed):
        return (), False
    candidates = (values >= grow).view(np.uint8)
    if not candidates.any():
        return (), False
    count, labels, stats, _ = cv2.connectedComponentsWithStats(candidates, connectivity=8, ltype=cv2.CV_32S)
    keep = stats[:, cv2.CC_STAT_AREA] * scale * scale >= least_area
    keep[0] = False
    if opening:
        kept = cv2.morphologyEx(keep[labels].astype(np.uint8), cv2.MORPH_OPEN, _DISK)
        count, labels, stats, _ = cv2.connectedComponentsWithStats(kept, connectivity=8, ltype=cv2.CV_32S)
        keep = np.ones(count, np.bool_)
        keep[0] = False
    regions = []
    for index in np.flatnonzero(keep):
        left, top, across, down = (int(part) for part in stats[index, :4])
        inside = labels[top : top + down, left : left + across] == index
        part = values[top : top + down, left : left + across]
        own = part[inside]
        best = float(own.max())
        if best < seed:
            continue
        peak_y, peak_x = np.unravel_index(int(np.argmax(np.where(inside, part, -np.inf))), part.shape)
        runs = _runs(inside, left, top, scale, width, height)
        regions.append(_region(runs, _score(own, floor), left + int(peak_x), top + int(peak_y), scale, width, height))
    truncated = len(regions) > MOST_REGIONS
    if truncated:
        regions = sorted(regions, key=lambda region: (-region.score, region.y, region.x))[:MOST_REGIONS]
    return tuple(sorted(regions, key=lambda region: (region.y, region.x))), truncated


def _score(own: NDArray[np.float32], floor: float) -> float:
    """0.5 where the best pixels lie at the floor; the mean of the best ones, for one pixel may be chance."""
    best = min(own.size, 12)
    strength = float(np.partition(own, own.size - best)[own.size - best :].mean(dtype=np.float64))
    return 1 / (1 + math.exp(-max(-60.0, min(60.0, _STEEPNESS * (strength - floor)))))


def _runs(inside: NDArray[np.bool_], left: int, top: int, scale: int, width: int, height: int) -> NDArray[np.int32]:
    """Runs of full-resolution px, (n, 3): y, first x, x after the last."""
    edges = np.diff(inside.astype(np.int8), axis=1, prepend=0, append=0)
    rows, first = np.nonzero(edges == 1)
    _, last = np.nonzero(edges == -1)
    runs = np.stack(((rows + top) * scale, (first + left) * scale, (last + left) * scale), axis=1)
    runs = np.concatenate([runs + np.array((offset, 0, 0)) for offset in range(scale)])
    runs[:, 2] = np.minimum(runs[:, 2], width)
    runs = runs[(runs[:, 0] < height) & (runs[:, 1] < runs[:, 2])]
    return np.asarray(runs[np.lexsort((runs[:, 1], runs[:, 0]))], np.int32)


def _region(
    runs: NDArray[np.int32], score: float, peak_x: int, peak_y: int, scale: int, width: int, height: int
) -> Region:
    x, y = int(runs[:, 1].min()), int(runs[0, 0])
    return Region(
        x=x,
        y=y,
        width=int(runs[:, 2].max()) - x,
        height=int(runs[-1, 0]) + 1 - y,
        area=int((runs[:, 2] - runs[:, 1]).sum()),
        score=score,
        peak_x=min(peak_x * scale, width - 1),
        peak_y=min(peak_y * scale, height - 1),
        runs=runs.astype("<i4").tobytes(),
    )
