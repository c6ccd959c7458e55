"""The forms of cracks: jagged lines of uneven width and strength, with gaps, forks and strands."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from simulator.strangers.shaded_fields import Field

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Strand:
    """One line of a crack.

    Attributes:
        points: Its centre line, (n, 2), about 1 px apart, from the crack's middle.
        half: Half its width at each point, (n,), pixels.
        strength: Its strength at each point, (n,), 0 in a gap, about 1 elsewhere.
        soft: Softness of its left and right side, pixels.
        blunt: Its start and its end are cut off.
    """

    points: Points
    half: NDArray[np.float64]
    strength: NDArray[np.float64]
    soft: tuple[float, float]
    blunt: tuple[bool, bool]


@dataclass(frozen=True)
class Layer:
    """A crack on a small canvas, whose middle is the crack's: light (mean 1 over the mask) and mask, (side, side)."""

    light: Field
    mask: NDArray[np.bool_]


def wavering(rng: np.random.Generator, count: int, length: float) -> NDArray[np.float64]:
    """A series of unit variance that forgets itself over `length` steps, (count,)."""
    pad = int(length * 3) + 1
    kernel = np.exp(-0.5 * (np.arange(-pad, pad + 1) / max(length, 0.3)) ** 2)
    raw = rng.standard_normal(count + 2 * pad)
    return np.convolve(raw, kernel / math.sqrt((kernel**2).sum()), mode="valid")


def fractal_line(rng: np.random.Generator, length: float, roughness: float, bend: float, width: float) -> Points:
    """A line along x from 0 to about `length` that breaks from grain to grain, resampled to 1 px, (n, 2).

    Facets have lengths of a broad spread, most longer than the line is wide. At each the line turns, mostly back, by
    an angle that `roughness` sets. A slow drift and a bow lie over it.
    """
    corners, heading, drift, walked = [np.zeros(2)], 0.0, 0.0, 0.0
    side = 1 if rng.random() < 0.5 else -1
    while walked < length:
        facet = min(length / 2.5, 50.0, 0.75 * width + 0.55 * width * rng.pareto(1.8))
        side = -side if rng.random() < 0.72 else side
        drift = 0.9 * drift + 0.12 * roughness * rng.standard_normal()
        heading = drift + side * abs(rng.normal()) * 1.05 * roughness + bend * (walked / length - 0.5)
        heading = max(-1.3, min(1.3, heading))
        corners.append(corners[-1] + facet * np.array([math.cos(heading), math.sin(heading)]))
        walked += facet * math.cos(heading)
    coarse = np.array(corners)
    steps = np.hypot(*np.diff(coarse, axis=0).T)
    at = np.concatenate([[0], np.cumsum(steps)])
    fine = np.arange(0, at[-1], 1.0)
    line = np.column_stack([np.interp(fine, at, coarse[:, 0]), np.interp(fine, at, coarse[:, 1])])
    line += roughness * 0.7 * np.stack([wavering(rng, len(line), 2.5) for _ in range(2)], axis=1)  # grain by grain
    return line


def strand(rng: np.random.Generator, points: Points, width: float, roughness: float, *, tail: bool = False) -> Strand:
    """Gives a line its width (pixels, where it is widest), strength, gaps and ends."""
    count = len(points)
    way = np.linspace(0, 1, count)
    half = width / 2 * np.exp(0.22 * wavering(rng, count, count * 0.18 + 4) + 0.12 * wavering(rng, count, 3))
    half = np.minimum(half, width / 2 * 1.15)
    cut_off = 0.4 if width < 11 else 0.08
    blunt = (tail or bool(rng.random() < cut_off), bool(rng.random() < cut_off))
    reach = rng.uniform(0.15, 0.5)
    for end, cut in enumerate(blunt):
        if not cut:
            from_end = way if end == 0 else 1 - way
            half *= np.clip(from_end / reach, 0.0, 1) ** 0.55
    strength = np.exp(0.28 * wavering(rng, count, count * 0.12 + 3) + 0.15 * wavering(rng, count, 2.5))
    if not tail:
        for _ in range(rng.poisson(0.5 + count / 160 * roughness)):
            gap = rng.uniform(3, 12)
            at = rng.uniform(0.15, 0.85) * count
            strength *= 1 - rng.uniform(0.75, 1.0) / (
                1 + np.exp(np.clip((np.abs(np.arange(count) - at) - gap / 2) / 0.8, -30, 30))
            )
    hard, soft = rng.uniform(0.45, 0.8), rng.uniform(0.9, 2.6)
    sides = (hard, soft) if rng.random() < 0.5 else (soft, hard)
    return Strand(points, np.maximum(half, 0.7), strength, sides, blunt)


def crack(rng: np.random.Generator) -> list[Strand]:
    """The strands of one crack about its middle, the main line along x: its form is drawn at random."""
    length = float(np.exp(rng.uniform(math.log(20), math.log(300))))
    form = str(rng.choice(["jagged", "straight", "bent", "brittle"], p=[0.5, 0.15, 0.15, 0.2]))
    roughness = {
        "jagged": rng.uniform(0.3, 0.75),
        "straight": rng.uniform(0.06, 0.16),
        "bent": rng.uniform(0.08, 0.25),
        "brittle": rng.uniform(0.65, 1.0),
    }[form]
    bend = float(rng.normal() * (0.9 if form == "bent" else 0.25))
    width = float(rng.uniform(6, 8.5) if form == "brittle" else min(rng.uniform(6, 18), 4.5 + max(1.5, length / 13)))
    main = fractal_line(rng, length, roughness, bend, width)
    middle = (main.min(axis=0) + main.max(axis=0)) / 2
    main -= middle
    strands = [strand(rng, main, width, roughness)]
    if form in {"jagged", "brittle"} and length > 60:
        forks = int(rng.choice([0, 1, 2, 3], p=[0.4, 0.35, 0.17, 0.08]))
        strands.extend(fork(rng, main, length, width, roughness) for _ in range(forks))
    if length > 40 and rng.random() < 0.28:
        strands.extend(beside(rng, main, length, width, roughness))
    return strands


def fork(rng: np.random.Generator, main: Points, length: float, width: float, roughness: float) -> Strand:
    """A branch that leaves the main line at a sharp angle."""
    at = int(rng.uniform(0.2, 0.85) * len(main))
    branch = fractal_line(rng, length * rng.uniform(0.15, 0.45), roughness, 0.0, width * 0.65)
    turn = rng.uniform(0.35, 1.1) * rng.choice([-1, 1]) + (math.pi if rng.random() < 0.2 else 0)
    turned = branch @ np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    return strand(rng, turned + main[at], width * rng.uniform(0.4, 0.7), roughness, tail=True)


def beside(rng: np.random.Generator, main: Points, length: float, width: float, roughness: float) -> list[Strand]:
    """Further strands that run beside the main line and overlap it in part."""
    strands = []
    side = rng.choice([-1, 1])
    for order in range(1, int(rng.choice([2, 2, 3]))):
        line = fractal_line(rng, length * rng.uniform(0.3, 0.8), roughness * 0.7, 0.1, width)
        start = main[int(rng.uniform(0, 0.6) * len(main))]
        away = side * order * (width * 1.15 + rng.uniform(5, 15))
        strands.append(
            strand(rng, line + start + np.array([rng.normal() * 10, away]), width * rng.uniform(0.4, 0.75), roughness)
        )
    return strands


def draw(rng: np.random.Generator, strands: list[Strand], angle: float) -> Layer:
    """Draws the strands, turned by `angle`, on a canvas of their own."""
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    lines = [one.points @ turn for one in strands]
    side = 2 * int(np.abs(np.concatenate(lines)).max() + 30) + 1
    light, body = np.zeros((side, side), dtype=np.float32), np.zeros((side, side), dtype=np.float32)
    shadow = np.zeros((side, side), dtype=np.float32)
    depth = rng.uniform(0.1, 0.3) if rng.random() < 0.35 else 0.0
    core = rng.uniform(0.3, 0.6) if rng.random() < 0.2 else 0.0
    for one, line in zip(strands, lines, strict=True):
        drawn, solid, dark = draw_strand(rng, one, line + side // 2, side, core)
        light, body, shadow = np.maximum(light, drawn), np.maximum(body, solid), np.maximum(shadow, dark)
    mask = body > 0.4
    light -= np.float32(depth) * shadow * (1 - np.minimum(body, 1))
    mean = float(light[mask].mean()) if mask.any() else 1.0
    return Layer(light / np.float32(max(mean, 0.05)), mask)


def draw_strand(
    rng: np.random.Generator, one: Strand, line: Points, side: int, core: float
) -> tuple[Field, Field, Field]:
    """One strand on a (side, side) canvas: its light, its body (0 to 1, no texture), its shadow on the hard side."""
    owner = np.full((side, side), -1, dtype=np.int32)
    cells = np.clip(np.round(line).astype(int), 0, side - 1)
    owner[cells[:, 1], cells[:, 0]] = np.arange(len(line))
    away, label = cv2.distanceTransformWithLabels(
        (owner < 0).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    names = np.full(int(label.max()) + 1, -1, dtype=np.int32)
    names[label[owner >= 0]] = owner[owner >= 0]
    y, x = np.nonzero(away < one.half.max() + 14)
    nearest = names[label[y, x]]
    smooth = cv2.GaussianBlur(line, (1, 0), sigmaX=0.1, sigmaY=2.5) if len(line) > 8 else line
    tangent = np.gradient(smooth, axis=0)
    tangent /= np.maximum(np.hypot(*tangent.T), 1e-6)[:, None]
    from_x, from_y = x - line[nearest, 0], y - line[nearest, 1]
    t_x, t_y = tangent[nearest].T
    across, along = t_x * from_y - t_y * from_x, t_x * from_x + t_y * from_y
    far = np.hypot(from_x, from_y)
    left = across < 0
    ragged = rng.uniform(0.04, 0.14)
    uneven = np.stack([1 + ragged * wavering(rng, len(line), 2.2) for _ in range(2)])
    half = one.half[nearest] * uneven[left.astype(int), nearest]
    soft = np.where(left, one.soft[0], one.soft[1]) * np.clip(half / 3, 0.4, 1)
    inside = 1 / (1 + np.exp(np.clip((far - half) / soft, -30, 30)))
    for cut, is_end, sign in zip(one.blunt, (nearest < 2, nearest >= len(line) - 2), (-1, 1), strict=True):
        if cut:
            inside *= np.where(is_end, 1 / (1 + np.exp(np.clip((sign * along - 1) / 0.7, -30, 30))), 1)
    body = inside * one.strength[nearest]
    # A lip leans to the light on one side; the face of the fracture glitters; a wide crack may show a dark core.
    lean = 1 + 0.28 * np.clip(across / np.maximum(half, 1), -1, 1) * (1 if one.soft[0] > one.soft[1] else -1)
    glitter = cv2.GaussianBlur(rng.standard_normal((side, side)).astype(np.float32), (0, 0), 1.4) * 4.9
    bright = rng.uniform(0.04, 0.16)
    dark = 1 - core * np.exp(-((across / 1.1) ** 2)) * np.clip(half / 4 - 0.7, 0, 1)
    hard_side = left == (one.soft[0] < one.soft[1])
    shade = np.exp(-(((far - half - 2.2) / 2.0) ** 2)) * hard_side * one.strength[nearest]
    out = np.zeros((3, side, side), dtype=np.float32)
    out[0, y, x] = body * lean * dark * np.clip(1 + bright * glitter[y, x], 0.3, 2)
    out[1, y, x] = np.minimum(body, 1.2)
    out[2, y, x] = shade
    return out[0], out[1], out[2]
