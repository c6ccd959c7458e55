"""Training crops of embossed metal: studs, pads, bars, nets of ridges, panels and letters in any arrangement.

A sixth family. Forms are drawn as outlines; a height rises over the distance from an outline, and reflects light as in
simulator.crops.reflected. So bright arcs, rings, crossings and ends of ridges are there without a crack.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from simulator.crops.labelled import LabelledCrop
from simulator.crops.recorded import recorded
from simulator.crops.reflected import heights_of_ridges, lit, stamp
from simulator.crops.ridges import log_uniform
from simulator.sheets import textures
from simulator.sheets.cracks import Grey

_FINE = 4
"""Binary digits of a px that forms are drawn to."""
_ONE = 1 << _FINE
Outline = NDArray[np.uint8]
"""(size, size), 255 within the forms, 0 outside."""


def training_window(rng: np.random.Generator, size: int, *, other_lines: bool = True) -> LabelledCrop:
    """One crop (size x size): picture, the cracks' pixels, and pixels that are not judged; one in three a negative.

    Without `other_lines` no grinding lines lie on it.
    """
    way = rng.uniform(0, math.pi) if rng.random() < 0.4 else float(rng.integers(4)) * math.pi / 4
    picture, surface = lit(rng, _heights(rng, size, way), darkest=45, holes=0.15, other_lines=other_lines)
    return recorded(rng, picture, surface, way)


def _heights(rng: np.random.Generator, size: int, way: float) -> Grey:
    """Heights (size, size), px, of one or two kinds of forms, on a panel with ridges or on a flat sheet."""
    forms = [_studs, _net, _bars, _strokes]
    heights = np.zeros((size, size), np.float32)
    for _ in range(int(rng.choice([1, 2], p=[0.7, 0.3]))):
        draw: Callable[[np.random.Generator, int, float], Outline] = forms[int(rng.choice(4, p=[0.4, 0.25, 0.2, 0.15]))]
        high = np.float32(log_uniform(rng, 1, 20) * rng.choice([-1, 1]))
        heights += _raised(rng, _distance(draw(rng, size, way))) * high
    if rng.random() < 0.45:
        flank = np.float32(log_uniform(rng, 4, 60))
        panel = np.float32(0.5) + np.float32(0.5) * np.tanh(_distance(_panel(rng, size)) / flank)
        if rng.random() < 0.6:  # nothing beyond the panel
            heights *= panel
        heights += panel * np.float32(rng.uniform(-8, 8))
        if rng.random() < 0.5:
            heights += panel * heights_of_ridges(rng, size)[0]
    if rng.random() < 0.3:
        heights += stamp(rng, size)
    if rng.random() < 0.4:  # dents and waviness
        heights += textures.cut(rng, "cloud", size, 2.5) * np.float32(log_uniform(rng, 0.3, 4))
    return heights


def _distance(outline: Outline) -> Grey:
    """Px to the nearest outline (size, size): positive within the forms, negative outside."""
    inside = np.asarray(cv2.distanceTransform(outline, cv2.DIST_L2, 5), np.float32)
    outside = np.asarray(cv2.distanceTransform(255 - outline, cv2.DIST_L2, 5), np.float32)
    return np.asarray(inside - outside, np.float32)


def _raised(rng: np.random.Generator, distance: Grey) -> Grey:
    """Heights of 0 to 1 over the distance from the outline: a plateau, a dome, or a terrace with a second edge."""
    flank = np.float32(log_uniform(rng, 2, 40))
    deep = np.float32(max(float(distance.max()), 4.0))
    plateau = np.asarray(np.float32(0.5) + np.float32(0.5) * np.tanh(distance / flank), np.float32)
    draw = rng.random()
    if draw < 0.35:
        return plateau
    if draw < 0.65:
        wide = np.minimum(deep, np.float32(log_uniform(rng, 10, 120)))
        return np.asarray(1 - np.square(1 - np.clip(distance / wide, 0, 1)), np.float32)
    second = np.tanh((distance - deep * np.float32(rng.uniform(0.2, 0.75))) / np.float32(log_uniform(rng, 2, 20)))
    return np.asarray(plateau + np.float32(rng.uniform(-0.9, 0.9)) * (np.float32(0.5) + np.float32(0.5) * second))


def _points(points: NDArray[np.float64]) -> NDArray[np.int32]:
    return np.round(points * _ONE).astype(np.int32).reshape(-1, 1, 2)


def _turned(points: NDArray[np.float64], way: float) -> NDArray[np.float64]:
    """Points (n, 2) turned by an angle in radians."""
    cos, sin = math.cos(way), math.sin(way)
    return np.asarray(points @ np.array([[cos, sin], [-sin, cos]]))


def _lattice(rng: np.random.Generator, size: int, way: float, pitch: float) -> NDArray[np.float64]:
    """Places (n, 2) on and around the crop: in rows, each moved by the same share, shaken a little; some missing."""
    reach = int(size / pitch) + 2
    row, place = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1)
    moved = rng.choice([0.0, 0.5, rng.random()])
    at = np.stack([(place + moved * row) * pitch, row * pitch * rng.uniform(0.6, 1.3)], axis=1)
    at = _turned(at, way) + size / 2 + rng.uniform(-pitch, pitch, 2)
    at += rng.normal(0, 1, at.shape) * pitch * rng.choice([0.0, 0.02, 0.15], p=[0.5, 0.3, 0.2])
    return np.asarray(at[rng.random(len(at)) >= rng.choice([0.0, 0.1, 0.4])])


def _studs(rng: np.random.Generator, size: int, way: float) -> Outline:
    """Studs or pads: round, oval, long, or with corners, on a lattice."""
    outline = np.zeros((size, size), np.uint8)
    pitch = log_uniform(rng, 50, 330)
    corners = int(rng.choice([0, 0, 3, 4, 4, 6]))
    radius, long = pitch * rng.uniform(0.16, 0.46), rng.choice([1.0, log_uniform(rng, 0.4, 2.5)])
    steps = np.arange(corners or 40) * 2 * math.pi / (corners or 40) + rng.uniform(0, 2 * math.pi)
    form = _turned(np.stack([np.cos(steps) * long, np.sin(steps)], axis=1) * radius, rng.uniform(0, math.pi))
    for place in _lattice(rng, size, way, pitch):
        if np.all(np.abs(place - size / 2) < size / 2 + radius * max(long, 1)):
            cv2.fillPoly(outline, [_points(form * rng.uniform(0.95, 1.05) + place)], (255,), cv2.LINE_8, _FINE)
    if corners and (round_by := int(radius * rng.uniform(0, 0.4)) // 2 * 2 + 1) > 1:
        disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (round_by, round_by))
        outline = np.asarray(cv2.morphologyEx(outline, cv2.MORPH_OPEN, disk), np.uint8)
    return outline


def _net(rng: np.random.Generator, size: int, way: float) -> Outline:
    """Two or three sets of straight ridges that cross, or the seams between cells."""
    outline = np.zeros((size, size), np.uint8)
    thick = max(2, round(log_uniform(rng, 3, 50)))
    pitch = max(log_uniform(rng, 60, 360), 2.5 * thick)
    if rng.random() < 0.25:
        outline[:] = 255
        places = _lattice(rng, size, way, pitch)
        plane = cv2.Subdiv2D((-2 * size, -2 * size, 5 * size, 5 * size))
        plane.insert([(float(x), float(y)) for x, y in places if -size < x < 2 * size and -size < y < 2 * size])
        cells, _ = plane.getVoronoiFacetList([])
        outline[:] = 0
        for cell in cells:
            cv2.polylines(outline, [_points(np.asarray(cell, np.float64))], True, (255,), thick, cv2.LINE_8, _FINE)
        return outline
    lean = rng.uniform(0.25, 1.2)
    ways = (way + lean, way - lean, way + math.pi / 2 * rng.integers(2))
    for turn in ways[: int(rng.choice([2, 3], p=[0.75, 0.25]))]:
        across = np.arange(-int(size / pitch) - 1, int(size / pitch) + 2) * pitch + rng.uniform(0, pitch)
        for at in across:
            ends = _turned(np.array([[-size, at], [size, at]], np.float64), turn) + size / 2
            cv2.polylines(outline, [_points(ends)], False, (255,), thick, cv2.LINE_8, _FINE)
    return outline


def _bars(rng: np.random.Generator, size: int, way: float) -> Outline:
    """Ridges side by side that end within the crop, straight or bent towards their ends."""
    outline = np.zeros((size, size), np.uint8)
    thick = max(3, round(log_uniform(rng, 6, 90)))
    pitch = thick * rng.uniform(1.4, 3)
    bend, start = rng.choice([0.0, rng.uniform(-0.8, 0.8)]), rng.uniform(-0.2, 0.7) * size
    lean, length = rng.uniform(-1, 1), log_uniform(rng, 0.3, 2) * size
    ragged = rng.choice([0.0, 0.3]) * pitch
    steps = np.linspace(0, 1, 24)
    for at in np.arange(-1.2 * size, 1.2 * size, pitch):
        first = start - size / 2 + lean * at + rng.normal(0, 1) * ragged
        along, off = first + steps * length, bend * length * np.square(np.clip(2 * np.abs(steps - 0.5) - 0.4, 0, 1))
        line = _turned(np.stack([along, at + off], axis=1), way) + size / 2
        cv2.polylines(outline, [_points(line)], False, (255,), thick, cv2.LINE_8, _FINE)
    return outline


def _strokes(rng: np.random.Generator, size: int, way: float) -> Outline:
    """A few ridges that wander through the crop, each one for itself; some turn back, some end."""
    outline = np.zeros((size, size), np.uint8)
    for _ in range(int(rng.integers(1, 6))):
        steps = 60
        bends = rng.normal(0, rng.choice([0.02, 0.08]), steps) + rng.normal(0, 0.03)
        turn = way + rng.normal(0, 0.4) + np.cumsum(bends)
        stride = log_uniform(rng, 0.2, 2) * size / steps
        line = np.cumsum(np.stack([np.cos(turn), np.sin(turn)], axis=1) * stride, axis=0) + rng.uniform(0, size, 2)
        thick = max(3, round(log_uniform(rng, 4, 70)))
        cv2.polylines(outline, [_points(line)], False, (255,), thick, cv2.LINE_8, _FINE)
    return outline


def _panel(rng: np.random.Generator, size: int) -> Outline:
    """One field of the sheet, its border straight, round or scalloped."""
    outline = np.zeros((size, size), np.uint8)
    way = rng.uniform(0, 2 * math.pi)
    edge = rng.uniform(-0.35, 0.35) * size
    box = np.array([[edge, -2 * size], [3 * size, -2 * size], [3 * size, 2 * size], [edge, 2 * size]], np.float64)
    if rng.random() < 0.4:  # a corner
        box[:, 1] = np.maximum(box[:, 1], rng.uniform(-0.35, 0.35) * size)
    cv2.fillPoly(outline, [_points(_turned(box, way) + size / 2)], (255,), cv2.LINE_8, _FINE)
    if rng.random() < 0.5:
        pitch = log_uniform(rng, 40, 250)
        for at in np.arange(-size, size, pitch):
            x, y = (_turned(np.array([[edge, at]]), way)[0] + size / 2).tolist()
            radius = pitch * rng.uniform(0.4, 0.7)
            cv2.circle(outline, (round(x * _ONE), round(y * _ONE)), round(radius * _ONE), (255,), -1, cv2.LINE_8, _FINE)
    return outline
