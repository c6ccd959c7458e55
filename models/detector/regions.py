"""Regions: connected groups of candidate pixels after the post-processing (M 109; FACTS.md 4)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from models.detector.findings import Region, score_of
from models.detector.repeats import Around, Repeats
from models.detector.zones import Weigher

MOST_REGIONS = 200
"""A window reports at most so many, the worst ones; and as many fainter ones beside."""
_DISK = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
_LINE = 2.0
_MOST_LINE = 4.0
"""A region twice as long as wide is neither helped nor held back by its shape; beyond four times it counts no more."""
_DEEP = 4.0
"""The values of a line-like region lie at most so far below its highest: a crest line that a crack touches is no part
of it."""
_MOST_COMPARED = 48
"""With more regions than that a window is not looked through for repetitions any more, which takes its time."""


@dataclass(frozen=True, slots=True)
class Criteria:
    """What makes a region of feature values."""

    scale: int
    """Px of the window for one feature value along each axis."""
    seed: float
    """What a region's best pixels and its shape together must reach (`line_like`), or a pixel of it."""
    grow: float
    """All of its pixels reach this value."""
    floor: float
    """Feature value at which the score is 0.5."""
    least_area: int
    """Components of fewer px are dropped."""
    opening: bool
    """Open the kept components once with a disk of radius 1, and label again (M 109)."""
    line_like: bool = True
    """Blobs need higher values than lines, and what the press repeats counts less; False in the published modes, which
    look at pixels alone."""
    allow: float = 0.0
    """Feature units below `seed` from which on regions are reported as faint. They change nothing of the others, nor
    whether some of those were left out."""


def find_regions(
    values: NDArray[np.float32],
    width: int,
    height: int,
    criteria: Criteria,
    zones: Weigher | None = None,
    around: Around | None = None,
) -> tuple[tuple[Region, ...], bool]:
    """The regions of a window, from the top down, and whether some that are not faint were left out.

    Args:
        values: feature values (h, w), one for each `scale` x `scale` px; masked ones are NaN, and what is not finite is
            no candidate.
        width: valid px of the window; the last values may reach beyond it.
        height: likewise.
        criteria: what makes a region.
        zones: those that the window touches; what a region gains there is added to its evidence.
        around: where the window lies in what is looked through for repetitions; None for the window alone.
    """
    if values.size == 0 or not math.isfinite(criteria.seed):
        return (), False
    candidates = (values >= criteria.grow).view(np.uint8)
    if not candidates.any():
        return (), False
    labels, stats, kept = _labelled(candidates, criteria)
    least = criteria.seed - criteria.allow
    plain: list[Region] = []
    faint: list[Region] = []
    around = around or Around(Repeats(values, criteria.scale), 0, 0)
    for group in _groups(values, labels, stats, kept, criteria):
        evidence = _evidence(group, criteria, least, zones)
        if evidence == math.inf:
            # No evidence, though what lies beside it may be. So rare that all is done again, not looked for before.
            finite = np.where(np.isinf(values), np.float32(np.nan), values)
            return find_regions(finite, width, height, criteria, zones, around)
        if evidence < least:
            continue
        if criteria.line_like and len(plain if evidence >= criteria.seed else faint) < _MOST_COMPARED:
            y, x = np.nonzero(group.inside)
            own = group.values[y, x]
            y, x = y + group.top + around.top, x + group.left + around.left
            evidence -= around.repeats.less(y, x, own, _strength(own))
            if evidence < least:
                continue
        region = _region(group, criteria.scale, width, height, score_of(evidence, criteria.floor))
        if evidence >= criteria.seed:
            plain.append(region)
        else:
            faint.append(replace(region, faint=True))
    regions = [*_worst(plain), *_worst(faint)]
    return tuple(sorted(regions, key=lambda region: (region.y, region.x))), len(plain) > MOST_REGIONS


class _Group(NamedTuple):
    """Connected candidates in the box around them."""

    values: NDArray[np.float32]
    """(h, w) of the box."""
    inside: NDArray[np.bool_]
    """Which of them are of the group."""
    left: int
    """Of the box, in values."""
    top: int


def _groups(
    values: NDArray[np.float32],
    labels: NDArray[np.int32],
    stats: NDArray[np.int32],
    kept: NDArray[np.int64],
    criteria: Criteria,
) -> Iterator[_Group]:
    """The kept groups; those of lines without what lies far below their best."""
    for index in kept:
        left, top, across, down = stats[index, :4].tolist()
        box = values[top : top + down, left : left + across]
        inside = labels[top : top + down, left : left + across] == index
        highest = float(box[inside].max())
        if not criteria.line_like or highest - _DEEP <= criteria.grow or math.isinf(highest):
            yield _Group(box, inside, left, top)
            continue
        high = (inside & (box >= highest - _DEEP)).view(np.uint8)
        count, parts, each, _ = cv2.connectedComponentsWithStats(high, connectivity=8, ltype=cv2.CV_32S)
        for part in range(1, count):
            x, y, wide, tall, area = each[part].tolist()
            if area * criteria.scale**2 >= criteria.least_area:
                here = np.s_[y : y + tall, x : x + wide]
                yield _Group(box[here], parts[here] == part, left + x, top + y)


def _labelled(
    candidates: NDArray[np.uint8], criteria: Criteria
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
    """Labels (h, w) of connected candidates, OpenCV's statistics of each, and which of them are large enough."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(candidates, connectivity=8, ltype=cv2.CV_32S)
    keep = stats[:, cv2.CC_STAT_AREA] * criteria.scale**2 >= criteria.least_area
    keep[0] = False
    if criteria.opening:
        kept = cv2.morphologyEx(keep[labels].astype(np.uint8), cv2.MORPH_OPEN, _DISK)
        count, labels, stats, _ = cv2.connectedComponentsWithStats(kept, connectivity=8, ltype=cv2.CV_32S)
        keep = np.ones(count, np.bool_)
        keep[0] = False
    return np.asarray(labels, np.int32), np.asarray(stats, np.int32), np.flatnonzero(keep)


def _evidence(group: _Group, criteria: Criteria, least: float, zones: Weigher | None) -> float:
    """What speaks for a group, feature units.

    -inf where neither its shape nor the zones can lift it to `least`; inf where a value of it is.
    """
    own = group.values[group.inside]
    highest = float(own.max())
    if math.isinf(highest):
        return highest
    rows, columns = group.inside.shape
    here = None if zones is None else zones.within(group.left, group.top, columns, rows)
    if highest + _bonus(_MOST_LINE) + (0.0 if here is None else here.most) < least:
        return -math.inf
    evidence = _strength(own) + _bonus(_elongation(group.inside)) if criteria.line_like else highest
    if here is not None:
        y, x = np.nonzero(group.inside)
        evidence += here(y + group.top, x + group.left)
    return evidence


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


def runs_of(inside: NDArray[np.bool_], left: int, top: int, scale: int, width: int, height: int) -> NDArray[np.int32]:
    """Runs of full-resolution px, (n, 3): y, first x, x after the last.

    Args:
        inside: (rows, columns) of a box of values, one for each `scale` x `scale` px.
        left: of the box, in values; likewise top.
        top: likewise.
        scale: px for one value along each axis.
        width: valid px of the window, which the last values may reach beyond.
        height: likewise.
    """
    edges = np.diff(inside.astype(np.int8), axis=1, prepend=0, append=0)
    rows, first = np.nonzero(edges == 1)
    _, last = np.nonzero(edges == -1)
    runs = np.stack(((rows + top) * scale, (first + left) * scale, (last + left) * scale), axis=1)
    runs = np.concatenate([runs + np.array((offset, 0, 0)) for offset in range(scale)])
    runs[:, 2] = np.minimum(runs[:, 2], width)
    runs = runs[(runs[:, 0] < height) & (runs[:, 1] < runs[:, 2])]
    return np.asarray(runs[np.lexsort((runs[:, 1], runs[:, 0]))], np.int32)


def _region(group: _Group, scale: int, width: int, height: int, score: float) -> Region:
    peak = int(np.argmax(np.where(group.inside, group.values, -np.inf)))
    peak_y, peak_x = divmod(peak, group.inside.shape[1])
    runs = runs_of(group.inside, group.left, group.top, scale, width, height)
    x, y = int(runs[:, 1].min()), int(runs[0, 0])
    return Region(
        x=x,
        y=y,
        width=int(runs[:, 2].max()) - x,
        height=int(runs[-1, 0]) + 1 - y,
        area=int((runs[:, 2] - runs[:, 1]).sum()),
        score=score,
        peak_x=min((group.left + peak_x) * scale, width - 1),
        peak_y=min((group.top + peak_y) * scale, height - 1),
        runs=runs.astype("<i4").tobytes(),
    )
