"""Marks on the metal: those of the die stand at one place on all its sheets, scratches and dust do not."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from simulator.strangers.shaded_dies import Die, holes, rng_of
from simulator.strangers.shaded_fields import Field, Placement, ramp, window

FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX)


def groove(
    height: Field, points: NDArray[np.float64], width: float, depth: float, rng: np.random.Generator, skip: float
) -> None:
    """Cuts a scratch into the metal along the points (n, 2), in place; `skip` is the share where the tool jumped."""
    low, high = points.min(axis=0) - 8, points.max(axis=0) + 8
    left, top = np.maximum(low, 0).astype(int)
    right, bottom = np.minimum(high + 1, height.shape[::-1]).astype(int)
    if right <= left or bottom <= top:
        return
    canvas = np.zeros((bottom - top, right - left), dtype=np.uint8)
    pressure = np.convolve(rng.standard_normal(len(points) + 8), np.ones(9) / 3, mode="valid")
    levels = np.clip(170 + 60 * pressure, 0, 255) * (rng.random(len(points)) > skip)
    shifted = np.round((points - (left, top)) * 16).astype(int)
    for start, end, level in zip(shifted, shifted[1:], levels, strict=False):
        cv2.line(canvas, start.tolist(), end.tolist(), float(level), max(1, round(width)), cv2.LINE_AA, 4)
    cut = cv2.GaussianBlur(canvas.astype(np.float32), (0, 0), 0.45 + 0.22 * width)
    # The metal pushed aside stands as a burr along one edge.
    burr = np.roll(cut, round(width) + 1, axis=0 if np.ptp(points[:, 0]) > np.ptp(points[:, 1]) else 1)
    height[top:bottom, left:right] += (burr * np.float32(0.3) - cut) * np.float32(depth / 255)


def path(
    rng: np.random.Generator, start: NDArray[np.float64], angle: float, length: float, bend: float
) -> NDArray[np.float64]:
    """A smooth, slightly bent line of points 6 px apart, (n, 2)."""
    steps = max(3, int(length / 6))
    heading = angle + np.linspace(0, bend, steps) + 0.012 * np.cumsum(rng.standard_normal(steps))
    points: NDArray[np.float64] = start + np.cumsum(np.column_stack([np.cos(heading), np.sin(heading)]) * 6, axis=0)
    return points


def stamp(height: Field, placement: Placement, rng: np.random.Generator) -> None:
    """Stamps the maker's text into the metal, in place."""
    rows, columns = height.shape
    letters = (
        "".join(rng.choice([*"ABCDEFHKLMNPRSTX"], 2))
        + f"-{rng.integers(10, 999)} {rng.integers(1, 9)}.{rng.integers(0, 9)}"
    )
    font, scale, thick = int(rng.choice(FONTS)), float(rng.uniform(1.4, 3.2)), int(rng.integers(3, 7))
    (wide, tall), below = cv2.getTextSize(letters, font, scale, thick)
    canvas = np.zeros((tall + below + 24, wide + 24), dtype=np.uint8)
    cv2.putText(canvas, letters, (12, tall + 12), font, scale, 255, thick, cv2.LINE_AA)
    relief = cv2.GaussianBlur(canvas.astype(np.float32) / 255, (0, 0), float(rng.uniform(1.4, 2.4)))
    turn = math.radians(float(rng.choice([0.0, 90.0, 180.0])) + float(rng.normal() * 0.8))
    at = rng.uniform(0.15, 0.85, 2) * (columns, rows)
    turned = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    to_picture = placement.forward[:, :2] @ turned
    middle = placement.points(at[None])[0]
    box, xx, yy = window(middle[0], middle[1], wide * 0.55 + 40, rows, columns)
    back = np.linalg.inv(to_picture)
    map_x = xx * np.float32(back[0, 0]) + yy * np.float32(back[0, 1]) + np.float32(canvas.shape[1] / 2)
    map_y = xx * np.float32(back[1, 0]) + yy * np.float32(back[1, 1]) + np.float32(canvas.shape[0] / 2)
    height[box] += cv2.remap(relief, map_x, map_y, cv2.INTER_LINEAR) * np.float32(rng.choice([-1, 1]) * 2.4)


def die_marks(height: Field, die: Die, placement: Placement) -> None:
    """Presses into the metal what is on the die itself, in place: text, tool scratches, dings, small burrs."""
    rng = rng_of("marks", die.number)
    rows, columns = height.shape
    size = np.array([columns, rows], dtype=float)
    stamp(height, placement, rng)
    for _ in range(rng.integers(3, 8)):
        start = rng.uniform(0.05, 0.95, 2) * size
        line = path(rng, start, rng.uniform(0, 2 * math.pi), rng.uniform(80, 650), rng.normal() * 0.3)
        width, depth = rng.uniform(1, 2.6), rng.uniform(0.25, 0.8) * rng.choice([-1, 1])
        groove(height, placement.points(line), width, depth, rng, skip=0.03)
    for _ in range(rng.integers(1, 4)):  # dings
        x, y = placement.points(rng.uniform(0.05, 0.95, (1, 2)) * size)[0]
        radius, turn, aspect = rng.uniform(10, 34), rng.uniform(0, math.pi), rng.uniform(1, 2.2)
        box, xx, yy = window(x, y, radius * 5, rows, columns)
        long = (xx * math.cos(turn) + yy * math.sin(turn)) / aspect
        short = -xx * math.sin(turn) + yy * math.cos(turn)
        depth = radius * rng.uniform(0.12, 0.3) * rng.choice([-1, 1])
        height[box] += (depth * np.exp(-(long**2 + short**2) / (2 * radius**2))).astype(np.float32)
    for _ in range(rng.integers(8, 24)):  # burrs
        x, y = placement.points(rng.uniform(0.02, 0.98, (1, 2)) * size)[0]
        radius, aspect, turn = rng.uniform(1.8, 5.5), rng.uniform(1, 2.4), rng.uniform(0, math.pi)
        box, xx, yy = window(x, y, radius * 7, rows, columns)
        long = (xx * math.cos(turn) + yy * math.sin(turn)) / aspect
        short = -xx * math.sin(turn) + yy * math.cos(turn)
        lump = np.exp(-(((long**2 + short**2) / radius**2) ** 1.5))
        height[box] += (lump * radius * rng.uniform(0.25, 0.6)).astype(np.float32)


def handling(height: Field, rng: np.random.Generator) -> None:
    """Scratches this sheet got on its way, in place: thin, straight or slightly bent, some in bundles."""
    rows, columns = height.shape
    for _ in range(rng.integers(2, 9)):
        start = rng.uniform(0, 1, 2) * (columns, rows)
        angle, bend, length = rng.uniform(0, 2 * math.pi), rng.normal() * 0.15, rng.uniform(60, 900)
        for _ in range(int(rng.choice([1, 1, 1, 2, 4]))):
            line = path(rng, start + rng.normal(size=2) * 14, angle, length * rng.uniform(0.5, 1), bend)
            groove(height, line, rng.uniform(0.8, 1.8), rng.uniform(0.12, 0.5), rng, skip=0.12)


def cut_holes(image: Field, die: Die, u: Field, v: Field, placement: Placement) -> None:
    """Shows what lies behind the port holes, in place: dark, with a bright burr on the cut."""
    rows, columns = image.shape
    for hole_u, hole_v, radius in holes(die, rows, columns):
        x, y = placement.points(np.array([[hole_u, hole_v]]))[0]
        box, _, _ = window(x, y, radius + 30, rows, columns)
        away = np.hypot(u[box] - np.float32(hole_u), v[box] - np.float32(hole_v)) - np.float32(radius)
        metal = ramp(away, -1.2, 2.4)
        edge = np.exp(-(((away - 2.5) / 2.2) ** 2))
        image[box] = (image[box] * (1 + 0.5 * edge)) * metal + (1 - metal) * np.float32(14)


def dust(image: Field, rng: np.random.Generator) -> None:
    """Specks and short fibres, dark or light, in place."""
    rows, columns = image.shape
    for _ in range(int(rng.integers(10, 50) * rows * columns / 4e6) + 2):
        x, y = rng.uniform(0, columns), rng.uniform(0, rows)
        radius = float(np.exp(rng.uniform(math.log(0.7), math.log(3.2))))
        box, xx, yy = window(x, y, radius * 4 + 2, rows, columns)
        speck = np.exp(-(((xx**2 + (yy * rng.uniform(0.6, 1.6)) ** 2) / radius**2) ** 1.3))
        image[box] *= (1 + speck * rng.choice([-0.45, -0.3, 0.35]) * rng.uniform(0.4, 1)).astype(np.float32)
    for _ in range(rng.integers(0, 5)):
        line = path(
            rng, rng.uniform(0, 1, 2) * (columns, rows), rng.uniform(0, 6.3), rng.uniform(40, 120), rng.normal()
        )
        box, _, _ = window(line[:, 0].mean(), line[:, 1].mean(), 80, rows, columns)
        canvas = np.zeros(image[box].shape, dtype=np.uint8)
        shifted = np.round((line - (box[1].start, box[0].start)) * 16).astype(np.int32)
        cv2.polylines(canvas, [shifted[:, None]], isClosed=False, color=255, thickness=1, lineType=cv2.LINE_AA, shift=4)
        image[box] *= 1 - canvas.astype(np.float32) * np.float32(rng.uniform(0.15, 0.4) / 255)
