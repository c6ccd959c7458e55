"""Pressed relief for training crops: ridges with steep or soft flanks, crest lines, folds, dimples, and where they end.

What tells all of it from a crack: it goes on through the whole crop, repeats, ends at a rim, or is round.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from simulator.sheets import textures
from simulator.sheets.cracks import Grey

_FINE = 4
"""Steps of a table for one px."""


def log_uniform(rng: np.random.Generator, least: float, most: float) -> float:
    """Drawn evenly on a logarithmic scale."""
    return math.exp(rng.uniform(math.log(least), math.log(most)))


def turned(size: int, angle: float, x: float = 0.0, y: float = 0.0) -> tuple[Grey, Grey]:
    """Coordinates in px along and across a direction (radians), from the point (x, y) off the picture's middle."""
    axis = np.arange(size, dtype=np.float32) - np.float32(size / 2)
    columns, rows = axis[None, :] - np.float32(x), axis[:, None] - np.float32(y)
    cos, sin = np.float32(math.cos(angle)), np.float32(math.sin(angle))
    return columns * cos + rows * sin, rows * cos - columns * sin


def direction(rng: np.random.Generator) -> float:
    """Of ridges, streaks or edges: along the picture's sides as often as slanting."""
    draw = rng.random()
    if draw < 0.5:
        return float(rng.integers(2)) * math.pi / 2 + float(rng.normal(0, 0.04))
    return float(rng.uniform(0, math.pi))


def relief(rng: np.random.Generator, size: int) -> tuple[Grey, float]:
    """Grey levels (size x size) that a pressed relief adds, and the ridges' direction in radians."""
    angle = direction(rng)
    draw = rng.random()
    if draw < 0.2:
        shade = _dimples(rng, size)
    else:
        shade = _ridges(rng, size, angle)
        if draw < 0.5:
            shade = _ended(rng, size, shade)
    if rng.random() < 0.35:  # light or handling that differs along the ridges
        shade = shade * np.clip(1 + np.float32(rng.uniform(0.1, 0.5)) * textures.cut(rng, "cloud", size, 1.5), 0.1, 2)
    if rng.random() < 0.25:  # brushed: the crest line is made of streaks
        streaks = textures.cut(rng, "brushed", size, log_uniform(rng, 0.8, 2))
        if rng.random() < 0.5:
            streaks = streaks.T
        shade = shade * np.clip(1 + np.float32(rng.uniform(0.1, 0.35)) * streaks, 0.2, 1.8)
    return np.asarray(shade, np.float32), angle


def _ridges(rng: np.random.Generator, size: int, angle: float) -> Grey:
    along, across = turned(size, angle, *rng.uniform(-0.3, 0.3, 2) * size)
    draw = rng.random()
    fold: _Fold | None = None
    if draw < 0.55:  # zigzag, fold, herringbone: corners sharp or round
        fold = _folded(rng, size)
        across = across + _looked_up(fold.displaced, along)
    elif draw < 0.67:  # bowed
        across = across + np.float32(rng.uniform(-0.8, 0.8) / size) * along * along
    elif draw < 0.79:  # tapering, up to a point where they meet
        across = across / np.maximum(1 + np.float32(rng.uniform(-1.6, 1.6) / size) * along, np.float32(0.03))
    elif draw < 0.85:
        across = across + np.float32(rng.uniform(2, 15)) * textures.cut(rng, "cloud", size, 2.0)
    section = _section(rng, size)
    shade = _looked_up(section, across)
    if fold is not None:
        shade = _lit(rng, shade, section, across, fold, along)
    if rng.random() < 0.15:  # the seam of a fold where the two sides do not meet
        other = _looked_up(_section(rng, size), along if rng.random() < 0.5 else across)
        side, _ = turned(size, rng.uniform(0, 2 * math.pi), *rng.uniform(-0.4, 0.4, 2) * size)
        shade = shade + (other - shade) * np.clip(side / np.float32(log_uniform(rng, 1, 40)) + np.float32(0.5), 0, 1)
    return np.asarray(shade, np.float32)


def _looked_up(table: Grey, place: Grey) -> Grey:
    """A table's values at places in px from its middle; it goes on with its last value."""
    index = (place * np.float32(_FINE) + np.float32(table.size // 2)).astype(np.int32)
    return table[np.clip(index, 0, table.size - 1)]


def _lit(rng: np.random.Generator, shade: Grey, section: Grey, across: Grey, fold: _Fold, along: Grey) -> Grey:
    """Ridges on the two sides of folds as a slanting light shows them, and what a press leaves along the fold."""
    side = _looked_up(fold.side, along)
    draw = rng.random()
    if draw < 0.25:  # a little brighter on one side
        shade = shade * (1 + np.float32(rng.uniform(-0.3, 0.3)) * side) + np.float32(rng.uniform(-12, 12)) * side
    elif draw < 0.6:  # lit from the side: what is bright on one side of a fold is dark or elsewhere on the other
        moved = across + np.float32(log_uniform(rng, 3, 200))
        other = _looked_up(section, moved) if rng.random() < 0.5 else -shade * np.float32(rng.uniform(0.3, 1))
        if rng.random() < 0.25:
            other = _looked_up(_section(rng, across.shape[0]), across)
        share = np.float32(0.5) + np.float32(0.5) * side
        shade = shade * share + other * (1 - share)
    if rng.random() < 0.35:  # a lip or a groove along the fold, whole or in the pieces where ridges cross it
        away = _looked_up(fold.distance, along)
        lip = np.exp(-np.square((away - np.float32(rng.normal(0, 3))) / np.float32(log_uniform(rng, 1.5, 14))))
        if rng.random() < 0.6:
            spread = np.float32(max(1.0, float(shade.std())))
            lip = lip * np.clip(np.float32(rng.uniform(0, 1)) + np.float32(rng.uniform(-1, 1)) * shade / spread, 0, 1.5)
        shade = shade + lip * np.float32(log_uniform(rng, 4, 45) * (1 if rng.random() < 0.7 else -1))
    return np.asarray(shade, np.float32)


@dataclass(frozen=True, slots=True)
class _Fold:
    """Tables over the place along the ridges, 4 values a px."""

    displaced: Grey
    """How far the ridges are displaced across, px."""
    side: Grey
    """On which side of a fold it lies, 1 or -1; soft where the press is."""
    distance: Grey
    """Signed distance from the nearest fold, px."""


def _folded(rng: np.random.Generator, size: int) -> _Fold:
    count = 3 * size * _FINE
    slope, side = np.empty(count, np.float32), np.empty(count, np.float32)
    distance = np.empty(count, np.float32)
    length, steep = log_uniform(rng, 60, 900), rng.uniform(0.15, 1.6)
    even, sign, start = rng.random() < 0.6, 1.0, -int(rng.uniform(0, length) * _FINE)
    while start < count:
        part = length if even else length * rng.uniform(0.4, 2)
        end = start + max(1, int(part * _FINE))
        first, last = max(0, start), max(0, end)
        slope[first:last] = sign * steep * (1.0 if even else rng.uniform(0.5, 1.3))
        side[first:last] = sign
        x = np.arange(first, min(last, count), dtype=np.float32)
        distance[first:last] = np.where(x - start < end - x, x - start, x - end) / _FINE
        start, sign = end, -sign
    if rng.random() < 0.4:
        width = int(log_uniform(rng, 4, 80) * _FINE)
        slope = np.asarray(cv2.blur(slope[None], (width, 1), borderType=cv2.BORDER_REFLECT), np.float32)[0]
    if rng.random() < 0.6:
        width = int(log_uniform(rng, 1, 30) * _FINE)
        side = np.asarray(cv2.blur(side[None], (width, 1), borderType=cv2.BORDER_REFLECT), np.float32)[0]
    table = np.cumsum(slope) / np.float32(_FINE)
    return _Fold(np.asarray(table - table[count // 2], np.float32), side, distance)


def _section(rng: np.random.Generator, size: int) -> Grey:
    """Grey levels across the ridges: one to three kinds of bars and lines, each once or again and again."""
    count = 4 * size * _FINE
    table = np.zeros(count, np.float32)
    period = log_uniform(rng, 28, 420)
    repeats = rng.random() < 0.75
    if rng.random() < 0.45:
        phase = np.arange(count, dtype=np.float32) * np.float32(2 * math.pi / (period * _FINE))
        wave = np.sin(phase + np.float32(rng.uniform(0, 6.3)))
        table += np.float32(log_uniform(rng, 4, 40)) * np.tanh(np.float32(log_uniform(rng, 0.3, 12)) * wave)
    for _ in range(int(rng.integers(1, 4))):
        bar = _bar(rng, period if repeats else 400.0)
        if repeats:
            start, jitter = rng.uniform(0, period), rng.choice([0.0, rng.uniform(0, 0.25)]) * period
            places = np.arange(start, count / _FINE, period)
            places += rng.normal(0, 1, places.size) * jitter
        else:
            places = count / _FINE / 2 + rng.uniform(-0.6, 0.6, int(rng.integers(1, 3))) * size
        for place in places:
            left = int(place * _FINE) - bar.size // 2
            first, last = max(0, left), min(count, left + bar.size)
            if first < last:
                table[first:last] += bar[first - left : last - left]
    return table


def _bar(rng: np.random.Generator, room: float) -> Grey:
    """One ridge's shading from side to side."""
    line = rng.random() < 0.5
    width = log_uniform(rng, 4, 26) if line else log_uniform(rng, 14, 130)
    width = min(width, max(4.0, 0.7 * room))
    flank = rng.uniform(0.7, 0.5 * width) if line or rng.random() < 0.4 else log_uniform(rng, 0.8, 14)
    reach = int((width / 2 + 3 * flank + 2) * _FINE)
    x = np.arange(-reach, reach + 1, dtype=np.float32) / np.float32(_FINE)
    kind = rng.integers(5)
    if kind == 0:
        shape = np.exp(-np.square(x / np.float32(0.45 * width)))
    elif kind == 1:
        shape = np.clip(1 - np.square(2 * x / np.float32(width)), 0, 1)
    elif kind == 2:  # lit from one side
        shape = np.clip(np.float32(0.5) - x / np.float32(width), 0, 1) * (np.abs(x) < width / 2)
        shape = shape[:: int(rng.choice([-1, 1]))]
    else:
        shape = np.clip((np.float32(width / 2) - np.abs(x)) / np.float32(flank) + np.float32(0.5), 0, 1)
    height = log_uniform(rng, 4, 85) * (1 if rng.random() < 0.72 else -1)
    return np.asarray(shape * np.float32(height), np.float32)


def _ended(rng: np.random.Generator, size: int, shade: Grey) -> Grey:
    """Ridges that end at a straight border, a port's rim or a flat zone, sometimes with a bright or dark rim."""
    inside = boundary(rng, size)
    soft = np.float32(log_uniform(rng, 1, 50))
    ended = shade * np.clip(inside / soft + np.float32(0.5), 0, 1)
    if rng.random() < 0.4:
        ended = ended + np.float32(rng.uniform(-25, 25)) * (inside < 0)
    if rng.random() < 0.45:
        ended = ended + rim(rng, inside)
    return np.asarray(ended, np.float32)


def boundary(rng: np.random.Generator, size: int) -> Grey:
    """Signed distance in px from a straight or round border through the picture, positive on the ridges' side."""
    x, y = rng.uniform(-0.42, 0.42, 2) * size
    angle = direction(rng) + math.pi * float(rng.integers(2))
    if rng.random() < 0.5:
        return turned(size, angle, x, y)[1]
    radius = log_uniform(rng, 0.1 * size, 2 * size)
    x, y = x + radius * math.cos(angle), y + radius * math.sin(angle)
    axis = np.arange(size, dtype=np.float32) - np.float32(size / 2)
    distance = np.hypot(axis[None, :] - np.float32(x), axis[:, None] - np.float32(y)) - np.float32(radius)
    return np.asarray(distance if rng.random() < 0.7 else -distance, np.float32)


def rim(rng: np.random.Generator, inside: Grey) -> Grey:
    """A lip along a border: 3-40 px wide, crisp or soft, bright more often than dark."""
    width, start = log_uniform(rng, 3, 40), rng.choice([0.0, rng.uniform(0, 30)])
    away = np.abs(inside - np.float32(start + width / 2))
    if rng.random() < 0.6:
        shape = np.clip((np.float32(width / 2) - away) / np.float32(log_uniform(rng, 0.7, 5)) + np.float32(0.5), 0, 1)
    else:
        shape = np.exp(-np.square(away / np.float32(0.5 * width)))
    return np.asarray(shape * np.float32(log_uniform(rng, 5, 70) * (1 if rng.random() < 0.75 else -1)), np.float32)


def _dimples(rng: np.random.Generator, size: int) -> Grey:
    """Round bumps or hollows in a grid, with bright tops or with a small highlight on each."""
    pitch = log_uniform(rng, 26, 420)
    along, across = turned(size, direction(rng), *rng.uniform(-0.5, 0.5, 2) * size)
    one, two = along / np.float32(pitch), across / np.float32(pitch * rng.uniform(0.75, 1.35))
    if rng.random() < 0.5:  # every second row moved by half a pitch
        one = one + np.float32(0.5) * (np.floor(two) % 2)
    a, b = one - np.floor(one) - np.float32(0.5), two - np.floor(two) - np.float32(0.5)
    radius = np.sqrt(a * a + b * b)
    shade = np.float32(log_uniform(rng, 4, 50)) * np.exp(-((radius / np.float32(rng.uniform(0.12, 0.35))) ** 2))
    if rng.random() < 0.4:
        shade = shade - shade.mean() * np.float32(rng.uniform(0, 3)) + np.float32(rng.uniform(-25, 25)) * a
    if rng.random() < 0.4:
        spot = np.hypot(a - np.float32(rng.uniform(-0.2, 0.2)), b - np.float32(rng.uniform(-0.2, 0.2)))
        spread = np.float32(rng.uniform(3, 14) / pitch)
        shade = shade + np.float32(rng.uniform(5, 50)) * np.exp(-np.square(spot / spread))
    return np.asarray(shade * np.float32(1 if rng.random() < 0.75 else -1), np.float32)
