"""Metal's own surface: speckle, grain, grinding lines, cast skin. What it adds to a picture, in grey levels."""

from __future__ import annotations

import math

import cv2
import numpy as np

from simulator.crops.ridges import log_uniform
from simulator.sheets import textures
from simulator.sheets.cracks import Grey


def skin(rng: np.random.Generator, size: int, *, other_lines: bool = True) -> Grey:
    """One to three kinds of surface on each other, (size, size); without `other_lines` none is of grinding lines."""
    total = np.zeros((size, size), np.float32)
    for kind in rng.choice(len(_KINDS), int(rng.choice([1, 2, 3], p=[0.45, 0.4, 0.15])), replace=False):
        if other_lines or _KINDS[kind] is not _grinding:
            total += _KINDS[kind](rng, size)
    return total


def sensor(rng: np.random.Generator, size: int) -> Grey:
    """Noise of the camera: shot and column noise are alike at this size; now and then seen through a lens."""
    noise = textures.noise(rng, size) * np.float32(log_uniform(rng, 0.4, 9))
    if rng.random() < 0.25:
        noise = np.asarray(cv2.GaussianBlur(noise, (0, 0), rng.uniform(0.4, 0.9)), np.float32)
    if rng.random() < 0.2:
        noise = noise + textures.white(65536)[int(rng.integers(60000)) :][:size][None] * np.float32(rng.uniform(0, 2))
    return np.asarray(noise, np.float32)


def _speckle(rng: np.random.Generator, size: int) -> Grey:
    """Bright grains of a pickled or blasted sheet: few are far brighter than the rest."""
    fine = textures.cut(rng, str(rng.choice(["grain", "coarse"])), size, log_uniform(rng, 0.8, 1.8))
    return np.asarray(np.float32(log_uniform(rng, 0.5, 5)) * (np.exp(np.float32(0.6) * fine) - 1), np.float32)


def _grain(rng: np.random.Generator, size: int) -> Grey:
    name = str(rng.choice(["rough", "fractal", "cloud", "orange peel", "blotches"]))
    return textures.cut(rng, name, size, log_uniform(rng, 0.7, 3)) * np.float32(log_uniform(rng, 0.6, 9))


def _grinding(rng: np.random.Generator, size: int) -> Grey:
    """Hundreds of fine straight lines nearly one way, each with a strength of its own."""
    drawn = np.zeros((size, size), np.float32)
    way, spread = rng.uniform(0, math.pi), rng.choice([0.01, 0.05, 0.3])
    for _ in range(int(log_uniform(rng, 40, 300))):
        angle, half = way + rng.normal(0, spread), log_uniform(rng, 15, size)
        x, y = rng.uniform(-0.2, 1.2, 2) * size
        dx, dy = half * math.cos(angle), half * math.sin(angle)
        ends = [(round(16 * (x + sign * dx)), round(16 * (y + sign * dy))) for sign in (-1, 1)]
        cv2.line(drawn, ends[0], ends[1], (float(rng.normal(0, 1)),), 1, cv2.LINE_8, 4)
    soft = cv2.GaussianBlur(drawn, (0, 0), rng.uniform(0.5, 1.1))
    return np.asarray(soft, np.float32) * np.float32(log_uniform(rng, 1.5, 12))


def _rolled(rng: np.random.Generator, size: int) -> Grey:
    streaks = textures.cut(rng, str(rng.choice(["rolling", "fine lines", "brushed", "long"])), size)
    if rng.random() < 0.5:
        streaks = streaks.T
    return np.asarray(streaks * np.float32(log_uniform(rng, 0.6, 8)), np.float32)


def _cast(rng: np.random.Generator, size: int) -> Grey:
    """Islands of scale with soft edges, darker or brighter than the metal between them."""
    field = textures.cut(rng, str(rng.choice(["cloud", "blotches"])), size, log_uniform(rng, 0.6, 2.5))
    island = np.tanh((field - np.float32(rng.normal(0, 0.8))) * np.float32(log_uniform(rng, 1, 8)))
    return np.asarray(island * np.float32(log_uniform(rng, 1.5, 14) * rng.choice([-1, 1])), np.float32)


_KINDS = (_speckle, _grain, _grinding, _rolled, _cast)
