"""Cracks as brittle or tough metal has them: they wander, thin out, fork, run in strands, break off and go on.

Three laws of form: a self-affine centre line (fracture lines of metals have a Hurst exponent of about 0.8: Bouchaud, J.
Phys. Condens. Matter 9, 1997), a zigzag from grain to grain, and the gentle bend of simulator.sheets.cracks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from simulator.crops.ridges import log_uniform
from simulator.sheets import textures
from simulator.sheets.cracks import Grey, profile

Mask = NDArray[np.bool_]

_LEAST_GREY, _LEAST_CONTRAST = 3.5, 1.6
_USUAL_AREA = 500.0
"""Px of a crack whose height must be the usual contrast times what disturbs it; larger ones are seen at less."""
_SEEN = 0.4
"""Share of a crack's height below which a stretch of it is not asked for."""
_REACH = 3.0
"""Half widths beyond which a crack adds nothing."""


@dataclass(frozen=True, slots=True)
class Form:
    """What the strands of one crack have in common."""

    height: float
    """Grey levels above the surroundings where the crack is strongest."""
    width: float
    """Px, the mean along the line."""
    roughness: float
    """Of the centre line: root mean square of its way across, as a share of its length."""
    section: str
    """`shoulder` (the closed form of simulator.sheets.cracks), `bell` or `flat`."""
    step: float
    """Of `shoulder`: grey levels at its far side."""
    soft: tuple[float, float]
    """Px over which each side of `flat` rises."""
    shadow: float
    """Share of the height by which the metal beside it is darker, on one side."""
    mirrored: bool
    uneven: float
    """Spread of strength and width along the line."""


class Strand(NamedTuple):
    """One line of a crack, about a point a px."""

    points: NDArray[np.float32]
    """(n, 2), x and y in px."""
    strength: Grey
    """(n,), share of the crack's height."""
    width: Grey
    """(n,), px."""


class Drawn(NamedTuple):
    """A crack as pixels of a box of the picture."""

    x: int
    y: int
    added: Grey
    """Grey levels."""
    strength: Grey
    """Share of the height at each pixel."""
    inside: Mask


def add_cracks(rng: np.random.Generator, picture: Grey, disturbance: Grey, ridges: float) -> tuple[Mask, Mask]:
    """Add cracks in place; their pixels, and those that cannot be asked for.

    Args:
        rng: draws their number, form and place.
        picture: grey levels (size, size), changed in place.
        disturbance: local standard deviation of what hides a crack (simulator.crops.wild.disturbance_of).
        ridges: direction, radians, along or across which half of the cracks lie.
    """
    size = picture.shape[0]
    mask, ignore = np.zeros(picture.shape, np.bool_), np.zeros(picture.shape, np.bool_)
    cluster = rng.random() < 0.15
    count = int(rng.integers(3, 8)) if cluster else int(rng.choice([1, 2, 3, 4], p=[0.5, 0.27, 0.15, 0.08]))
    middle = rng.uniform(0.15, 0.85, 2) * size
    way = rng.uniform(0, math.pi) if rng.random() < 0.5 else ridges
    for _ in range(count):
        form = any_form(rng)
        least = max(22.0, 2.2 * form.width)
        length = log_uniform(rng, least, 60) if rng.random() < 0.2 and least < 60 else log_uniform(rng, 40, 420)
        if rng.random() < 0.06:
            length = log_uniform(rng, 0.8 * size, 2.5 * size)
        angle = way + rng.choice([0, math.pi / 2]) + rng.normal(0, 0.15) if rng.random() < 0.55 else None
        place = middle + rng.normal(0, size / 7, 2) if cluster else rng.uniform(0.02, 0.98, 2) * size
        strands = crack(rng, form, length, rng.uniform(0, 2 * math.pi) if angle is None else float(angle))
        moved = [strand._replace(points=strand.points + np.float32(place)) for strand in strands]
        seen, inside = put(rng, picture, disturbance, form, moved)
        mask |= seen
        ignore |= inside
    return mask, ignore & ~mask


def any_form(rng: np.random.Generator) -> Form:
    """A crack's form, from smooth to as rough as a brittle one; now and then far stronger than the usual 7-46."""
    width = log_uniform(rng, 4.5, 9) if rng.random() < 0.45 else rng.uniform(6, 20)
    height = log_uniform(rng, 7, 46) if rng.random() < 0.8 else log_uniform(rng, 30, 150)
    roughness = log_uniform(rng, 0.002, 0.13) if rng.random() < 0.8 else 0.0
    return Form(
        height=height,
        width=width,
        roughness=roughness,
        section=str(rng.choice(["shoulder", "bell", "flat"], p=[0.4, 0.3, 0.3])),
        step=min(rng.uniform(0, 22), rng.uniform(0, 0.8) * height) if rng.random() < 0.8 else 0.0,
        soft=(log_uniform(rng, 0.8, 0.5 * width), log_uniform(rng, 0.8, 0.5 * width)),
        shadow=rng.uniform(0.1, 0.6) if rng.random() < 0.12 else 0.0,
        mirrored=bool(rng.random() < 0.5),
        uneven=rng.uniform(0.05, 0.5) if rng.random() < 0.8 else 0.0,
    )


def crack(rng: np.random.Generator, form: Form, length: float, angle: float) -> list[Strand]:
    """The strands of a crack about the origin: its line, seldom cut by gaps, with forks and lines beside it."""
    line = _turned(_centre_line(rng, length, form.roughness), angle)
    strands = [_strand(rng, form, line, gaps=rng.random() < 0.3)]
    if length > 50 and rng.random() < 0.22 + 1.5 * form.roughness:
        forks = int(rng.choice([1, 2, 3], p=[0.6, 0.3, 0.1]))
        strands += [_fork(rng, form, line, length) for _ in range(forks)]
    if length > 40 and rng.random() < 0.12:
        strands.append(_beside(rng, form, line))
    return strands


def contrast_for(width: float, length: float) -> float:
    """How many times the usual contrast a crack of that size, px, needs to be seen."""
    return min(1.7, max(0.7, math.sqrt(_USUAL_AREA / (width * min(length, 90)))))


def put(
    rng: np.random.Generator, picture: Grey, disturbance: Grey, form: Form, strands: list[Strand]
) -> tuple[Mask, Mask]:
    """Add a crack in place; its pixels that can be seen, and all of them."""
    seen, inside = np.zeros(picture.shape, np.bool_), np.zeros(picture.shape, np.bool_)
    length = max(len(strand.points) for strand in strands)
    needed = _LEAST_CONTRAST * contrast_for(form.width, length)
    total = np.zeros(picture.shape, np.float32)
    for strand in strands:
        drawn = draw(form, strand, picture.shape)
        if drawn is None:
            continue
        rows, columns = drawn.added.shape
        place = (slice(drawn.y, drawn.y + rows), slice(drawn.x, drawn.x + columns))
        visible = np.minimum(drawn.strength * np.float32(form.height), np.clip(248 - picture[place], 0, None))
        clear = (visible > np.maximum(_LEAST_GREY, needed * disturbance[place])) & (drawn.strength > _SEEN)
        seen[place] |= drawn.inside & clear
        inside[place] |= drawn.inside
        total[place] = np.where(np.abs(drawn.added) > np.abs(total[place]), drawn.added, total[place])
    if rng.random() < 0.4:  # the metal's own grain shows in it
        total *= np.clip(1 + np.float32(0.25) * textures.cut(rng, "coarse", max(picture.shape)), 0.3, 1.7)[
            : picture.shape[0], : picture.shape[1]
        ]
    picture += total
    return seen, inside


def draw(form: Form, strand: Strand, shape: tuple[int, ...]) -> Drawn | None:
    """The pixels of a strand in a picture of that shape; None where none lies inside."""
    reach = math.ceil(_REACH * float(strand.width.max()) / 2) + 8
    low, high = np.floor(strand.points.min(0)) - reach, np.ceil(strand.points.max(0)) + reach + 1
    x0, y0 = max(0, int(low[0])), max(0, int(low[1]))
    x1, y1 = min(shape[1], int(high[0])), min(shape[0], int(high[1]))
    if x1 <= x0 or y1 <= y0:
        return None
    # Nearest points are looked for in a box that holds those just outside of the picture, too.
    left, top = max(int(low[0]), x0 - reach), max(int(low[1]), y0 - reach)
    right, bottom = min(int(high[0]), x1 + reach), min(int(high[1]), y1 + reach)
    at = np.round(strand.points).astype(np.int64) - (left, top)
    there = (at[:, 0] >= 0) & (at[:, 1] >= 0) & (at[:, 0] < right - left) & (at[:, 1] < bottom - top)
    if not there.any():
        return None
    nearest = _nearest(at[there], np.flatnonzero(there), (bottom - top, right - left))
    nearest = nearest[y0 - top : y1 - top, x0 - left : x1 - left]
    away, beyond = _distances(strand.points, nearest, x0, y0)
    width = strand.width[nearest]
    strength = strand.strength[nearest] * np.exp(-np.square(beyond / np.float32(1.2)))
    inside = (np.abs(away) <= width / 2) & (beyond < 1)
    return Drawn(x0, y0, _section(form, away, width) * strength, strength, inside)


def _nearest(at: NDArray[np.int64], index: NDArray[np.int64], shape: tuple[int, int]) -> NDArray[np.int64]:
    """Of each pixel the index of the point that lies nearest."""
    free = np.ones(shape, np.uint8)
    free[at[:, 1], at[:, 0]] = 0
    _, labels = cv2.distanceTransformWithLabels(free, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    of_label = np.zeros(int(labels.max()) + 1, np.int64)
    of_label[labels[at[:, 1], at[:, 0]]] = index
    return np.asarray(of_label[labels], np.int64)


def _distances(points: NDArray[np.float32], nearest: NDArray[np.int64], x0: int, y0: int) -> tuple[Grey, Grey]:
    """Signed distance of each pixel from the line, and how far it lies beyond an end of it; px."""
    smooth = np.asarray(cv2.GaussianBlur(points[:, None], (1, 13), 3, borderType=cv2.BORDER_REPLICATE)[:, 0])
    way = np.gradient(smooth, axis=0) if len(points) > 1 else np.ones_like(points)
    way = (way / np.maximum(np.hypot(way[:, :1], way[:, 1:]), 1e-6)).astype(np.float32)
    rows, columns = nearest.shape
    dx = np.arange(x0, x0 + columns, dtype=np.float32)[None, :] - points[nearest, 0]
    dy = np.arange(y0, y0 + rows, dtype=np.float32)[:, None] - points[nearest, 1]
    along = dx * way[nearest, 0] + dy * way[nearest, 1]
    across = dy * way[nearest, 0] - dx * way[nearest, 1]
    beyond = np.where(nearest == 0, -along, np.where(nearest == len(points) - 1, along, 0)).clip(0)
    # Points are a px apart, so up to half a px along the line is no distance from it.
    off = np.sqrt(np.maximum(dx * dx + dy * dy - np.minimum(along * along, np.float32(0.5)), 0))
    return np.copysign(np.where(beyond > 0, np.abs(across), off), across), beyond.astype(np.float32)


def _section(form: Form, away: Grey, width: Grey) -> Grey:
    """Grey levels across the line at signed distances from it."""
    if form.mirrored:
        away = -away
    if form.section == "shoulder":
        added: NDArray[np.floating[Any]] = profile(away, width, form.height, form.step, 0.25 * form.width)
    elif form.section == "bell":
        added = np.float32(form.height) * np.exp(-np.square(away / (np.float32(0.45) * width)))
    else:
        soft = np.where(away < 0, np.float32(form.soft[0]), np.float32(form.soft[1]))
        added = np.float32(form.height) * np.clip((width / 2 - np.abs(away)) / soft + np.float32(0.5), 0, 1)
    if form.shadow:
        beside = (away - width * np.float32(0.9)) / (np.float32(0.45) * width)
        added = added - np.float32(form.shadow * form.height) * np.exp(-np.square(beside))
    return np.asarray(added, np.float32)


def _strand(
    rng: np.random.Generator, form: Form, points: NDArray[np.float32], *, gaps: bool, root: bool = False
) -> Strand:
    """A line with strength and width along it; where it starts at a `root` it does not fade there."""
    count = len(points)
    strength = np.ones(count, np.float32) + np.float32(form.uneven) * _wander(rng, count)
    width = np.float32(form.width) * (1 + np.float32(0.8 * form.uneven) * _wander(rng, count))
    place = np.linspace(0, 1, count, dtype=np.float32)
    for end, away in ((0, place), (1, 1 - place)):
        if root and end == 0:
            continue
        taper = log_uniform(rng, 0.03, 0.5) if rng.random() < 0.7 else 0.01
        share = np.clip(away / np.float32(taper), 0, 1)
        if rng.random() < 0.75:
            strength = strength * (share * share * (3 - 2 * share))
        width = width * (np.float32(0.45) + np.float32(0.55) * np.sqrt(share))
    if gaps:
        for _ in range(int(rng.integers(1, 4))):
            middle, half = rng.uniform(0, count), log_uniform(rng, 1.5, 14)
            off = np.abs(np.arange(count, dtype=np.float32) - np.float32(middle)) - np.float32(half)
            least = np.float32(rng.choice([0.0, 0.2]))
            strength = strength * np.clip(off / np.float32(3) + np.float32(0.5), least, 1)
    return Strand(points, np.clip(strength, 0, 1.4).astype(np.float32), np.maximum(width, 2.5).astype(np.float32))


def _wander(rng: np.random.Generator, count: int) -> Grey:
    """Noise of unit spread along a line."""
    step = log_uniform(rng, 5, 60)
    few = rng.standard_normal(math.ceil(count / step) + 2).astype(np.float32)
    return np.interp(np.arange(count) / step, np.arange(few.size), few).clip(-1.8, 1.8).astype(np.float32)


def _fork(rng: np.random.Generator, form: Form, line: NDArray[np.float32], length: float) -> Strand:
    """A weaker line that leaves another one."""
    start = int(rng.uniform(0.1, 0.9) * (len(line) - 1))
    ahead = line[min(start + 6, len(line) - 1)] - line[max(start - 6, 0)]
    angle = math.atan2(float(ahead[1]), float(ahead[0])) + rng.choice([-1, 1]) * rng.uniform(0.3, 1.2)
    branch = _centre_line(rng, max(14.0, length * rng.uniform(0.1, 0.5)), form.roughness)
    branch = _turned(branch - branch[0], angle + (math.pi if rng.random() < 0.3 else 0)) + line[start]
    strand = _strand(rng, form, branch.astype(np.float32), gaps=False, root=True)
    share = np.float32(rng.uniform(0.5, 1))
    return strand._replace(strength=strand.strength * share, width=np.maximum(strand.width * share, 2.5))


def _beside(rng: np.random.Generator, form: Form, line: NDArray[np.float32]) -> Strand:
    """A strand that runs along another one, a few widths away."""
    first = int(rng.uniform(0, 0.5) * len(line))
    part = line[first : max(first + 12, int(rng.uniform(0.5, 1) * len(line)))]
    way = part[-1] - part[0]
    normal = np.array((-way[1], way[0]), np.float32) / max(1.0, float(np.hypot(*way)))
    wander = _wander(rng, len(part))[:, None] * np.float32(0.3 * form.width)
    apart = np.float32(rng.choice([-1, 1]) * rng.uniform(1.3, 3) * form.width)
    return _strand(rng, form, (part + normal * (apart + wander)).astype(np.float32), gaps=rng.random() < 0.3)


def _centre_line(rng: np.random.Generator, length: float, roughness: float) -> NDArray[np.float32]:
    """A line about the origin along x, one point a px of its way: (n, 2)."""
    count = max(8, int(length))
    along = np.linspace(-length / 2, length / 2, count)
    across = rng.normal(0, 0.08) * length * np.square(2 * along / length)  # the gentle bend
    if roughness:
        if rng.random() < 0.65:
            across = across + _self_affine(rng, count) * roughness * length ** rng.uniform(0.85, 1)
        else:
            across = across + _zigzag(rng, count, roughness)
    return _resampled(np.stack((along, across), 1))


def _self_affine(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """A self-affine line of unit spread, by its spectrum; it starts and ends anywhere."""
    hurst = rng.uniform(0.55, 0.95)
    wave = np.arange(1, count + 1, dtype=np.float64)
    spectrum = wave ** -(hurst + 0.5) * np.exp(2j * np.pi * rng.random(count))
    line = np.fft.irfft(np.concatenate(([0], spectrum)), 2 * count)[:count]
    line = line - np.linspace(line[0], line[-1], count)
    return np.asarray(line / max(float(line.std()), 1e-9))


def _zigzag(rng: np.random.Generator, count: int, roughness: float) -> NDArray[np.float64]:
    """From grain to grain: straight pieces that lean to one side and to the other."""
    grain = log_uniform(rng, 6, 45)
    pieces = np.maximum(2, rng.exponential(grain, math.ceil(3 * count / grain) + 4).astype(int))
    lean = rng.normal(0, 1, pieces.size) * min(1.2, 8 * roughness)
    lean[1::2] = -np.abs(lean[1::2])
    lean[0::2] = np.abs(lean[0::2])
    slope = np.repeat(lean, pieces)[:count]
    total = np.cumsum(np.pad(slope, (0, max(0, count - slope.size)), mode="edge"))
    return np.asarray(total - np.linspace(total[0], total[-1], count), np.float64)


def _resampled(points: NDArray[np.float64]) -> NDArray[np.float32]:
    """The same line with a point each px of its way."""
    way = np.concatenate(([0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))))
    at = np.arange(0, way[-1] + 1e-9, 1.0)
    if at.size < 3:
        at = np.linspace(0, way[-1], 3)
    return np.stack([np.interp(at, way, points[:, axis]) for axis in (0, 1)], 1).astype(np.float32)


def _turned(points: NDArray[np.float32], angle: float) -> NDArray[np.float32]:
    cos, sin = math.cos(angle), math.sin(angle)
    return (points @ np.array(((cos, sin), (-sin, cos)), np.float32)).astype(np.float32)
