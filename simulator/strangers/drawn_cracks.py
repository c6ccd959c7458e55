"""Cracks of the drawn family: strands along a path, and where on a sheet they fit."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from simulator.strangers.drawn_forms import COARSE
from simulator.strangers.drawn_noise import Field, nearest, patchy, process
from simulator.strangers.drawn_paths import FREE, Path, along_ridge, even

APART = 80
"""Least distance between two instances, px."""
_EDGE = 30
_TRIES = 60


@dataclass(frozen=True)
class Ground:
    """What a sheet offers to cracks, in samples of COARSE px, but for `guide`'s unit, px.

    Attributes:
        noise: local deviation of the clean sheet, with the camera's noise; grey levels.
        level: local grey level.
        guide: px across the nearest ridge.
        shut: where no crack may be: under dark stains.
    """

    noise: Field
    level: Field
    guide: Field
    shut: NDArray[np.bool_]


@dataclass(frozen=True)
class Strand:
    """A line of a crack: its path, its strength along it and its half width along it (px)."""

    path: Path
    strength: Field
    half: Field


def crack(
    rng: np.random.Generator, cracks: int, ground: Ground, shape: tuple[int, int]
) -> tuple[Field, NDArray[np.uint16]]:
    """Draws up to `cracks` cracks.

    Returns:
        Grey levels to add, float32, and the instances, both of `shape`. There are fewer where no more fit.
    """
    added, instances = np.zeros(shape, np.float32), np.zeros(shape, np.uint16)
    shut, made, last = ground.shut.copy(), 0, None
    for _ in range(_TRIES * cracks):
        if made == cracks:
            break
        near = last if last is not None and rng.random() < 0.25 else None
        found = _place(rng, ground, shut, shape, near)
        if found is None:
            continue
        left, top, delta, mask = found
        part = np.s_[top : top + mask.shape[0], left : left + mask.shape[1]]
        made += 1
        added[part] += delta
        instances[part][mask] = made
        _close(shut, mask, left, top)
        last = (left + mask.shape[1] / 2, top + mask.shape[0] / 2)
    return added, instances


def _place(
    rng: np.random.Generator,
    ground: Ground,
    shut: NDArray[np.bool_],
    shape: tuple[int, int],
    near: tuple[float, float] | None,
) -> tuple[int, int, Field, NDArray[np.bool_]] | None:
    """One try: left, top, grey levels and mask of a crack that fits; None if it does not."""
    rows, columns = shape
    start = rng.uniform(_EDGE, [columns - _EDGE, rows - _EDGE])
    if near is not None:
        start = np.clip(rng.normal(near, 170), _EDGE, [columns - _EDGE, rows - _EDGE])
    length = float(np.exp(rng.uniform(np.log(20), np.log(400))))
    if length > 40 and rng.random() < 0.4:
        path = along_ridge(rng, ground.guide, start, length)
    else:
        path = FREE[int(rng.integers(0, len(FREE)))](rng, rng.uniform(0, 6.3), length)
    strands = _strands(rng, path, float(np.clip(rng.normal(4.9, 1.5), 3.2, 7.4)))
    every = np.concatenate([strand.path for strand in strands]) + start
    at = (every / COARSE).astype(int)
    inside = (every > _EDGE).all() and (every < [columns - _EDGE, rows - _EDGE]).all()
    if not inside or shut[at[:, 1], at[:, 0]].any():
        return None
    noise = float(np.quantile(ground.noise[at[:, 1], at[:, 0]], 0.7))
    bold = rng.random() < 0.06
    least, times = (11, 3) if length < 50 else (7.5, 2.2)  # a short one needs more to be seen
    contrast = max(least, times * noise, float(np.exp(rng.uniform(np.log(8), np.log(70 if bold else 40)))))
    if contrast > (70 if bold else 46) or float(np.quantile(ground.level[at[:, 1], at[:, 0]], 0.8)) + contrast > 235:
        return None
    left, top = (int(v) - 24 for v in every.min(0))
    wide, high = (int(v) + 24 for v in every.max(0) - [left, top])
    delta, mask = _drawn(rng, strands, start - [left, top], (high, wide))
    if mask.sum() < 60 or left < 0 or top < 0 or left + wide > columns or top + high > rows:
        return None
    delta *= contrast / float(delta[mask].mean())
    return left, top, np.asarray(delta, np.float32), mask


def _close(shut: NDArray[np.bool_], mask: NDArray[np.bool_], left: int, top: int) -> None:
    """Shuts what is nearer than APART to a new crack."""
    whole = np.zeros(shut.shape, np.uint8)
    y, x = np.nonzero(mask)
    whole[np.minimum((y + top) // COARSE, shut.shape[0] - 1), np.minimum((x + left) // COARSE, shut.shape[1] - 1)] = 1
    reach = (APART + 24) // COARSE + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    y0, x0 = max(top // COARSE - reach, 0), max(left // COARSE - reach, 0)
    part = np.s_[
        y0 : (top + mask.shape[0]) // COARSE + reach + 2,
        x0 : (left + mask.shape[1]) // COARSE + reach + 2,
    ]
    shut[part] |= cv2.dilate(whole[part], kernel).astype(bool)


def _strands(rng: np.random.Generator, path: Path, half: float) -> list[Strand]:
    """The strands of a crack: the main one, its forks, strands beside it."""
    strands = [_strand(rng, path, 1, half)]
    if len(path) < 30:
        return strands
    for _ in range(min(int(rng.choice([0, 0, 1, 1, 2, 3])), len(path) // 30)):
        at = int(rng.uniform(0.15, 0.85) * len(path))
        ahead = path[min(at + 6, len(path) - 1)] - path[max(at - 6, 0)]
        angle = float(np.arctan2(ahead[1], ahead[0])) + rng.choice([-1, 1]) * rng.uniform(0.3, 1.1)
        length = max(rng.uniform(0.12, 0.45) * len(path) * 1.5, 12)
        fork = FREE[int(rng.integers(0, 3))](rng, angle, length) + path[at]
        strands.append(_strand(rng, fork, rng.uniform(0.5, 0.95), max(half * rng.uniform(0.6, 0.9), 2.8), fork=True))
    if rng.random() < 0.2:
        first, last = sorted(int(v) for v in rng.uniform(0, len(path), 2))
        if last - first > 14:
            tangent = np.gradient(path, axis=0)[first:last]
            across = np.stack([-tangent[:, 1], tangent[:, 0]], 1) / np.hypot(*tangent.T)[:, None]
            aside = rng.choice([-1, 1]) * (2 * half + rng.uniform(2, 9))
            beside = path[first:last] + cv2.blur(across, (1, 15)) * aside
            strands.append(_strand(rng, even(beside), rng.uniform(0.5, 0.9), max(half * rng.uniform(0.6, 0.9), 2.8)))
    return strands


def _strand(rng: np.random.Generator, path: Path, strength: float, half: float, *, fork: bool = False) -> Strand:
    """A strand whose strength and width wander, with necks, gaps and feathered ends."""
    count = len(path)
    place = np.arange(count) * 1.5
    wander = 1 + 0.28 * process(rng, 1, count, rng.uniform(8, 40))[0] + 0.1 * process(rng, 1, count, 3)[0]
    width = half * np.clip(1 + 0.22 * process(rng, 1, count, 12)[0] + 0.08 * process(rng, 1, count, 2.5)[0], 0.5, 1.5)
    total = float(place[-1]) + 1
    for _ in range(rng.poisson(min(total / 160, 2))):
        where, long_ = rng.uniform(0.1, 0.9) * total, rng.uniform(5, 14)
        if rng.random() < 0.5:
            wander *= 1 - rng.uniform(0.6, 1) * np.exp(-(((place - where) / (0.5 * long_)) ** 4))
        else:
            width *= 1 - rng.uniform(0.3, 0.55) * np.exp(-(((place - where) / long_) ** 2))
    ends = rng.uniform(0.05, 0.3, 2) * total
    taper = np.clip((total - place) / ends[1], 0, 1) * (1 if fork else np.clip((place + 1) / ends[0], 0, 1))
    strong = strength * np.clip(wander, 0.05, 1.9) * taper**0.6
    return Strand(path, strong.astype(np.float32), (width * (0.45 + 0.55 * taper)).astype(np.float32))


def _drawn(
    rng: np.random.Generator, strands: list[Strand], origin: NDArray[np.float64], shape: tuple[int, int]
) -> tuple[Field, NDArray[np.bool_]]:
    """The strands as a picture, and what of it belongs to the crack."""
    picture, mask = np.zeros(shape, np.float32), np.zeros(shape, bool)
    hard = [(1.0, 4.0), (1.0, 4.0)] if rng.random() < 0.5 else [(1.0, 4.0), (1.35, 1.5)]
    if rng.random() < 0.5:
        hard.reverse()
    for strand in strands:
        distance, index = nearest(strand.path + origin, *shape)
        half, strength = cv2.blur(strand.half[index], (5, 5)), cv2.blur(strand.strength[index], (5, 5))
        left, right = (np.exp(-((np.abs(distance) / (half * wide)) ** power)) for wide, power in hard)
        section = np.where(distance < 0, left, right)
        picture = np.maximum(picture, section * strength)
        mask |= (section > 0.35) & (strength > 0.25)
    picture *= np.clip(1 + 0.16 * patchy(rng, *shape, 3) + 0.12 * patchy(rng, *shape, 11), 0.3, 1.8)
    closed = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    joined = closed.astype(bool) & (mask | (cv2.blur(picture, (9, 9)) > 0.15))
    beyond = cv2.distanceTransform((~joined).astype(np.uint8), cv2.DIST_L2, 3)
    picture *= np.clip((18 - beyond) / 10, 0, 1)  # no tip so faint that it is no part of the crack reaches far from it
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.7), np.float32), joined
