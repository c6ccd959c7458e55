"""Training crops of pressed metal as its slopes reflect light: the grey value is a random curve over the slope.

A fourth family. Ridges, folds and dents are heights here, nothing is drawn as a line: a crest line is where the slope
passes a peak of the curve. So its strength wavers with the metal's own waviness, and it goes on as far as the ridge.
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

_CURVE = 2048


def training_window(rng: np.random.Generator, size: int, *, other_lines: bool = True) -> LabelledCrop:
    """One crop (size x size): picture, the cracks' pixels, and pixels that are not judged.

    One in three is the negative of such a picture, cracks apart: dark crest lines, and the ground of dark cracks.
    Without `other_lines` no grinding lines lie on it.
    """
    heights, ridges = heights_of_ridges(rng, size)
    picture, surface = lit(rng, heights, darkest=55, holes=0.12, other_lines=other_lines)
    return recorded(rng, picture, surface, ridges)


def lit(
    rng: np.random.Generator, heights: Grey, *, darkest: float, holes: float, other_lines: bool
) -> tuple[Grey, Grey]:
    """A relief (size, size), px of height, in light: grey levels, and what of them is the metal's own surface.

    Args:
        rng: draws light, surface and brightness.
        heights: px.
        darkest: least grey level of the flat metal.
        holes: share of crops with a port.
        other_lines: whether grinding lines may lie on it.
    """
    slopes = _reflected(rng, heights)
    surface = skin(rng, len(heights), other_lines=other_lines)
    base = rng.uniform(darkest, 190)
    picture = np.asarray(base + np.clip(slopes, -0.6 * base, 0.8 * (255 - base)) + surface, np.float32)
    if rng.random() < holes:
        _hole(rng, picture)
    return picture, surface


def heights_of_ridges(rng: np.random.Generator, size: int) -> tuple[Grey, float]:
    """Heights (size, size) of a pressed sheet, px, and the direction of its ridges, radians."""
    y, x = np.mgrid[:size, :size].astype(np.float32)
    angle = rng.uniform(0, math.pi) if rng.random() < 0.5 else float(rng.integers(2)) * math.pi / 2
    waver = cv2.GaussianBlur(textures.cut(rng, "cloud", size, 3.0), (0, 0), 6) * np.float32(rng.choice([0, 2, 8]))
    u = x * np.float32(math.cos(angle)) + y * np.float32(math.sin(angle)) + np.asarray(waver, np.float32)
    v = y * np.float32(math.cos(angle)) - x * np.float32(math.sin(angle))
    period = log_uniform(rng, 45, 420)
    phase = v / np.float32(period) + np.float32(rng.random())
    draw = rng.random()
    if draw < 0.35:  # herringbone, its corners round
        length, steep = log_uniform(rng, 100, 900), rng.uniform(0.2, 1.5)
        at = (u / np.float32(length) + np.float32(rng.random())) % 2 - 1
        phase = phase + np.sqrt(at * at + np.float32(log_uniform(rng, 1e-5, 0.02))) * np.float32(
            length * steep / period
        )
    elif draw < 0.5:
        phase = phase + np.sin(u / np.float32(log_uniform(rng, 60, 300))) * np.float32(rng.uniform(0.05, 0.5))
    wave = np.cos(2 * np.pi * phase)
    sharp = log_uniform(rng, 0.6, 6)
    ridge = np.tanh(np.float32(sharp) * wave) / math.tanh(sharp)
    draw = rng.random()
    if draw < 0.3:  # studs in place of ridges, or two sets of ridges that cross
        other = np.cos(
            2 * np.pi * (u / np.float32(period * rng.uniform(0.7, 1.4)) + v * np.float32(rng.uniform(-1, 1) / period))
        )
        ridge = (
            ridge * other if draw < 0.18 else np.maximum(ridge, np.tanh(np.float32(sharp) * other) / math.tanh(sharp))
        )
    heights = ridge * np.float32(period * log_uniform(rng, 0.01, 0.09))
    if rng.random() < 0.35:  # a border, beyond which the sheet is flat
        way = rng.uniform(0, 2 * math.pi)
        beyond = (x - size / 2) * math.cos(way) + (y - size / 2) * math.sin(way) - rng.uniform(-0.3, 0.3) * size
        share = np.float32(0.5) + np.float32(0.5) * np.tanh(beyond / np.float32(log_uniform(rng, 6, 80)))
        heights = heights * share + np.float32(rng.uniform(-3, 3)) * share
    if rng.random() < 0.12:
        heights = heights + stamp(rng, size)
    if rng.random() < 0.4:  # dents and waviness
        heights = heights + textures.cut(rng, "cloud", size, 2.5) * np.float32(log_uniform(rng, 0.3, 4))
    return np.asarray(heights, np.float32), angle


def stamp(rng: np.random.Generator, size: int) -> Grey:
    """Letters that are pressed in or out, px of height."""
    drawn = np.zeros((size, size), np.uint8)
    text = "".join(rng.choice(list("ABCDEFGHKLMNPRSTUVXZ0123456789-/#"), int(rng.integers(2, 9))))
    place = (int(rng.uniform(-0.2, 0.6) * size), int(rng.uniform(0.15, 1.0) * size))
    scale, thick = rng.uniform(1, 4.5), int(rng.integers(2, 12))
    cv2.putText(drawn, text, place, int(rng.integers(0, 5)), scale, (255,), thick, cv2.LINE_AA)
    drawn = np.ascontiguousarray(np.rot90(drawn, int(rng.integers(4))))
    soft = np.asarray(cv2.GaussianBlur(drawn, (0, 0), rng.uniform(0.8, 3)), np.float32)
    return soft * np.float32(log_uniform(rng, 0.5, 6) / 255 * rng.choice([-1, 1]))


def _hole(rng: np.random.Generator, picture: Grey) -> None:
    """A port, in place: dark or bright, its rim lit on a part of its way or all around."""
    size = picture.shape[0]
    radius, soft = log_uniform(rng, 0.08, 0.9) * size, log_uniform(rng, 0.7, 3)
    axis = np.arange(size, dtype=np.float32)
    dx, dy = (
        axis[None] - np.float32(rng.uniform(-0.4, 1.4) * size),
        axis[:, None] - np.float32(rng.uniform(0, 1) * size),
    )
    away = np.hypot(dx, dy) - np.float32(radius)
    turn = np.arctan2(dy, dx) - np.float32(rng.uniform(-math.pi, math.pi))
    lit = np.clip(np.float32(rng.uniform(0, 1)) + np.float32(rng.uniform(0, 1)) * np.cos(turn), 0, 1.5)
    rim = np.exp(-np.square((away - np.float32(rng.uniform(0, 8))) / np.float32(log_uniform(rng, 1.5, 12))))
    picture += rim * lit * np.float32(log_uniform(rng, 5, 90))
    dark = rng.uniform(2, 50) if rng.random() < 0.8 else rng.uniform(50, 230)
    picture += (np.float32(dark) - picture) * np.clip(np.float32(0.5) - away / np.float32(soft), 0, 1)


def _reflected(rng: np.random.Generator, heights: Grey) -> Grey:
    """Grey levels of a relief in light from one or two sides, each with a curve of its own over the slope that way."""
    size = heights.shape[0]
    soft = cv2.GaussianBlur(heights, (0, 0), log_uniform(rng, 1, 6))
    slope_x, slope_y = cv2.Sobel(soft, cv2.CV_32F, 1, 0) / 8, cv2.Sobel(soft, cv2.CV_32F, 0, 1) / 8
    total = np.zeros_like(heights)
    for _ in range(int(rng.choice([1, 2], p=[0.7, 0.3]))):
        way = rng.uniform(0, 2 * math.pi)
        slope = slope_x * np.float32(math.cos(way)) + slope_y * np.float32(math.sin(way))
        spread = max(float(slope.std()), 1e-3)
        # Micro-waviness along the metal's grain: it makes crest lines waver, and breaks them.
        uneven = textures.cut(rng, str(rng.choice(["blotches", "brushed", "long", "cloud"])), size)
        uneven = uneven.T if rng.random() < 0.5 else uneven
        slope = slope / np.float32(spread) + uneven * np.float32(log_uniform(rng, 0.01, 0.12))
        index = ((slope + np.float32(4)) * np.float32(_CURVE / 8)).clip(0, _CURVE - 1).astype(np.int32)
        total += _curve(rng)[index]
    return total


def _curve(rng: np.random.Generator) -> Grey:
    """Grey levels over a slope of -4 to 4 spreads: a gentle tilt, and peaks and dips of any width."""
    slope = np.linspace(-4, 4, _CURVE, dtype=np.float32)
    curve = np.float32(rng.normal(0, 8)) * slope + np.float32(rng.normal(0, 3)) * slope * slope / 4
    for _ in range(int(rng.integers(1, 4))):
        middle = 0.0 if rng.random() < 0.35 else rng.normal(0, 1)
        away = (slope - np.float32(middle)) / np.float32(log_uniform(rng, 0.12, 1))
        shape = np.exp(-(away**2) / 2) if rng.random() < 0.6 else 1 / (1 + away**2)
        curve += np.float32(log_uniform(rng, 5, 75) * (1 if rng.random() < 0.75 else -1)) * shape
    return np.asarray(curve - curve.mean(), np.float32)
