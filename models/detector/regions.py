"""Regions: connected groups of candidate pixels after the post-processing (M 109; FACTS.md 4)."""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from models.detector.findings import Region, score_of
from models.detector.repeats import Repeats
from models.detector.zones import Weigher

MOST_REGIONS = 200
"""A window reports at most so many, the worst ones; and as many fainter ones beside."""
_DISK = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
_LINE = 2.0
_MOST_LINE = 4.0
"""A region twice as long as wide is neither helped nor held back by its shape; beyond four times it counts no more."""
_MOST_COMPARED = 24
"""With more regions than that a window is not looked through for repetitions any more, which takes its time."""


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
    line_like: bool = True,
    weigh: Weigher | None = None,
    allow: float = 0.0,
) -> tuple[tuple[Region, ...], bool]:
    """The regions of a window, from the top down, and whether some that are not faint were left out.

    Args:
        values: feature values (h, w), one for each `scale` x `scale` px; masked ones are NaN, and what is not finite is
            no candidate.
        scale: px of the window for one feature value along each axis.
        width: valid px of the window; the last values may reach beyond it.
        height: likewise.
        seed: what a region's best pixels and its shape together must reach (`line_like`), or a pixel of it.
        grow: all of its pixels reach this value.
        floor: feature value at which the score is 0.5.
        least_area: components of fewer px are dropped.
        opening: open the kept components once with a disk of radius 1, and label again (M 109).
        line_like: blobs need higher values than lines, and what the press repeats counts less; False in the published
            modes, which look at pixels alone.
        weigh: the zones that the window touches; what a region gains there is added to its evidence.
        allow: feature units below `seed` from which on regions are reported as faint. They change nothing of the
            others, nor whether some of those were left out.
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
    least = seed - allow
    plain: list[Region] = []
    faint: list[Region] = []
    repeats: Repeats | None = None
    for index in np.flatnonzero(keep):
        left, top, across, down = (int(part) for part in stats[index, :4])
        inside = labels[top : top + down, left : left + across] == index
        part = values[top : top + down, left : left + across]
        own = part[inside]
        evidence = float(own.max())
        if math.isinf(evidence):
            # No evidence, though what lies beside it may be. So rare that all is done again, not looked for before.
            return find_regions(
                np.where(np.isinf(values), np.float32(np.nan), values),
                scale=scale,
                width=width,
                height=height,
                seed=seed,
                grow=grow,
                floor=floor,
                least_area=least_area,
                opening=opening,
                line_like=line_like,
                weigh=weigh,
                allow=allow,
            )
        here = None if weigh is None else weigh.within(left, top, across, down)
        if evidence + _bonus(_MOST_LINE) + (0.0 if here is None else here.most) < least:
            continue
        if line_like:
            evidence = _strength(own) + _bonus(_elongation(inside))
        if here is not None:
            rows, columns = np.nonzero(inside)
            evidence += here(rows + top, columns + left)
        if evidence < least:
            continue
        if line_like and len(plain if evidence >= seed else faint) < _MOST_COMPARED:
            sides = stats[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(1)
            repeats = repeats or Repeats(values, np.asarray(labels, np.int32), sides, scale)
            evidence -= repeats.less(int(index))
            if evidence < least:
                continue
        peak_y, peak_x = np.unravel_index(int(np.argmax(np.where(inside, part, -np.inf))), part.shape)
        runs = _runs(inside, left, top, scale, width, height)
        region = _region(runs, score_of(evidence, floor), left + int(peak_x), top + int(peak_y), scale, width, height)
        if evidence >= seed:
            plain.append(region)
        else:
            faint.append(replace(region, faint=True))
    regions = [*_worst(plain), *_worst(faint)]
    return tuple(sorted(regions, key=lambda region: (region.y, region.x))), len(plain) > MOST_REGIONS


def _worst(regions: list[Region]) -> list[Region]:
    """As many as may be reported, as they came where those are all."""
    if len(regions) <= MOST_REGIONS:
        return regions
    return sorted(regions, key=lambda region: (-region.score, region.y, region.x))[:MOST_REGIONS]


def _strength(own: NDArray[np.float32]) -> float:
    """Mean of a region's twelve best values, for one may be chance."""
    best = min(own.size, 12)
    return float(np.partition(own, own.size - best)[own.size - best :].mean(dtype=np.float64))


def _elongation(inside: NDArray[np.bool_]) -> float:
    """Length over width of a region, from its second moments; 1 for a disk or a square."""
    y, x = np.nonzero(inside)
    # 1/12 is a pixel's own extent.
    xx, yy, xy = x.var() + 1 / 12, y.var() + 1 / 12, ((x - x.mean()) * (y - y.mean())).mean()
    middle, spread = (xx + yy) / 2, math.hypot((xx - yy) / 2, xy)
    return math.sqrt((middle + spread) / max(middle - spread, 1 / 12))


def _bonus(elongation: float) -> float:
    """What the shape adds to the evidence, feature units."""
    return math.log(min(elongation, _MOST_LINE) / _LINE)


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
