"""The drawn family: sheets of pressed stainless steel made without any model of light.

Profiles, strengths and textures come from random splines and random processes. Nothing is trained, chosen or tuned on
these sheets, and they share no code and no formula with the sheets that are.
"""

import zlib
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from simulator.strangers import drawn_marks as marks
from simulator.strangers.drawn_cracks import Ground, crack
from simulator.strangers.drawn_forms import COARSE, Relief
from simulator.strangers.drawn_metal import FINISHES, finish
from simulator.strangers.drawn_noise import Field, patchy, process
from simulator.strangers.drawn_products import Product, product
from simulator.strangers.drawn_soil import soil
from simulator.strangers.sheet import StrangerSheet

_PAD = 60
"""Pressed metal around the picture, so that a shifted and turned sheet fills it; px."""
_NAME = zlib.crc32(b"drawn")


@dataclass(frozen=True)
class _Die:
    """All that the sheets of one die share; its pictures are _PAD larger on every side."""

    product: Product
    relief: Relief


def render(
    seed: int, die: int, cracks: int, rows: int = 2400, columns: int = 3600, *, plain: bool = False
) -> StrangerSheet:
    """Draws one sheet.

    Args:
        seed: what differs from sheet to sheet, 0 or more.
        die: what all sheets of a product share, 0 or more. Dies 0 to 5 differ strongly.
        cracks: how many cracks to draw; fewer where no more fit 80 px apart.
        rows: height, px of 0.05 mm.
        columns: width, px.
        plain: without stains, bands of light and most noise.

    Returns:
        The same sheet for the same arguments.
    """
    made = _die(die, rows, columns)
    streams = [np.random.default_rng([_NAME, 1, die, seed, part]) for part in range(5)]
    canvas, guide = _laid(streams[0], made.relief, rows, columns)
    clean = _metal(streams[1], made.product, canvas)
    stained = np.zeros((1, 1), np.float32) if plain else soil(streams[2], rows, columns)
    clean = clean + stained * np.clip(clean / 110, 0.3, 1.3)
    light = streams[3]
    clean *= np.float32(np.exp(light.normal(0, 0.06)))
    if not plain:
        clean *= _banding(light, rows, columns)
    clean = np.asarray(cv2.GaussianBlur(clean, (0, 0), light.uniform(0.5, 0.9)), np.float32)
    clean = np.where(clean > 190, 190 + 60 * np.tanh((clean - 190) / 60), clean)
    grain = 0.6 if plain else float(light.uniform(0.9, 2.6))
    instances = np.zeros((rows, columns), np.uint16)
    if cracks:
        added, instances = crack(streams[4], cracks, _ground(clean, guide, stained, grain), (rows, columns))
        clean = clean + added
    noise = streams[3].standard_normal((rows, columns), dtype=np.float32)
    noise *= np.sqrt(np.maximum(clean, 4) / 110) * np.float32(grain)
    image = cv2.convertScaleAbs(np.maximum(clean + noise, 3))
    return StrangerSheet(np.asarray(image, np.uint8), instances)


@lru_cache(maxsize=1)
def _die(die: int, rows: int, columns: int) -> _Die:
    """Makes a die: form, then marks."""
    rng = np.random.default_rng([_NAME, 0, die])
    made, relief = product(rng, die, rows + 2 * _PAD, columns + 2 * _PAD)
    canvas, share = relief.canvas, rows * columns / 8.6e6
    marks.dents(rng, canvas, rng.poisson(made.wear * 6 * share))
    marks.wrinkles(rng, canvas, rng.poisson(made.wear * 3 * share))
    marks.coining(rng, canvas, rng.poisson(2 * share))
    marks.codes(rng, canvas, rng.poisson(1.5 * share))
    marks.streaks(rng, canvas, rng.poisson(made.wear * 4 * share), bool(rng.random() < 0.5))
    return _Die(made, relief)


def _laid(rng: np.random.Generator, relief: Relief, rows: int, columns: int) -> tuple[Field, Field]:
    """The die's picture and guide as this sheet lay under the camera: shifted, turned, stretched a little."""
    turn, stretch = np.deg2rad(rng.uniform(-0.3, 0.3)), 1 + rng.uniform(-0.005, 0.005, 2)
    shift = rng.uniform(-20, 20, 2)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) * stretch
    middle = np.array([columns / 2, rows / 2])
    offset = middle + _PAD + shift - matrix @ middle
    inverse = cv2.WARP_INVERSE_MAP
    canvas = cv2.warpAffine(
        relief.canvas,
        np.column_stack([matrix, offset]),
        (columns, rows),
        flags=cv2.INTER_LINEAR | inverse,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    guide = cv2.warpAffine(
        relief.guide,
        np.column_stack([matrix, offset / COARSE]),
        (-(-columns // COARSE), -(-rows // COARSE)),
        flags=cv2.INTER_NEAREST | inverse,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(canvas, np.float32), np.asarray(guide, np.float32)


def _metal(rng: np.random.Generator, made: Product, canvas: Field) -> Field:
    """Bare metal with what was pressed into it; shiny places show the surface more."""
    rows, columns = canvas.shape
    kind = str(rng.choice(FINISHES, p=made.finishes))
    surface = finish(rng, kind, rows, columns, made.coarse)
    surface *= np.float32(made.texture * rng.uniform(0.75, 1.25))
    tone = np.float32(made.base) + 4 * patchy(rng, rows, columns, 900)
    shown = canvas * np.float32(rng.uniform(0.88, 1.12))
    surface *= 1 + np.clip(shown, -40, 80) * np.float32(0.009)
    return np.asarray(tone + shown + surface, np.float32)


def _banding(rng: np.random.Generator, rows: int, columns: int) -> Field:
    """Light that changes from row to row and falls off to the sides; gain that differs from column to column."""
    down = 0.012 * process(rng, 1, rows, 12)[0] + 0.02 * process(rng, 1, rows, 240)[0]
    down += rng.uniform(0, 0.008) * rng.standard_normal(rows)
    x = np.linspace(-1, 1, columns)
    side = rng.uniform(-0.1, 0.02) * x**2 + rng.uniform(-0.05, 0.05) * x + 0.015 * process(rng, 1, columns, 60)[0]
    side += rng.uniform(0.002, 0.008) * rng.standard_normal(columns)
    side[rng.integers(0, columns, 4)] += rng.normal(0, 0.03, 4)
    return np.asarray((1 + down)[:, None] * (1 + side)[None], np.float32)


def _ground(clean: Field, guide: Field, stained: Field, grain: float) -> Ground:
    """What the clean sheet offers to cracks."""
    small = (guide.shape[1], guide.shape[0])
    fine = clean - cv2.blur(clean, (21, 21))
    square = cv2.resize(fine * fine, small, interpolation=cv2.INTER_AREA)
    level = np.asarray(cv2.resize(clean, small, interpolation=cv2.INTER_AREA), np.float32)
    noise = np.sqrt(cv2.blur(square, (15, 15)) + grain**2 * np.maximum(level, 4) / 110)
    if stained.size == 1:
        shut: NDArray[np.bool_] = np.zeros(guide.shape, bool)
    else:
        dark = cv2.resize(np.minimum(stained, 0), small, interpolation=cv2.INTER_AREA) < -3.5
        shut = cv2.dilate(dark.astype(np.uint8), np.ones((9, 9), np.uint8)).astype(bool)
    return Ground(np.asarray(noise, np.float32), level, guide, shut)
