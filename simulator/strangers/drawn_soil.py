"""What lies on a sheet that day: stains of lubricant, water spots, lint, fingerprints."""

import cv2
import numpy as np

from simulator.strangers.drawn_noise import Field, patchy, process

SMALL = 2
"""Soil is soft: it is drawn at a half of the size."""


def soil(rng: np.random.Generator, rows: int, columns: int) -> Field:
    """(rows, columns) grey levels that soil adds to a sheet; under 0 where it darkens."""
    small = np.zeros((rows // SMALL + 1, columns // SMALL + 1), np.float32)
    share = rows * columns / 8.6e6
    for _ in range(rng.poisson(3 * share)):
        _stain(rng, small)
    for _ in range(int(rng.choice([0, 4, 25]) * share)):
        _spot(rng, small)
    for _ in range(rng.poisson(1.2 * share)):
        _fingerprint(rng, small)
    whole = np.asarray(cv2.resize(small, (columns, rows), interpolation=cv2.INTER_LINEAR), np.float32)
    for _ in range(rng.poisson(5 * share)):
        _lint(rng, whole)
    return whole


def _place(rng: np.random.Generator, canvas: Field, half: int) -> tuple[slice, slice] | None:
    """A random square of 2 `half`, wholly inside; None where the sheet is too small for it."""
    rows, columns = canvas.shape
    if min(rows, columns) <= 2 * half:
        return None
    y, x = int(rng.integers(0, rows - 2 * half)), int(rng.integers(0, columns - 2 * half))
    return slice(y, y + 2 * half), slice(x, x + 2 * half)


def _stain(rng: np.random.Generator, canvas: Field) -> None:
    """Lubricant: a ragged patch, dark or bright, with a rim where it dried."""
    half = int(rng.uniform(45, 190))
    if (place := _place(rng, canvas, half)) is None:
        return
    grid = np.mgrid[-1 : 1 : 2j * half, -1 : 1 : 2j * half].astype(np.float32)
    edge = 0.62 - np.hypot(grid[0] * rng.uniform(1, 1.8), grid[1]) + 0.13 * patchy(rng, 2 * half, 2 * half, half / 2.5)
    edge += 0.025 * patchy(rng, 2 * half, 2 * half, 9)
    body = 1 / (1 + np.exp(-np.clip(edge * rng.uniform(15, 60), -30, 30)))
    rim = np.exp(-(((edge - 0.03) / rng.uniform(0.025, 0.06)) ** 2))
    tone = rng.choice([-1, -1, 1]) * rng.uniform(4, 22)
    body *= tone * (1 + 0.2 * patchy(rng, 2 * half, 2 * half, 30))
    fade = np.clip(3 * (1 - np.abs(grid).max(0)), 0, 1)
    canvas[place] += fade * (body + rng.choice([-1, 1]) * rng.uniform(3, 12) * rim)


def _spot(rng: np.random.Generator, canvas: Field) -> None:
    """A drop of water that dried: a thin ring, a faint floor."""
    half = int(rng.uniform(8, 45))
    if (place := _place(rng, canvas, half)) is None:
        return
    grid = np.mgrid[-1 : 1 : 2j * half, -1 : 1 : 2j * half].astype(np.float32)
    r = np.hypot(grid[0] * rng.uniform(1, 1.25), grid[1]) + 0.04 * patchy(rng, 2 * half, 2 * half, half / 2)
    ring = np.exp(-(((r - 0.72) * half / rng.uniform(1.5, 3)) ** 2))
    canvas[place] += rng.choice([-1, -1, 1]) * rng.uniform(3, 11) * (ring + rng.uniform(-0.2, 0.5) * (r < 0.72))


def _fingerprint(rng: np.random.Generator, canvas: Field) -> None:
    """The ridges of a finger: bent rings about a core, seen in parts."""
    half = 150
    if (place := _place(rng, canvas, half)) is None:
        return
    grid = np.mgrid[-1 : 1 : 2j * half, -1 : 1 : 2j * half].astype(np.float32)
    turn = rng.uniform(0, 6.3)
    a, b = grid[1] * np.cos(turn) + grid[0] * np.sin(turn), grid[0] * np.cos(turn) - grid[1] * np.sin(turn)
    bend = np.hypot(a * 1.3, b + 0.35 * a * a) + 0.035 * patchy(rng, 2 * half, 2 * half, 60)
    lines = np.maximum(np.sin(bend * 2 * np.pi * rng.uniform(26, 32) * half / 150), -0.2)
    pressed = np.clip(0.8 + 0.7 * patchy(rng, 2 * half, 2 * half, 55), 0, 1.4) * np.clip(
        4 * (0.85 - np.hypot(a * 1.35, b)), 0, 1
    )
    canvas[place] += rng.choice([-1, -1, 1]) * rng.uniform(3, 9) * lines * pressed


def _lint(rng: np.random.Generator, canvas: Field) -> None:
    """A fibre: 2 to 3 px thin, long, smoothly bent; mostly dark."""
    length = int(rng.uniform(60, 260))
    heading = rng.uniform(0, 6.3) + rng.uniform(0.4, 1.4) * process(rng, 1, length, rng.uniform(30, 90))[0]
    points = np.cumsum(np.stack([np.cos(heading), np.sin(heading)], 1), axis=0) + 8
    points -= points.min(0) - 8
    wide, high = (int(v) + 16 for v in points.max(0))
    ink = np.zeros((high, wide), np.uint8)
    cv2.polylines(ink, [np.rint(points * 16).astype(np.int32)], False, 255, int(rng.integers(1, 3)), cv2.LINE_AA, 4)
    if high >= canvas.shape[0] or wide >= canvas.shape[1]:
        return
    y, x = int(rng.integers(0, canvas.shape[0] - high)), int(rng.integers(0, canvas.shape[1] - wide))
    tone = rng.choice([-1, -1, -1, 0.7]) * rng.uniform(12, 45) / 255
    canvas[y : y + high, x : x + wide] += tone * cv2.GaussianBlur(ink, (0, 0), 0.7).astype(np.float32)
