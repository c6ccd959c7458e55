"""What is pressed into a sheet: waves of ridges (chevrons, straight, fishbone, washboard), studs, beads."""

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.interpolate import CubicSpline

from simulator.strangers.drawn_noise import Field, process
from simulator.strangers.drawn_ridges import STEP, Look, spline, unroll

COARSE = 4
"""Pixels a sample of a guide stands for."""


@dataclass(frozen=True)
class Relief:
    """What is pressed into the sheets of a die, seen from above.

    Attributes:
        canvas: (rows, columns) float32 grey levels to add to flat metal.
        guide: (rows / COARSE, columns / COARSE) float32 px across the nearest ridge, from its crest.
    """

    canvas: Field
    guide: Field


@dataclass(frozen=True)
class Course:
    """How ridges run.

    Attributes:
        pitch: px from ridge to ridge.
        slope: how steeply they run down or up.
        fold: px from turn to turn; 0 where they never turn.
        round_: px over which a turn is rounded.
        vary: how far the pitch varies, as a share of it.
        spine: half width of the flat spine where a ridge turns, px; 0 is none.
        margin: flat px around.
        upright: ridges run from top to bottom.
    """

    pitch: float
    slope: float
    fold: float = 0
    round_: float = 30
    vary: float = 0
    spine: float = 0
    margin: float = 0
    upright: bool = False


def waves(rng: np.random.Generator, course: Course, look: Look, rows: int, columns: int) -> Relief:
    """Ridges that lie beside each other."""
    high, wide = (columns, rows) if course.upright else (rows, columns)
    x = np.arange(wide)
    fold = course.fold or 4 * wide
    phase = (x + rng.uniform(0.2, 0.8) * fold) / fold
    rising = (np.floor(phase) % 2 == 0).astype(np.float64)
    soft = cv2.GaussianBlur((2 * rising - 1).reshape(1, -1), (0, 0), course.round_).ravel()
    shift = np.cumsum(soft) * course.slope
    shift += course.pitch * 0.12 * process(rng, 1, wide, 700)[0]
    shift -= shift.min()
    span = int(high + shift.max()) + 2
    pitches = course.pitch * np.exp(course.vary * process(rng, 1, int(3 * span / course.pitch) + 8, 7)[0])
    edges = np.cumsum(pitches.astype(np.float64)) - course.pitch * rng.uniform(0.5, 1.5)
    centres = edges - pitches / 2
    kept = centres < span + course.pitch
    samples = np.arange(wide // STEP + 2) * STEP
    at = np.minimum(samples, wide - 1)
    y = centres[kept][:, None] - shift[at][None]
    ragged = course.margin + 0.15 * course.pitch * rng.standard_normal((y.shape[0], 1))
    inside = (y > ragged) & (y < high - ragged) & (samples > ragged) & (samples < wide - ragged)
    if not course.margin:
        inside[:] = True
    if course.spine:
        turn = np.abs(phase[at] - np.rint(phase[at])) * fold
        inside &= turn > course.spine + 0.1 * course.pitch * rng.standard_normal((y.shape[0], 1))
    turned = ((soft[at] + 1) / 2).astype(np.float32)
    flat = unroll(rng, look, (centres[kept], pitches[kept].astype(np.float64)), inside, turned, span)
    across = np.broadcast_to((x / STEP).astype(np.float32), (high, wide))
    down = np.arange(high, dtype=np.float32)[:, None] + shift.astype(np.float32)[None]
    canvas = cv2.remap(flat, np.ascontiguousarray(across), down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    near = np.clip(np.searchsorted(edges, down[::COARSE, ::COARSE].ravel()), 0, len(centres) - 1)
    guide = (down[::COARSE, ::COARSE].ravel() - centres[near]).reshape(down[::COARSE, ::COARSE].shape)
    if course.upright:
        canvas, guide = np.ascontiguousarray(canvas.T), np.ascontiguousarray(guide.T)
    return Relief(np.asarray(canvas, np.float32), np.asarray(guide, np.float32))


def studs(rng: np.random.Generator, look: Look, pitch: float, rows: int, columns: int) -> Relief:
    """Round studs or dimples on a lattice, each lit its own way."""
    canvas, guide = np.zeros((rows, columns), np.float32), np.full((rows // COARSE, columns // COARSE), 1e3, np.float32)
    radius, half = pitch * rng.uniform(0.24, 0.33), int(pitch * 0.48)
    table = spline(rng, 6, look.broad)
    table = np.concatenate([table[len(table) // 2 :], np.zeros(1, np.float32)])
    around = np.concatenate([ring := rng.uniform(-0.3, 1.3, 7), ring[:1]])
    lit = CubicSpline(np.linspace(0, 2 * np.pi, 8), around, bc_type="periodic")
    grid = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float32)
    r, angle = np.hypot(*grid) / radius, np.arctan2(*grid) % (2 * np.pi)
    lean = lit(angle).astype(np.float32)
    body = table[np.minimum(r / 1.35 * (len(table) - 1), len(table) - 1).astype(np.intp)]
    rim = np.exp(-(((r - 0.62) * radius / (1.6 * look.crest_width)) ** 2)) * lean
    foot = np.exp(-(((r - 1.12) * radius / (3 * look.crest_width)) ** 2)) * np.roll(lean[::-1, ::-1], 0)
    places = [
        (pitch * (j + 0.5 * (i % 2)) + rng.normal(0, 1), pitch * 0.87 * i + rng.normal(0, 1))
        for i in range(int(rows / pitch / 0.87) + 2)
        for j in range(int(columns / pitch) + 2)
    ]
    for x, y in places:
        left, top = round(x) - half, round(y) - half
        x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + 2 * half + 1, columns), min(top + 2 * half + 1, rows)
        if x1 - x0 < 8 or y1 - y0 < 8 or rng.random() < 0.01:
            continue
        wave = 1 + look.uneven * np.cos(angle * int(rng.integers(1, 4)) + rng.uniform(0, 6.3))
        own = np.exp(0.4 * look.uneven * rng.standard_normal(3))
        patch = own[0] * body + own[1] * look.crest * rim * wave + own[2] * look.valley * foot
        cut = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
        canvas[y0:y1, x0:x1] += patch[cut].astype(np.float32)
        far = ((r - 0.62) * radius)[cut][::COARSE, ::COARSE]
        place = guide[y0 // COARSE :, x0 // COARSE :][: far.shape[0], : far.shape[1]]
        place[:] = np.where(np.abs(far) < np.abs(place), far[: place.shape[0], : place.shape[1]], place)
    return Relief(canvas, guide)


def rounded(rows: int, columns: int, box: tuple[float, float, float, float], corner: float, step: int = 1) -> Field:
    """(rows / step, columns / step) px from a box (centre x, y, half width, half height); under 0 inside."""
    x = np.abs(np.arange(0, columns, step, dtype=np.float32) - box[0]) - (box[2] - corner)
    y = np.abs(np.arange(0, rows, step, dtype=np.float32) - box[1])[:, None] - (box[3] - corner)
    outside = np.hypot(np.maximum(x, 0)[None], np.maximum(y, 0))
    return np.asarray(outside + np.minimum(np.maximum(x[None], y), 0) - corner, np.float32)


def bead(
    rng: np.random.Generator,
    look: Look,
    relief: Relief,
    box: tuple[float, float, float, float],
    corner: float,
    width: float,
) -> Relief:
    """`relief` with a bead (a narrow ridge that closes on itself) along a box with rounded corners, flat inside."""
    rows, columns = relief.canvas.shape
    coarse = rounded(rows, columns, box, corner, COARSE)
    distance = cv2.resize(coarse, (columns, rows), interpolation=cv2.INTER_LINEAR)
    table, far = spline(rng, 6, look.broad), np.clip(distance / width, -0.5, 0.5)
    angle = np.arange(0, rows, COARSE)[:, None] - box[1], np.arange(0, columns, COARSE)[None] - box[0]
    turn = ((np.arctan2(*angle) / (2 * np.pi) + 0.5) * 999).astype(np.intp)
    lines = np.concatenate([line := process(rng, 2, 500, 25), line[:, ::-1]], axis=1)
    strength = (1 + look.uneven * 0.6 * lines[0])[turn].astype(np.float32)
    bright = np.exp(look.uneven * lines[1])[turn].astype(np.float32)
    whole = [cv2.resize(part, (columns, rows)) for part in (strength, bright)]
    drawn = table[np.rint((far + 0.5) * (len(table) - 1)).astype(np.intp)] * whole[0]
    spot = float(rng.uniform(-0.15, 0.15)) * width
    drawn += look.crest * whole[1] * np.exp(-(((distance - spot) / look.crest_width) ** 2))
    near = coarse[: relief.guide.shape[0], : relief.guide.shape[1]]
    guide = np.where(near > width, relief.guide, np.where(near < -width, np.float32(1e3), near))
    keep = 1 - np.exp(-((np.maximum(distance, 0) / width) ** 4))
    return Relief(np.asarray(relief.canvas * keep + drawn, np.float32), guide)
