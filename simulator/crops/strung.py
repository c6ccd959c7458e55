"""Training crops whose crest lines are strung along the contours of a random field, each line with a life of its own.

A fifth family: no two lines are alike. The strength of each rises, falls and breaks off along its way, and all of them
go on past the crop; so a piece of one is told from a crack by what lies before, behind and beside it.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from simulator.crops.labelled import LabelledCrop
from simulator.crops.recorded import recorded
from simulator.crops.ridges import log_uniform
from simulator.crops.skins import skin
from simulator.sheets import textures
from simulator.sheets.cracks import Grey

_LINES = 256


def training_window(rng: np.random.Generator, size: int, *, other_lines: bool = True) -> LabelledCrop:
    """One crop (size x size): picture, the cracks' pixels, and pixels that are not judged; one in three a negative.

    Without `other_lines` no grinding lines lie on it.
    """
    field, along, way = _field(rng, size)
    picture = np.full((size, size), rng.uniform(55, 190), np.float32)
    for _ in range(int(rng.choice([1, 2, 3], p=[0.5, 0.35, 0.15]))):
        picture += _lines(rng, field, along)
    if rng.random() < 0.6:  # flanks, as light shows them
        index = (np.floor(field * _LINES).astype(np.int32)) % _LINES
        shade = np.interp(np.arange(_LINES), np.linspace(0, _LINES, 7), rng.normal(0, 1, 7)[[0, 1, 2, 3, 4, 5, 0]])
        picture += shade.astype(np.float32)[index] * np.float32(log_uniform(rng, 2, 22))
    surface = skin(rng, size, other_lines=other_lines)
    picture += surface
    if rng.random() < 0.4:
        slope = rng.uniform(-0.4, 0.4, 2) / size
        axis = np.arange(size, dtype=np.float32) - np.float32(size / 2)
        picture *= 1 + np.float32(slope[0]) * axis[None] + np.float32(slope[1]) * axis[:, None]
    return recorded(rng, picture, surface, way)


def _field(rng: np.random.Generator, size: int) -> tuple[Grey, Grey, float]:
    """A field that grows by 1 from line to line, the px along the lines, and their usual direction in radians."""
    way = rng.uniform(0, math.pi) if rng.random() < 0.5 else float(rng.integers(2)) * math.pi / 2
    axis = np.arange(size, dtype=np.float32)
    x, y = axis[None, :], axis[:, None]
    cos, sin = np.float32(math.cos(way)), np.float32(math.sin(way))
    along, across = x * cos + y * sin, y * cos - x * sin
    pitch = log_uniform(rng, 26, 230)
    swing = pitch * log_uniform(rng, 0.01, 0.15) if rng.random() < 0.6 else 0.0
    bend = cv2.resize(rng.standard_normal((6, 6)).astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
    field = (across + np.asarray(bend, np.float32) * np.float32(swing)) / np.float32(pitch)
    if rng.random() < 0.35:  # they lean the other way beyond a fold
        at = along - np.float32(rng.uniform(0.2, 0.8) * size)
        field = field + np.abs(at) * np.float32(rng.uniform(-1.2, 1.2) / pitch)
    if rng.random() < 0.15:  # round a hole or a stud
        radius = np.hypot(x - np.float32(rng.uniform(-0.3, 1.3) * size), y - np.float32(rng.uniform(-0.3, 1.3) * size))
        field = radius / np.float32(pitch)
    return np.asarray(field + np.float32(50 + rng.random()), np.float32), along + 2 * np.float32(size), way


def _lines(rng: np.random.Generator, field: Grey, along: Grey) -> Grey:
    """Lines on the whole numbers of a field: px wide whatever its slope, strong and weak along their way."""
    field = field + np.float32(rng.random())
    number = np.rint(field)
    slope = np.hypot(cv2.Sobel(field, cv2.CV_32F, 1, 0) / 8, cv2.Sobel(field, cv2.CV_32F, 0, 1) / 8)
    away = np.abs(field - number) / np.maximum(slope, np.float32(1e-4))
    width = log_uniform(rng, 2, 26)
    if rng.random() < 0.6:
        shape = np.exp(-np.square(away / np.float32(0.45 * width)))
    else:
        shape = np.clip(
            (np.float32(width / 2) - away) / np.float32(log_uniform(rng, 0.7, 0.5 * width + 0.8)) + 0.5, 0, 1
        )
    # A row of noise for each line, read along its way.
    step = log_uniform(rng, 8, 250)
    lives = np.asarray(cv2.GaussianBlur(rng.standard_normal((64, 512)).astype(np.float32), (0, 1), 1.2), np.float32)
    lives = lives / np.float32(lives.std()) * np.float32(rng.uniform(0, 0.8)) + np.float32(rng.uniform(0.3, 1))
    if rng.random() < 0.4:  # they break off and go on
        lives = np.clip(lives * np.float32(3) - np.float32(rng.uniform(0, 1.5)), 0, 1)
    lives += rng.normal(0, 0.25, (64, 1)).astype(np.float32)
    place = np.mod(along / np.float32(step), 511).astype(np.float32)
    strength = cv2.remap(lives, place, np.mod(number, 64).astype(np.float32), cv2.INTER_LINEAR)
    uneven = 1 + np.float32(rng.uniform(0, 0.3)) * textures.cut(rng, "coarse", field.shape[0])
    height = log_uniform(rng, 5, 70) * (1 if rng.random() < 0.8 else -1)
    return np.asarray(shape * np.clip(strength, 0, 2) * uneven * np.float32(height), np.float32)
