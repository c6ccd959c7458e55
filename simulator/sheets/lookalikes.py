"""What a sheet shows beside cracks: marks that must not be taken for one, and dirt that hides one.

All functions change a square float32 picture (grey levels) in place.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from simulator.sheets import textures
from simulator.sheets.cracks import Grey, centre_line

Mask = NDArray[np.bool_]


def add_behind(rng: np.random.Generator, picture: Grey) -> None:
    """Large structures that a crack may cross: steps, broad bands, port holes, the sheet's own edge."""
    if rng.random() < 0.15:
        _step_edge(rng, picture)
    if rng.random() < 0.15:
        _broad_band(rng, picture)
    if rng.random() < 0.05:
        _hole(rng, picture)
    if rng.random() < 0.05:
        _sheet_edge(rng, picture)
    if rng.random() < 0.03:
        _glare(rng, picture)


def marks(rng: np.random.Generator, picture: Grey, *, other_lines: bool = True) -> None:
    """Small look-alikes: spots, rings, dirt; and hair scratches and dark lines, unless these count as cracks."""
    for share, draw in (
        (0.22, _scratches),
        (0.12, _dark_lines),
        (0.22, _spots),
        (0.08, _rings),
        (0.12, _dirt),
    ):
        if rng.random() < share and (other_lines or draw not in {_scratches, _dark_lines}):
            draw(rng, picture)


def cover(rng: np.random.Generator, picture: Grey) -> Mask | None:
    """Lay dark blocks of oil on the picture; the pixels they hide, or None without oil."""
    if rng.random() >= 0.12:
        return None
    size = picture.shape[0]
    shape = np.zeros((size, size), np.float32)
    for _ in range(int(rng.integers(1, 4))):
        centre, sides = rng.uniform(0, size, 2), rng.uniform(0.08, 0.5, 2) * size
        corners = cv2.boxPoints(((centre[0], centre[1]), (sides[0], sides[1]), rng.choice([0.0, rng.uniform(0, 90)])))
        cv2.fillPoly(shape, [np.round(corners).astype(np.int32)], (1.0,))
    if rng.random() < 0.5:
        bend = textures.cut(rng, "blotches", size) * np.float32(0.25)
        shape = np.asarray(cv2.GaussianBlur(shape, (0, 0), rng.uniform(0.5, 4)) + bend > 0.5, np.float32)
    soft = cv2.GaussianBlur(shape, (0, 0), rng.uniform(0.4, 2.5))
    opacity = rng.uniform(0.8, 1.0)
    dark = np.float32(rng.uniform(5, max(5.0, 0.6 * float(picture.mean()) + 6)))
    picture += np.minimum(dark - picture, 0) * soft * np.float32(opacity)
    return shape > 0.3


def _distances(rng: np.random.Generator, size: int, bend: float) -> Grey:
    """Signed distance in px from a curve that crosses the whole picture."""
    line = centre_line(rng, rng.uniform(0, 2 * math.pi), 2.0 * size, bend)
    x, y = rng.uniform(0.1, 0.9, 2) * size
    axis = np.arange(size, dtype=np.float32)
    return line.moved(x, y).coordinates(axis[None, :], axis[:, None])[1]


def _step_edge(rng: np.random.Generator, picture: Grey) -> None:
    across = _distances(rng, picture.shape[0], 0.2)
    picture += np.float32(rng.uniform(-45, 45)) * np.tanh(across / np.float32(rng.uniform(0.7, 8)))


def _broad_band(rng: np.random.Generator, picture: Grey) -> None:
    across = np.abs(_distances(rng, picture.shape[0], 0.2))
    half = np.float32(rng.uniform(16, 60))
    picture += np.float32(rng.uniform(-40, 45)) * np.clip((half - across) / np.float32(rng.uniform(2, 12)), 0, 1)


def _hole(rng: np.random.Generator, picture: Grey) -> None:
    size = picture.shape[0]
    x, y = rng.uniform(-0.4, 1.4, 2) * size
    axis = np.arange(size, dtype=np.float32)
    radius = np.float32(rng.uniform(0.3, 3.0) * size)
    outside = np.hypot(axis[None, :] - np.float32(x), axis[:, None] - np.float32(y)) - radius
    rim = np.float32(rng.uniform(4, 60))
    picture += np.float32(rng.uniform(-25, 50)) * np.exp(-np.square((outside - rim) / rim))
    _darken(picture, np.clip(np.float32(0.5) - outside / np.float32(rng.uniform(1, 5)), 0, 1), rng.uniform(3, 40))


def _sheet_edge(rng: np.random.Generator, picture: Grey) -> None:
    across = _distances(rng, picture.shape[0], 0.01)
    if rng.random() < 0.3:  # bright burr
        picture += np.float32(rng.uniform(5, 60)) * np.exp(-np.square(across / np.float32(rng.uniform(1, 3))))
    _darken(picture, np.clip(np.float32(0.5) - across / np.float32(rng.uniform(1, 4)), 0, 1), rng.uniform(3, 40))


def _darken(picture: Grey, share: Grey, grey: float) -> None:
    picture += (np.float32(grey) - picture) * share


def _glare(rng: np.random.Generator, picture: Grey) -> None:
    glare = textures.cut(rng, "cloud", picture.shape[0], 1.5)
    picture += np.clip(glare - np.float32(rng.uniform(0.2, 1.2)), 0, None) * np.float32(rng.uniform(60, 250))


def _stroke(
    rng: np.random.Generator, picture: Grey, thickness: int, grey: float, *, length: float, blur: float
) -> None:
    size = picture.shape[0]
    line = centre_line(rng, rng.uniform(0, 2 * math.pi), length, abs(rng.normal(0, 0.25)))
    x, y = rng.uniform(0, size, 2)
    xs, ys = line.moved(x, y).points(48)
    drawn = np.zeros((size, size), np.uint8)
    points = np.round(np.stack([xs, ys], axis=1) * 16).astype(np.int32)
    cv2.polylines(drawn, [points.reshape(-1, 1, 2)], False, (255,), thickness, cv2.LINE_AA, 4)
    soft = cv2.GaussianBlur(drawn, (0, 0), blur) if blur > 0.3 else drawn
    cv2.accumulateProduct(soft.astype(np.float32) / np.float32(255), np.full_like(picture, grey), picture)


def _scratches(rng: np.random.Generator, picture: Grey) -> None:
    for _ in range(int(rng.integers(1, 6))):
        length = math.exp(rng.uniform(math.log(15), math.log(600)))
        # One px drawn is at most 3 px seen: wider ones could not be told from the narrowest cracks.
        _stroke(rng, picture, 1, rng.uniform(8, 90), length=length, blur=rng.uniform(0, 0.7))


def _dark_lines(rng: np.random.Generator, picture: Grey) -> None:
    for _ in range(int(rng.integers(1, 4))):
        length = math.exp(rng.uniform(math.log(20), math.log(600)))
        _stroke(rng, picture, int(rng.integers(1, 22)), -rng.uniform(6, 70), length=length, blur=rng.uniform(0, 3))


def _spots(rng: np.random.Generator, picture: Grey) -> None:
    """Round bright spots, spatter, pits with a bright rim."""
    size = picture.shape[0]
    for _ in range(int(math.exp(rng.uniform(0, math.log(24))))):
        radius = math.exp(rng.uniform(math.log(1.0), math.log(22)))
        reach = math.ceil(3 * radius) + 2
        x, y = rng.uniform(0, size, 2)
        x0, y0 = max(0, int(x) - reach), max(0, int(y) - reach)
        x1, y1 = min(size, int(x) + reach + 1), min(size, int(y) + reach + 1)
        dx = (np.arange(x0, x1, dtype=np.float32) - np.float32(x))[None, :]
        dy = (np.arange(y0, y1, dtype=np.float32) - np.float32(y))[:, None] * np.float32(rng.uniform(0.75, 1.33))
        distance = np.hypot(dx, dy) / np.float32(radius)
        blob = np.exp(-(distance ** np.float32(rng.choice([2.0, 4.0, 8.0]))))
        if rng.random() < 0.25:
            blob = blob - np.float32(1.3) * np.exp(-np.square(distance * np.float32(1.8)))
        picture[y0:y1, x0:x1] += blob * np.float32(rng.choice([1, 1, -1]) * rng.uniform(8, 90))


def _rings(rng: np.random.Generator, picture: Grey) -> None:
    """Water marks: closed thin rings, brighter or darker, their inside shifted a little."""
    size = picture.shape[0]
    for _ in range(int(rng.integers(1, 3))):
        field = textures.cut(rng, "cloud", size, 1.8)
        x, y = rng.uniform(0, size, 2)
        axis = np.arange(size, dtype=np.float32)
        radius = rng.uniform(15, 120)
        distance = np.hypot(axis[None, :] - np.float32(x), axis[:, None] - np.float32(y)) - np.float32(radius)
        distance = distance + field * np.float32(radius / 12)
        picture += np.float32(rng.uniform(-8, 8)) * (distance < 0)
        picture += np.float32(rng.uniform(-25, 25)) * np.exp(-np.square(distance / np.float32(rng.uniform(0.8, 2.0))))


def _dirt(rng: np.random.Generator, picture: Grey) -> None:
    field = textures.cut(rng, str(rng.choice(["blotches", "fractal", "orange peel"])), picture.shape[0], 1.3)
    picture += np.clip(field - np.float32(rng.uniform(1.4, 2.6)), 0, 1) * np.float32(rng.uniform(-80, 45))
