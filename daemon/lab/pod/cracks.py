"""The cracks of the experiment: of which size each is, how it is painted, and where there is room for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from config.schema import Recipe
from models.measure.matching import Box
from simulator.sheets.cracks import Form, centre_line, paint
from simulator.sheets.reference import load_reference

Span = tuple[float, float]
Unit = str

NARROWEST = 3.0
"""px; the reference's begin at 7, but what is thinner is to be found, too."""
_CELL = 16
"""Side of the cells, px, in which room is kept."""
_BORDER = 24
"""px along the edges of a sheet, and beside what is no metal, that stay free."""
_DARK, _BRIGHT = 0.35, 250
"""A cell is no metal below that share of the sheet's median, or from that grey level on."""
_CLIPPED = 0.05
"""Most of a crack's pixels that may end at 0 or 255: more, and its contrast is not what it is said to be."""
_PLACES = 20


@dataclass(frozen=True, slots=True)
class Ranges:
    """What sizes are drawn from, log-uniformly, and the unit of lengths."""

    contrast: Span
    """Grey levels."""
    width: Span
    """px across the sheet."""
    length: Span
    unit: Unit
    """Of lengths: mm, or px where the recipe has no pitch."""
    column: float
    """Lengths from one pixel to the next across the sheet; likewise `row` along it."""
    row: float


def ranges_of(recipe: Recipe, contrast: Span) -> Ranges:
    """The reference's widths and lengths; with these contrasts."""
    reference = load_reference().cracks
    width = (NARROWEST, reference.width[1])
    if recipe.pitch is not None:
        return Ranges(contrast, width, reference.length_mm, "mm", recipe.pitch.column_mm, recipe.pitch.row_mm)
    per_mm = reference.width[1] / 0.88  # the widest crack: 21 px, 0.88 mm (FACTS 3)
    low, high = reference.length_mm
    return Ranges(contrast, width, (round(low * per_mm), round(high * per_mm)), "px", 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The sizes of a crack."""

    contrast: float
    step: float
    width: float
    length: float


@dataclass(frozen=True, slots=True, eq=False)
class Stroke:
    """A crack that is ready to be laid down."""

    added: NDArray[np.float32]
    """Grey levels, (rows, columns)."""
    inside: NDArray[np.bool_]
    """Its own pixels."""
    angle: float
    """Degrees from the rows' direction, on the sheet."""


def wanted(rng: np.random.Generator, count: int, ranges: Ranges) -> list[Wanted]:
    """The sizes of so many cracks, in any order: contrasts fill their range evenly, widths and lengths are drawn.

    A crack is at least twice as long as wide; shorter ones are drawn anew.
    """
    steps, least = load_reference().cracks.step, load_reference().cracks.least_elongation
    shares = rng.permutation((np.arange(count) + rng.random(count)) / count)
    made = []
    for share in shares:
        contrast = _between(ranges.contrast, float(share))
        while True:
            width, length = _between(ranges.width, rng.random()), _between(ranges.length, rng.random())
            if length >= least * width * ranges.column:
                break
        step = rng.uniform(*np.minimum(steps, 0.95 * contrast))
        made.append(Wanted(contrast, float(step), width, length))
    return made


def _between(span: Span, share: float) -> float:
    return math.exp(math.log(span[0]) + share * math.log(span[1] / span[0]))


# --- how it is painted ---------------------------------------------------------------------------------------------

Painter = Callable[[np.random.Generator, Wanted, Ranges], Stroke]


def _smooth(rng: np.random.Generator, sizes: Wanted, ranges: Ranges) -> Stroke:
    """A gently bent line of one width and strength that fades in at its ends."""
    angle = rng.uniform(0, math.pi)
    line = centre_line(rng, angle, sizes.length, abs(rng.normal(0, 0.15)))
    form = Form(
        width_mm=sizes.width * ranges.column,
        height=sizes.contrast,
        step=sizes.step,
        decay_mm=rng.uniform(*load_reference().cracks.decay) * ranges.column,
        mirrored=bool(rng.random() < 0.5),
        taper=rng.uniform(0.08, 0.2),
    )
    patch = paint(line, form, ranges.column, ranges.row, None)
    assert patch is not None
    return Stroke(patch.added, patch.inside, math.degrees(angle) % 180.0)


FORMS: dict[str, Painter] = {"smooth": _smooth}
"""By name, the headline first."""


# --- where it lies ---------------------------------------------------------------------------------------------------


class Room:
    """Where on a sheet there is room for a crack: on metal, off the recipe's masks, apart from all that was taken."""

    def __init__(self, image: NDArray[np.uint8], recipe: Recipe, found: Sequence[Box]) -> None:
        """`found` are boxes of what is reported of the sheet without paint."""
        self._image = image
        rows, columns = image.shape[0] // _CELL, image.shape[1] // _CELL
        self._free = np.zeros((rows, columns), np.uint8)
        self._apart = int(max(recipe.windows.stride // 2, 2 * recipe.post.join_gap))
        if rows == 0 or columns == 0:
            return
        whole = image[: rows * _CELL, : columns * _CELL]
        cells = np.asarray(cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA))
        metal = np.asarray((cells >= _DARK * float(np.median(cells))) & (cells < _BRIGHT), np.uint8)
        # Beyond the image there is none.
        reach = 2 * -(-_BORDER // _CELL) + 1
        self._free = np.asarray(
            cv2.erode(metal, np.ones((reach, reach), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=(0.0,)),
            np.uint8,
        )
        for mask in recipe.masks:
            self._take((mask.x, mask.y, mask.width, mask.height), _CELL)
        for box in found:
            self._take(box, int(max(3 * _CELL, 2 * recipe.post.join_gap)))

    def place(self, rng: np.random.Generator, stroke: Stroke, sign: int) -> tuple[int, int] | None:
        """A place (x, y) for the upper left pixel of a crack, which is then taken; None where there is no room.

        `sign` is 1 for bright, -1 for dark: nearly none of its pixels may be clipped.
        """
        height, width = stroke.added.shape
        down, across = -(-height // _CELL) + 1, -(-width // _CELL) + 1
        if down > self._free.shape[0] or across > self._free.shape[1]:
            return None
        summed = np.asarray(cv2.integral(self._free))
        full = summed[down:, across:] - summed[:-down, across:] - summed[down:, :-across] + summed[:-down, :-across]
        places = np.argwhere(full == down * across)
        for _ in range(min(_PLACES, len(places))):
            row, column = places[rng.integers(len(places))].tolist()
            y = row * _CELL + int(rng.integers(0, down * _CELL - height + 1))
            x = column * _CELL + int(rng.integers(0, across * _CELL - width + 1))
            after = self._image[y : y + height, x : x + width] + sign * stroke.added
            clipped = (after[stroke.inside] > 255) | (after[stroke.inside] < 0)
            if clipped.mean() <= _CLIPPED:
                self._take((x, y, width, height), self._apart)
                return x, y
        return None

    def _take(self, box: Box, around: int) -> None:
        x, y, width, height = box
        left, top = max(0, (x - around) // _CELL), max(0, (y - around) // _CELL)
        self._free[top : (y + height + around) // _CELL + 1, left : (x + width + around) // _CELL + 1] = 0


def lay_down(image: NDArray[np.uint8], stroke: Stroke, x: int, y: int, sign: int) -> None:
    """Paint a crack into an image (rows, columns) at its upper left pixel."""
    height, width = stroke.added.shape
    part = image[y : y + height, x : x + width]
    part[:] = np.clip(np.rint(part + sign * stroke.added), 0, 255)
