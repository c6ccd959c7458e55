"""Where the cracks of a sheet lie: in clusters on the raised zones, each apart from every other."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.sheets import reference
from simulator.sheets.cracks import CentreLine, Form, Patch, centre_line, paint
from simulator.sheets.relief import Relief
from simulator.sheets.truth import Crack

_RAISED = 0.3
_TRIES = 60

Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Room:
    """Where a crack may still lie."""

    relief: Relief
    margin: int
    apart: float
    taken: list[tuple[Points, float]]


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A crack that has found its place."""

    form: Form
    length: float
    angle: float
    points: Points
    half: float
    patch: Patch


def place_cracks(
    rng: np.random.Generator, relief: Relief, ranges: reference.Cracks, count: int, margin: int
) -> list[tuple[Crack, Patch]]:
    """Draw up to `count` cracks, fewer where no room is left; `margin` px along the edges stay free."""
    placed: list[tuple[Crack, Patch]] = []
    room = _Room(relief, margin, ranges.separation, [])
    column_mm = relief.product.column_mm
    cluster = 0
    for _ in range(20 * max(1, count)):
        if len(placed) >= count:
            break
        centre = _spot(rng, relief, margin, None, 0.0)
        if centre is None:
            continue
        before = len(placed)
        for _ in range(int(rng.integers(ranges.cluster_size[0], ranges.cluster_size[1] + 1))):
            if len(placed) >= count:
                break
            crack = _one(rng, relief, ranges, room, centre)
            if crack is not None:
                room.taken.append((crack.points, crack.half))
                placed.append((_known(crack, cluster, column_mm), crack.patch))
        cluster += len(placed) > before
    return placed


def _spot(
    rng: np.random.Generator, relief: Relief, margin: int, centre: tuple[float, float] | None, spread: float
) -> tuple[float, float] | None:
    """A raised place on the sheet, px, near `centre` where one is given."""
    product = relief.product
    for _ in range(_TRIES):
        if centre is None:
            x, y = rng.uniform(margin, product.columns - margin), rng.uniform(margin, product.rows - margin)
        else:
            radius, turn = spread * math.sqrt(rng.random()), rng.uniform(0, 2 * math.pi)
            x, y = centre[0] + radius * math.cos(turn), centre[1] + radius * math.sin(turn)
        inside = margin <= x < product.columns - margin and margin <= y < product.rows - margin
        if inside and relief.height(x, y) > _RAISED:
            return float(x), float(y)
    return None


def _one(
    rng: np.random.Generator,
    relief: Relief,
    ranges: reference.Cracks,
    room: _Room,
    centre: tuple[float, float],
) -> _Drawn | None:
    product = relief.product
    for _ in range(_TRIES):
        spot = _spot(rng, relief, room.margin, centre, ranges.cluster_spread)
        if spot is None:
            return None
        if rng.random() < ranges.any_angle_share:
            angle = rng.uniform(0, math.pi)
        else:
            angle = relief.ridge_angle(*spot) + math.radians(rng.normal(0, ranges.oblique_spread))
        form, length = _form(rng, ranges, product.column_mm)
        line = centre_line(rng, angle, length, abs(rng.normal(0, 0.15)))
        line = line.moved(spot[0] * product.column_mm, spot[1] * product.row_mm)
        half = form.width_mm / 2 / min(product.column_mm, product.row_mm)
        points = _points(line, product.column_mm, product.row_mm)
        if not _free(points, half, room):
            continue
        patch = paint(line, form, product.column_mm, product.row_mm, (product.rows, product.columns))
        if patch is None or not patch.inside.any():
            continue
        return _Drawn(form, length, angle, points, half, patch)
    return None


def _form(rng: np.random.Generator, ranges: reference.Cracks, column_mm: float) -> tuple[Form, float]:
    length = math.exp(rng.uniform(*np.log(ranges.length_mm)))
    widest = max(ranges.width[0], min(ranges.width[1], length / ranges.least_elongation / column_mm))
    width = rng.uniform(ranges.width[0], widest) * column_mm
    height = rng.uniform(*ranges.height)
    step = rng.uniform(*np.minimum(ranges.step, 0.95 * height))
    mirrored = bool(rng.random() < 0.5)
    return Form(width, height, step, rng.uniform(*ranges.decay) * column_mm, mirrored, rng.uniform(0.08, 0.2)), length


def _points(line: CentreLine, column_mm: float, row_mm: float) -> Points:
    xs, ys = line.points(49)
    return np.stack([xs / column_mm, ys / row_mm], axis=1)


def _free(points: Points, half: float, room: _Room) -> bool:
    product = room.relief.product
    low, high = points.min(axis=0) - half - room.margin, points.max(axis=0) + half + room.margin
    if low.min() < 0 or high[0] > product.columns or high[1] > product.rows:
        return False
    for port in room.relief.ports:
        away = np.hypot(points[:, 0] * product.column_mm - port.x, points[:, 1] * product.row_mm - port.y)
        if away.min() < 1.35 * port.radius:
            return False
    for other, other_half in room.taken:
        # Sampled points stand at most a few px apart along the lines: 8 px more than asked covers that.
        least = room.apart + half + other_half + 8
        near = other[(np.abs(other - points.mean(axis=0)) < np.ptp(points, axis=0) + least).all(axis=1)]
        if near.size and np.hypot(*(near[:, None] - points[None]).transpose(2, 0, 1)).min() < least:
            return False
    return True


def _known(crack: _Drawn, cluster: int, column_mm: float) -> Crack:
    patch, form = crack.patch, crack.form
    ys, xs = np.nonzero(patch.inside.any(axis=1))[0], np.nonzero(patch.inside.any(axis=0))[0]
    y0, y1, x0, x1 = int(ys[0]), int(ys[-1]) + 1, int(xs[0]), int(xs[-1]) + 1
    return Crack(
        x=patch.x + x0,
        y=patch.y + y0,
        width=x1 - x0,
        height=y1 - y0,
        length_mm=crack.length,
        width_mm=form.width_mm,
        width_px=form.width_mm / column_mm,
        height_grey=form.height,
        step=form.step,
        angle=math.degrees(crack.angle) % 180.0,
        mirrored=form.mirrored,
        cluster=cluster,
        polyline=tuple((float(x), float(y)) for x, y in crack.points[::6]),
        pixels=patch.inside[y0:y1, x0:x1].copy(),
    )
