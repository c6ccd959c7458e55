"""Training crops of pressed plates whose surface is full of structure: the hardest grounds, with and without cracks.

A third family beside simulator.crops.wild and simulator.crops.other_formulas: steep ridges, crest lines, dimples,
mottle, lips of edges and rims, hair scratches, spots and print; and cracks on, along and across all of these.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from simulator.crops import rough
from simulator.crops.labelled import LabelledCrop, around
from simulator.crops.ridges import boundary, direction, log_uniform, relief, rim, turned
from simulator.crops.wild import disturbance_of
from simulator.sheets import textures
from simulator.sheets.cracks import Form, Grey, centre_line, paint

_CRACKED_SHARE = 0.6
_ROUGH_SHARE = 0.6
"""Of the crops with cracks; the others have smooth ones."""
_LEAST_GREY, _LEAST_CONTRAST = 3.5, 1.5


def training_window(rng: np.random.Generator, size: int, *, other_lines: bool = True) -> LabelledCrop:
    """One crop (size x size): picture, the cracks' pixels, and pixels that are not judged.

    Not judged are a ring of 3 px around each crack, stretches that texture and noise drown, and what oil hides. A
    crack on a steep flank is asked for all the same: ridges are structure, not chance. Without `other_lines` neither a
    dark line nor a hair scratch lies on the sheet beside them.
    """
    texture = _texture(rng, size)
    shade, angle = relief(rng, size) if rng.random() < 0.82 else (np.zeros_like(texture), direction(rng))
    base = rng.uniform(55, 190)
    most = np.float32(0.6 * base)
    picture = base + np.clip(shade, -most, most) + texture
    if rng.random() < 0.5:
        along, across = turned(size, rng.uniform(0, math.pi))
        tilt, bow = rng.uniform(-0.5, 0.5) / size, rng.uniform(-0.5, 0.3) / size**2
        picture *= 1 + np.float32(tilt) * along + np.float32(bow) * (along * along + across * across)
    noise = _noise(rng, size)
    mask, ignore = np.zeros((size, size), np.bool_), np.zeros((size, size), np.bool_)
    if rng.random() < _CRACKED_SHARE:
        paint_cracks = rough.add_cracks if rng.random() < _ROUGH_SHARE else add_cracks
        mask, ignore = paint_cracks(rng, picture, disturbance_of(texture, noise), angle)
    _look_alikes(rng, picture, other_lines=other_lines)
    hidden = _borders(rng, picture)
    if hidden is not None:
        ignore |= mask & hidden
        mask &= ~hidden
    if rng.random() < 0.5:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 1.4)), np.float32)
    image = np.asarray(cv2.add(picture, noise, dtype=cv2.CV_8U), np.uint8)
    return image, mask, (ignore | around(mask)) & ~mask


def _texture(rng: np.random.Generator, size: int) -> Grey:
    """Grain, streaks of rolling or brushing, mottle of 15-80 px."""
    total = np.zeros((size, size), np.float32)
    if rng.random() < 0.6:  # streaks
        name = str(rng.choice(["rolling", "fine lines", "brushed", "long"], p=[0.3, 0.2, 0.35, 0.15]))
        streaks = textures.cut(rng, name, size, log_uniform(rng, 0.8, 2.2))
        if rng.random() < 0.5:
            streaks = streaks.T
        streaks = streaks * np.float32(log_uniform(rng, 0.6, 9))
        if rng.random() < 0.2:
            turn = cv2.getRotationMatrix2D((size / 2, size / 2), rng.uniform(0, 180), 1.0)
            streaks = np.asarray(cv2.warpAffine(streaks, turn, (size, size), borderMode=cv2.BORDER_REFLECT), np.float32)
        total += streaks
    if rng.random() < 0.5:
        name = str(rng.choice(["grain", "coarse", "rough", "fractal", "orange peel"]))
        total += textures.cut(rng, name, size, log_uniform(rng, 0.8, 2)) * np.float32(log_uniform(rng, 0.4, 5))
    if rng.random() < 0.45:
        name = str(rng.choice(["blotches", "cloud", "orange peel", "coarse"], p=[0.5, 0.2, 0.15, 0.15]))
        scale = log_uniform(rng, 0.7, 4.5) * (3.0 if name == "coarse" else 1.0)
        mottle = textures.cut(rng, name, size, scale)
        total += cv2.GaussianBlur(mottle, (0, 0), 1.5) * np.float32(log_uniform(rng, 1.5, 22))
    return total


def _noise(rng: np.random.Generator, size: int) -> Grey:
    noise = textures.noise(rng, size) * np.float32(log_uniform(rng, 0.6, 12))
    if rng.random() < 0.25:
        noise = np.asarray(cv2.GaussianBlur(noise, (0, 0), rng.uniform(0.4, 0.8)), np.float32)
    return np.asarray(noise, np.float32)


def add_cracks(
    rng: np.random.Generator, picture: Grey, disturbance: Grey, ridges: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Add cracks in place; their pixels, and those that cannot be asked for.

    Args:
        rng: draws their number, form and place.
        picture: grey levels (size, size), changed in place.
        disturbance: local standard deviation of what hides a crack (simulator.crops.wild.disturbance_of).
        ridges: direction, radians, along or across which half of the cracks lie.
    """
    size = picture.shape[0]
    mask, ignore = np.zeros((size, size), np.bool_), np.zeros((size, size), np.bool_)
    draw = rng.random()
    bundle = draw < 0.12
    count = int(rng.integers(3, 9)) if bundle else int(rng.choice([1, 2, 3, 4, 6], p=[0.35, 0.25, 0.2, 0.12, 0.08]))
    first = ridges if rng.random() < 0.5 else rng.uniform(0, math.pi)
    spacing, (x0, y0) = rng.uniform(22, 60), rng.uniform(0.2, 0.8, 2) * size
    for index in range(count):
        width = rng.uniform(7, 10) if rng.random() < 0.35 else rng.uniform(7, 21)
        height = log_uniform(rng, 7, 46) if rng.random() < 0.9 else log_uniform(rng, 30, 100)
        length = max(2.2 * width, log_uniform(rng, 22, 60) if rng.random() < 0.4 else log_uniform(rng, 24, 290))
        along = first if bundle else ridges + rng.choice([0, math.pi / 2]) if rng.random() < 0.5 else None
        angle = rng.uniform(0, math.pi) if along is None else float(along) + rng.normal(0, 0.08)
        line = centre_line(rng, angle, length, abs(rng.normal(0, 0.05 if bundle else 0.3)))
        x, y = rng.uniform(0.02 * size, 0.98 * size, 2)
        if bundle:
            x, y = x0 - (index - 2) * spacing * math.sin(angle), y0 + (index - 2) * spacing * math.cos(angle)
            x, y = x + rng.normal(0, 12), y + rng.normal(0, 12)
        step = min(rng.uniform(0, 22), rng.uniform(0, 0.8) * height) if rng.random() < 0.85 else 0.0
        taper = rng.uniform(0.04, 0.4) if rng.random() < 0.8 else rng.uniform(0.005, 0.04)
        form = Form(width, height, step, rng.uniform(1.5, 6), bool(rng.random() < 0.5), taper)
        patch = paint(line.moved(float(x), float(y)), form, 1.0, 1.0, (size, size))
        if patch is None or not patch.inside.any():
            continue
        rows, columns = patch.added.shape
        place = (slice(patch.y, patch.y + rows), slice(patch.x, patch.x + columns))
        added = patch.added
        if rng.random() < 0.3:  # uneven along its way
            wander = textures.cut(rng, "blotches", size)[:rows, :columns]
            added = added * np.clip(1 + np.float32(0.3) * wander, 0.35, 1.6)
        visible = np.minimum(patch.fade * np.float32(height), np.clip(248 - picture[place], 0, None))
        needed = _LEAST_CONTRAST * rough.contrast_for(width, length)
        seen = patch.inside & (visible > np.maximum(_LEAST_GREY, needed * disturbance[place])) & (patch.fade > 0.4)
        picture[place] += added
        mask[place] |= seen
        ignore[place] |= patch.inside
    return mask, ignore & ~mask


def _look_alikes(rng: np.random.Generator, picture: Grey, *, other_lines: bool) -> None:
    """Hair scratches, round spots, spatter, print."""
    size = picture.shape[0]
    if other_lines and rng.random() < 0.4:
        for _ in range(int(rng.integers(1, 7))):
            _hair(rng, picture)
    if rng.random() < 0.25:
        for _ in range(int(log_uniform(rng, 1, 14))):
            _spot(rng, picture, rng.uniform(0, size), rng.uniform(0, size), log_uniform(rng, 3, 16))
    if rng.random() < 0.1:  # spatter
        x, y = rng.uniform(0.1, 0.9, 2) * size
        spread = rng.uniform(15, 90)
        for _ in range(int(rng.integers(4, 26))):
            _spot(
                rng,
                picture,
                x + rng.normal(0, spread),
                y + rng.normal(0, spread),
                log_uniform(rng, 1.5, 13),
                bright=True,
            )
    if rng.random() < 0.1:
        _print(rng, picture)


def _hair(rng: np.random.Generator, picture: Grey) -> None:
    """A line 1 or 2 px wide of any length: too narrow for a crack."""
    size = picture.shape[0]
    straight = rng.random() < 0.5
    length = log_uniform(rng, 15, 1500)
    line = centre_line(rng, rng.uniform(0, 2 * math.pi), length, 0.02 if straight else abs(rng.normal(0, 0.3)))
    x, y = rng.uniform(0, size, 2)
    xs, ys = line.moved(x, y).points(64)
    points = np.round(np.stack([xs, ys], axis=1) * 16).astype(np.int32).reshape(-1, 1, 2)
    drawn = np.zeros((size, size), np.uint8)
    cv2.polylines(drawn, [points], False, (255,), int(rng.choice([1, 2], p=[0.6, 0.4])), cv2.LINE_AA, 4)
    soft = np.asarray(drawn, np.float32) * np.float32(log_uniform(rng, 6, 80) / 255)
    if rng.random() < 0.3:
        soft *= np.clip(np.float32(0.7) + textures.cut(rng, "blotches", size), 0, 1.3)
    if rng.random() < 0.5:
        soft = np.asarray(cv2.GaussianBlur(soft, (0, 0), rng.uniform(0.3, 0.8)), np.float32)
    picture += soft if rng.random() < 0.8 else -soft


def _spot(rng: np.random.Generator, picture: Grey, x: float, y: float, radius: float, *, bright: bool = False) -> None:
    """A round spot, crisp or soft, up to a third longer than wide."""
    size = picture.shape[0]
    reach = math.ceil(2.2 * radius) + 6
    x0, y0, x1, y1 = max(0, int(x) - reach), max(0, int(y) - reach), int(x) + reach + 1, int(y) + reach + 1
    x1, y1 = min(size, x1), min(size, y1)
    if x1 <= x0 or y1 <= y0:
        return
    dx = (np.arange(x0, x1, dtype=np.float32) - np.float32(x))[None, :]
    dy = (np.arange(y0, y1, dtype=np.float32) - np.float32(y))[:, None]
    turn, stretch = rng.uniform(0, math.pi), np.float32(rng.uniform(1, 1.33))
    a = dx * np.float32(math.cos(turn)) + dy * np.float32(math.sin(turn))
    b = (dy * np.float32(math.cos(turn)) - dx * np.float32(math.sin(turn))) * stretch
    away = np.hypot(a, b)
    if rng.random() < 0.6:
        shape = np.clip((np.float32(radius) - away) / np.float32(log_uniform(rng, 0.8, 5)) + np.float32(0.5), 0, 1)
    else:
        shape = np.exp(-np.square(away / np.float32(0.8 * radius)))
    if rng.random() < 0.2:  # a dark ring around it
        shape = shape - np.float32(0.6) * np.exp(-np.square((away - np.float32(1.3 * radius)) / np.float32(3)))
    sign = 1 if bright or rng.random() < 0.85 else -1
    picture[y0:y1, x0:x1] += np.asarray(shape * np.float32(sign * log_uniform(rng, 8, 90)), np.float32)


def _print(rng: np.random.Generator, picture: Grey) -> None:
    """Dark marking whose gaps and strokes are as wide as cracks; seldom bright."""
    size = picture.shape[0]
    drawn = np.zeros((size, size), np.uint8)
    scale = rng.uniform(1.2, 4.5)
    text = "".join(rng.choice(list("ABCDEFGHKLMNPRSTUVXZ0123456789-/#"), int(rng.integers(2, 8))))
    place = (int(rng.uniform(-0.2, 0.6) * size), int(rng.uniform(0.2, 1.0) * size))
    cv2.putText(drawn, text, place, int(rng.integers(0, 5)), scale, (255,), int(rng.integers(2, 14)), cv2.LINE_AA)
    if rng.random() < 0.4:
        drawn = np.asarray(cv2.dilate(drawn, np.ones((1, int(rng.integers(2, 14))), np.uint8)), np.uint8)
    drawn = np.ascontiguousarray(np.rot90(drawn, int(rng.integers(4))))
    soft = cv2.GaussianBlur(drawn.astype(np.float32), (0, 0), log_uniform(rng, 0.5, 3))
    picture -= np.asarray(soft, np.float32) * np.float32(log_uniform(rng, 10, 70) / 255)


def _borders(rng: np.random.Generator, picture: Grey) -> NDArray[np.bool_] | None:
    """The plate's edge with a lip, port rims, oil beside them, brushed strips; the pixels that lie hidden outside."""
    size = picture.shape[0]
    hidden: NDArray[np.bool_] | None = None
    if rng.random() < 0.12:  # a band that was brushed or ground, beside an edge or on its own
        inside = boundary(rng, size)
        start, width = rng.choice([0.0, rng.uniform(0, 40)]), log_uniform(rng, 10, 70)
        soft = np.float32(log_uniform(rng, 0.8, 8))
        band = np.clip((np.float32(width / 2) - np.abs(inside - np.float32(start + width / 2))) / soft + 0.5, 0, 1)
        streaks = textures.cut(rng, str(rng.choice(["fine lines", "brushed"])), size, rng.uniform(0.8, 1.6))
        if rng.random() < 0.5:
            streaks = streaks.T
        shade = np.float32(rng.uniform(-15, 45)) + streaks * np.float32(log_uniform(rng, 2, 18))
        picture += (band * shade).astype(np.float32)
        hidden = _outside(rng, picture, inside) if rng.random() < 0.6 else None
    draws = rng.random()
    for _ in range(2 if draws < 0.07 else 1 if draws < 0.32 else 0):  # two leave a strip between them
        beyond = _outside(rng, picture, boundary(rng, size))
        hidden = beyond if hidden is None else hidden | beyond
    return hidden


def _outside(rng: np.random.Generator, picture: Grey, inside: Grey) -> NDArray[np.bool_]:
    """Nothing, the table or oil beyond a border; its pixels."""
    if rng.random() < 0.55:
        picture += rim(rng, inside)
    dark = rng.uniform(2, 50) if rng.random() < 0.8 else rng.uniform(50, 230)
    share = np.clip(np.float32(0.5) - inside / np.float32(log_uniform(rng, 0.8, 6)), 0, 1)
    share = share * np.float32(1.0 if rng.random() < 0.7 else rng.uniform(0.6, 1.0))
    picture += (np.float32(dark) - picture) * share
    return np.asarray(inside < 4, np.bool_)
