"""The sizes of the cracks of an experiment: what they are drawn from, and the drawing."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from config.schema import Recipe
from simulator.sheets.reference import load_reference

Span = tuple[float, float]
Unit = str

NARROWEST = 3.0
"""px; the reference's begin at 7. Narrower ones tell how POD falls with the width, and count in no other curve."""


@dataclass(frozen=True, slots=True)
class Ranges:
    """What sizes are drawn from, log-uniformly, and the unit of lengths."""

    contrast: Span
    """Grey levels."""
    width: Span
    """px across the sheet: the reference's."""
    narrow: Span
    """px across the sheet, of cracks below those."""
    length: Span
    unit: Unit
    """Of lengths: mm, or px where the recipe has no pitch."""
    column: float
    """Lengths from one pixel to the next across the sheet; likewise `row` along it."""
    row: float


def ranges_of(recipe: Recipe, contrast: Span) -> Ranges:
    """The reference's widths and lengths; with these contrasts."""
    reference = load_reference().cracks
    widths = reference.width, (NARROWEST, reference.width[0])
    if recipe.pitch is not None:
        return Ranges(contrast, *widths, reference.length_mm, "mm", recipe.pitch.column_mm, recipe.pitch.row_mm)
    per_mm = reference.width[1] / 0.88  # the widest crack: 21 px, 0.88 mm (FACTS 3)
    low, high = reference.length_mm
    return Ranges(contrast, *widths, (round(low * per_mm), round(high * per_mm)), "px", 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Sizes:
    """The sizes of a crack."""

    contrast: float
    step: float
    width: float
    length: float


def with_narrow(rng: np.random.Generator, count: int, ranges: Ranges) -> list[Sizes]:
    """The sizes of so many cracks, and of a third as many narrow ones, in any order."""
    every = drawn_sizes(rng, count, ranges) + drawn_sizes(rng, count // 3, replace(ranges, width=ranges.narrow))
    return [every[place] for place in rng.permutation(len(every)).tolist()]


def drawn_sizes(rng: np.random.Generator, count: int, ranges: Ranges) -> list[Sizes]:
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
        made.append(Sizes(contrast, float(step), width, length))
    return made


def _between(span: Span, share: float) -> float:
    return math.exp(math.log(span[0]) + share * math.log(span[1] / span[0]))
