"""Defects: the regions of all windows of a plate, joined where they are one line.

Two steps, both independent of the order in which windows arrive:

1. regions whose pixels overlap or touch (8-neighbours) in plate coordinates are one group. This joins what
   neighbouring windows saw of one line in the strip of pixels they share, whatever the IoU of the two boxes.
2. groups that continue each other are one defect: an end of one lies within `join_gap` px of an end of the other,
   their directions agree, and so does the vector from end to end. Parallel neighbours side by side stay apart.

Everything is computed on runs of pixels, never on images: a few ms for a usual plate.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import cos, radians, tan
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from config.schema import Recipe
from models.detector.findings import Region
from stages.opinions import Opinion, Peak, with_opinions
from stages.plate import Defect, WindowResult, window_columns

ALIGNED_DEGREES = 30.0
"""Most by which two directions may differ and still be one."""
ELONGATED = 2.0
"""Least ratio of a group's two standard deviations for its direction to mean anything."""
SLACK = 2.0
"""px by which an end may be misplaced by the pixel raster."""
_PAIRS_AT_ONCE = 1 << 20

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Runs:
    """Disjoint runs of a plate's flagged pixels in reading order, each with the group it belongs to."""

    y: Ints
    first: Ints
    last: Ints
    """x after the last pixel."""
    group: Ints


class _Ends(NamedTuple):
    """Both ends of each group: two rows, the end and the opposite one, of each of n groups."""

    x: Floats
    y: Floats
    out_x: Floats
    out_y: Floats
    """Unit vector that leaves the group at that end."""
    directed: NDArray[np.bool_]
    """Shape (n,): whether the group is long enough to have a direction."""


def defects_of(
    results: Iterable[WindowResult],
    rows: int,
    columns: int,
    recipe: Recipe,
    opinions: Mapping[Peak, Opinion] | None = None,
) -> tuple[Defect, ...]:
    """The defects of a plate of rows x columns px from the results of its windows, in any order.

    Sorted by y, then x. Pixels that several windows report count once in the area; the score is the highest of the
    regions', the peak is the peak of that region. Sizes in mm are None where the recipe has no pitch. What lies
    outside the plate is ignored. `opinions` are the classifier's answers by the peaks of the regions, None where it was
    not asked: a defect has the highest of its regions', and where that was seen. A faint region without an answer is
    left out, so that without any answer the defects are those of a detector that reports none.
    """
    regions, runs_of, x0, y0 = _collect(results, columns, recipe, {} if opinions is None else opinions)
    if not regions:
        return ()
    y, first, last, region = _flatten(runs_of, x0, y0, rows, columns)
    if y.size == 0:
        return ()
    runs, group_of_region = _touching(y, first, last, region, regions=len(regions), columns=columns)
    groups = int(runs.group.max()) + 1
    defect_of_group = _continued(runs, groups, recipe.post.join_gap)
    seen = group_of_region >= 0
    owner = np.full(len(regions), -1, np.int64)
    owner[seen] = defect_of_group[group_of_region[seen]]
    found = _describe(
        runs, defect_of_group[runs.group], regions, owner, x0=x0, y0=y0, rows=rows, columns=columns, recipe=recipe
    )
    if opinions is not None:
        peaks = [(r.peak_x + int(x), r.peak_y + int(y)) for r, x, y in zip(regions, x0, y0, strict=True)]
        found = with_opinions(found, regions, peaks, owner.tolist(), opinions, recipe.decision.ng_score)
    return tuple(sorted(found, key=lambda d: (d.y, d.x, d.height, d.width, d.peak_y, d.peak_x)))


def _collect(
    results: Iterable[WindowResult], columns: int, recipe: Recipe, opinions: Mapping[Peak, Opinion]
) -> tuple[list[Region], list[bytes], Ints, Ints]:
    """The regions that may be defects, window by window, their runs, and the plate coordinates of their windows."""
    across = max(1, window_columns(columns, recipe.windows))
    regions: list[Region] = []
    origins: list[tuple[int, int]] = []
    for result in sorted(results, key=lambda r: r.window):
        row, column = divmod(result.window, across)
        x, y = column * recipe.windows.stride, row * recipe.windows.stride
        taken = [r for r in result.regions if not r.faint or (x + r.peak_x, y + r.peak_y) in opinions]
        regions += taken
        origins += [(x, y)] * len(taken)
    origin = np.array(origins, np.int64).reshape(-1, 2)
    return regions, [r.runs or _box_runs(r) for r in regions], origin[:, 0], origin[:, 1]


def _box_runs(region: Region) -> bytes:
    """The box of a region that came without runs: a defect is never lost for want of its outline."""
    ys = np.arange(region.y, region.y + region.height)
    return (
        np.stack([ys, np.full_like(ys, region.x), np.full_like(ys, region.x + region.width)], 1).astype("<i4").tobytes()
    )


def _flatten(runs_of: list[bytes], x0: Ints, y0: Ints, rows: int, columns: int) -> tuple[Ints, Ints, Ints, Ints]:
    """y, first x, x after the last, region index of all runs in plate coordinates, cut to the plate."""
    flat = np.frombuffer(b"".join(runs_of), "<i4").reshape(-1, 3).astype(np.int64)
    counts = np.fromiter((len(runs) // 12 for runs in runs_of), np.int64, len(runs_of))
    region = np.repeat(np.arange(len(runs_of)), counts)
    y = flat[:, 0] + y0[region]
    first = np.maximum(flat[:, 1] + x0[region], 0)
    last = np.minimum(flat[:, 2] + x0[region], columns)
    inside = (y >= 0) & (y < rows) & (first < last)
    if inside.all():
        return y, first, last, region
    return y[inside], first[inside], last[inside], region[inside]


def _touching(y: Ints, first: Ints, last: Ints, region: Ints, *, regions: int, columns: int) -> tuple[_Runs, Ints]:
    """Disjoint runs with their groups, and the group of each region (-1: it has no run)."""
    # A pixel's place on one long line; the rows lie `pitch` apart, so that they never touch along it.
    pitch = columns + 2
    start = y * pitch + first
    order = np.argsort(start, kind="stable")
    start, end, region = start[order], (y * pitch + last)[order], region[order]
    reach = np.maximum.accumulate(end)
    opens = np.concatenate([[True], start[1:] > reach[:-1]])
    # All runs between two openings are one stretch of pixels.
    heads = np.flatnonzero(opens)
    merged_start, merged_end = start[heads], np.maximum.reduceat(end, heads)
    same = np.flatnonzero(~opens)
    # 8-neighbours in the row below: it starts no later than this ends, and ends no earlier than this starts.
    low = np.searchsorted(merged_end, merged_start + pitch, "left")
    high = np.searchsorted(merged_start, merged_end + pitch, "right")
    upper, lower = _expand(low, high)
    any_region = region[heads]
    root = _union(
        regions,
        np.concatenate([region[same], any_region[upper]]),
        np.concatenate([region[same - 1], any_region[lower]]),
    )
    # Groups are numbered by their first pixel in reading order, which no order of arrival changes.
    roots = root[any_region]
    group = _in_order(roots)
    group_of_root = np.full(regions, -1, np.int64)
    group_of_root[roots] = group
    merged_y, merged_first = np.divmod(merged_start, pitch)
    return _Runs(merged_y, merged_first, merged_end - merged_y * pitch, group), group_of_root[root]


def _expand(low: Ints, high: Ints) -> tuple[Ints, Ints]:
    """All pairs (i, j) with low[i] <= j < high[i]."""
    counts = np.maximum(high - low, 0)
    i = np.repeat(np.arange(low.size), counts)
    within = np.arange(i.size) - np.repeat(np.cumsum(counts) - counts, counts)
    return i, low[i] + within


def _in_order(labels: Ints) -> Ints:
    """The labels renumbered 0, 1, ... by their first occurrence."""
    values, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(values.size, np.int64)
    rank[np.argsort(first)] = np.arange(values.size)
    return rank[inverse]


def _union(count: int, left: Ints, right: Ints) -> Ints:
    """Root of each of `count` elements after joining the pairs; the smallest member is the root."""
    parent = list(range(count))
    apart = left != right
    if apart.any():
        pairs = np.unique(np.minimum(left, right)[apart] * count + np.maximum(left, right)[apart])
        for pair in pairs.tolist():
            a, b = divmod(pair, count)
            while parent[a] != a:
                parent[a] = parent[parent[a]]
                a = parent[a]
            while parent[b] != b:
                parent[b] = parent[parent[b]]
                b = parent[b]
            if a != b:
                parent[max(a, b)] = min(a, b)
        # A parent is never greater than its child, so one pass upwards settles all.
        for i in range(count):
            parent[i] = parent[parent[i]]
    return np.array(parent, np.int64)


def _continued(runs: _Runs, groups: int, gap: float) -> Ints:
    """The defect of each group, after joining groups that continue each other."""
    if gap <= 0 or groups < 2:
        return np.arange(groups)
    ends = _ends_of(runs, groups)
    left: list[Ints] = []
    right: list[Ints] = []
    for a, b in _near(ends.x.ravel(), ends.y.ravel(), gap):
        joined = _continue_each_other(ends, a, b, groups, gap)
        left.append(a[joined] % groups)
        right.append(b[joined] % groups)
    if not left:
        return np.arange(groups)
    return _in_order(_union(groups, np.concatenate(left), np.concatenate(right)))


def _ends_of(runs: _Runs, groups: int) -> _Ends:
    """Where each group's centre line ends, along the principal axis of its pixels."""
    group = runs.group

    def summed(values: Floats) -> Floats:
        return np.bincount(group, values, groups).astype(np.float64, copy=False)

    width = (runs.last - runs.first).astype(np.float64)
    middle = (runs.first + runs.last - 1) / 2.0
    height = runs.y.astype(np.float64)
    area = summed(width)
    cx, cy = summed(width * middle) / area, summed(width * height) / area
    dx, dy = middle - cx[group], height - cy[group]
    # The pixels of a run spread by (n^2 - 1) / 12 about its middle, a pixel itself by 1/12.
    xx = summed(width * (dx * dx + (width * width - 1) / 12)) / area + 1 / 12
    yy = summed(width * dy * dy) / area + 1 / 12
    xy = summed(width * dx * dy) / area
    angle = 0.5 * np.arctan2(2 * xy, xx - yy)
    ux, uy = np.cos(angle), np.sin(angle)
    half, mid = np.hypot((xx - yy) / 2, xy), (xx + yy) / 2
    minor = np.sqrt(np.maximum(mid - half, 1 / 12))
    directed = np.sqrt(mid + half) >= ELONGATED * minor

    # Both end pixels of each run, along (t) and across (s) the axis.
    both = np.concatenate([group, group])
    ox = np.concatenate([runs.first, runs.last - 1]) - cx[both]
    oy = np.concatenate([height, height]) - cy[both]
    t = ox * ux[both] + oy * uy[both]
    s = oy * ux[both] - ox * uy[both]
    xs, ys = [], []
    for sign in (1.0, -1.0):
        reach = np.full(groups, -np.inf)
        np.maximum.at(reach, both, sign * t)
        # The end of the centre line: as far as the farthest pixel, in the middle of the cap.
        cap = sign * t >= (reach - minor - 1.0)[both]
        across = np.bincount(both[cap], s[cap], groups) / np.bincount(both[cap], minlength=groups)
        xs.append(cx + sign * reach * ux - across * uy)
        ys.append(cy + sign * reach * uy + across * ux)
    return _Ends(np.stack(xs), np.stack(ys), np.stack([ux, -ux]), np.stack([uy, -uy]), directed)


def _near(x: Floats, y: Floats, gap: float) -> Iterable[tuple[Ints, Ints]]:
    """All pairs of points that may lie nearer than `gap` to each other, each pair once, some at a time."""
    side = max(gap, 1.0)
    cx, cy = np.floor(x / side).astype(np.int64) + 1, np.floor(y / side).astype(np.int64) + 1
    pitch = int(cx.max()) + 3
    cell = cy * pitch + cx
    order = np.argsort(cell, kind="stable")
    cell = cell[order]
    # The cell itself (points after this one), the next to the right, and the three in the row below.
    for shift_low, shift_high in ((None, 1), (pitch - 1, pitch + 1)):
        low = np.arange(1, cell.size + 1) if shift_low is None else np.searchsorted(cell, cell + shift_low, "left")
        high = np.searchsorted(cell, cell + shift_high, "right")
        total = np.cumsum(np.maximum(high - low, 0))
        begin = 0
        while begin < cell.size:
            base = int(total[begin - 1]) if begin else 0
            stop = max(begin + 1, int(np.searchsorted(total, base + _PAIRS_AT_ONCE, "right")))
            i, j = _expand(low[begin:stop], high[begin:stop])
            if i.size:
                yield order[i + begin], order[j]
            begin = stop


def _continue_each_other(ends: _Ends, a: Ints, b: Ints, groups: int, gap: float) -> NDArray[np.bool_]:
    """Whether the line that ends at a goes on at b: near, in one direction, and ahead of each other."""
    x, y, out_x, out_y = (v.ravel() for v in ends[:4])
    wx, wy = x[b] - x[a], y[b] - y[a]
    near = (wx * wx + wy * wy < gap * gap) & (a % groups != b % groups)
    directed_a, directed_b = ends.directed[a % groups], ends.directed[b % groups]
    # Leaving a is arriving at b, so the two outward vectors oppose each other.
    opposed = out_x[a] * out_x[b] + out_y[a] * out_y[b] <= -cos(radians(ALIGNED_DEGREES))
    aligned = np.where(directed_a & directed_b, opposed, directed_a | directed_b)

    def ahead(px: Floats, py: Floats) -> NDArray[np.bool_]:
        along, across = wx * px + wy * py, np.abs(wx * py - wy * px)
        is_ahead: NDArray[np.bool_] = (along >= -SLACK) & (
            across <= SLACK + np.maximum(along, 0.0) * tan(radians(ALIGNED_DEGREES))
        )
        return is_ahead

    joined: NDArray[np.bool_] = near & aligned
    joined &= ~directed_a | ahead(out_x[a], out_y[a])
    joined &= ~directed_b | ahead(-out_x[b], -out_y[b])
    return joined


def _describe(
    runs: _Runs,
    label: Ints,
    regions: list[Region],
    owner: Ints,
    *,
    x0: Ints,
    y0: Ints,
    rows: int,
    columns: int,
    recipe: Recipe,
) -> list[Defect]:
    """The defects: boxes and areas from their runs, scores and peaks from their regions."""
    order = np.argsort(label, kind="stable")
    heads = np.flatnonzero(np.diff(label[order], prepend=-1))
    y, first, last = runs.y[order], runs.first[order], runs.last[order]
    left, right = np.minimum.reduceat(first, heads).tolist(), np.maximum.reduceat(last, heads).tolist()
    top, bottom = np.minimum.reduceat(y, heads).tolist(), (np.maximum.reduceat(y, heads) + 1).tolist()
    area = np.add.reduceat(last - first, heads).tolist()
    # The best region of each defect: highest score (one that is no number above all), then the first in reading order.
    score = np.array([region.score for region in regions])
    peak_x, peak_y = (np.array([(r.peak_x, r.peak_y) for r in regions], np.int64) + np.stack([x0, y0], 1)).T
    ranked = np.lexsort((peak_x, peak_y, np.where(np.isnan(score), -np.inf, -score), owner))
    ranked = ranked[owner[ranked] >= 0]
    best = ranked[np.flatnonzero(np.diff(owner[ranked], prepend=-1))]
    scores, peaks_x, peaks_y = score[best].tolist(), peak_x[best].tolist(), peak_y[best].tolist()
    band = recipe.edge_band
    mm = (recipe.pitch.column_mm, recipe.pitch.row_mm) if recipe.pitch else None
    defects = []
    for i in range(heads.size):
        x, y_, w, h = left[i], top[i], right[i] - left[i], bottom[i] - top[i]
        defects.append(
            Defect(
                x=x,
                y=y_,
                width=w,
                height=h,
                area=area[i],
                score=scores[i],
                peak_x=peaks_x[i],
                peak_y=peaks_y[i],
                edge=x < band or y_ < band or x + w > columns - band or y_ + h > rows - band,
                x_mm=x * mm[0] if mm else None,
                y_mm=y_ * mm[1] if mm else None,
                width_mm=w * mm[0] if mm else None,
                height_mm=h * mm[1] if mm else None,
            )
        )
    return defects
