"""Bare metal: five kinds of surface, as fields of about unit deviation."""

import cv2
import numpy as np

from simulator.strangers.drawn_noise import Field, patchy, settle, spectral

FINISHES = ("mottled", "brushed", "peel", "grains", "matt")


def finish(rng: np.random.Generator, kind: str, rows: int, columns: int, coarse: float) -> Field:
    """(rows, columns) of surface `kind` (one of FINISHES); `coarse` scales its features."""
    if kind == "mottled":
        surface = spectral(rng, rows, columns, (5 * coarse, rng.uniform(60, 400)), rng.uniform(0.6, 1.3))
        return np.asarray(surface + 0.5 * _fine(rng, rows, columns, 0.9), np.float32)
    if kind == "brushed":
        return _brushed(rng, rows, columns, coarse)
    if kind == "peel":
        low = rng.uniform(11, 22) * coarse
        waves = spectral(rng, rows, columns, (low, 3 * low), 0, rng.uniform(0.8, 1.6))
        return np.asarray(settle(np.tanh(0.8 * waves + 0.3)) + 0.35 * _fine(rng, rows, columns, 1), np.float32)
    if kind == "grains":
        return _grains(rng, rows, columns, coarse)
    speckle = _fine(rng, rows, columns, rng.uniform(0.7, 1.2) * coarse)
    clouds = 0.4 * spectral(rng, rows, columns, (14, 200), 1)
    return np.asarray(speckle + 0.18 * (speckle * speckle - 1) + clouds, np.float32)


def _fine(rng: np.random.Generator, rows: int, columns: int, sigma: float) -> Field:
    """Fine noise of unit deviation."""
    noise = cv2.GaussianBlur(rng.standard_normal((rows, columns), dtype=np.float32), (0, 0), sigma)
    return np.asarray(noise * np.float32(1 / noise[::7, ::7].std()), np.float32)


def _brushed(rng: np.random.Generator, rows: int, columns: int, coarse: float) -> Field:
    """Lines of the brush: short and long ones, drawn out along rows or columns."""
    upright = rng.random() < 0.5
    high, wide = (columns, rows) if upright else (rows, columns)
    white = rng.standard_normal((high, wide), dtype=np.float32)
    short = cv2.blur(white, (int(rng.uniform(25, 60)), 1))
    long_ = cv2.blur(np.roll(white, 977, 0), (int(rng.uniform(150, 400)), 1))
    lines = cv2.GaussianBlur(settle(short) + rng.uniform(0.6, 1.2) * settle(long_), (1, 7), 0.7 * coarse)
    lines = settle(lines) * (1 + 0.25 * patchy(rng, high, wide, 300))
    return np.asarray(np.ascontiguousarray(lines.T) if upright else lines, np.float32)


def _grains(rng: np.random.Generator, rows: int, columns: int, coarse: float) -> Field:
    """Grains of a Voronoi pattern, each with its own tone, between fine dark boundaries."""
    high, wide = rows // 2 + 1, columns // 2 + 1
    size = rng.uniform(3, 5.5) * coarse
    seeds = np.ones((high, wide), np.uint8)
    count = int(high * wide / size**2)
    seeds[rng.integers(0, high, count), rng.integers(0, wide, count)] = 0
    _, labels = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    tones = rng.standard_normal(int(labels.max()) + 1, dtype=np.float32)[labels]
    bounds = np.zeros((high, wide), np.float32)
    bounds[1:, 1:] = (labels[1:, 1:] != labels[:-1, 1:]) | (labels[1:, 1:] != labels[1:, :-1])
    picture = 0.7 * tones - rng.uniform(0.6, 1.8) * cv2.GaussianBlur(bounds, (0, 0), 0.6)
    whole = cv2.resize(settle(picture), (columns, rows), interpolation=cv2.INTER_LINEAR)
    return np.asarray(whole + 0.3 * _fine(rng, rows, columns, 0.8), np.float32)
