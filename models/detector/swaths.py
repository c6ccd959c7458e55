"""Swaths: neighbouring windows of one band, computed as one piece of the plate with what lies around them.

A swath lies where the plate's grid puts it, and nothing else: so a window's values are the same whoever computes it,
alone or with others (docs/decisions/0041-swaths.md).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from config.schema import Recipe, Windows

HALO = 160
"""Px of the plate around its windows that a swath reads where the plate goes on, at least."""
GRID = 32
"""Px of a cell of the network's coarsest level. Swaths begin at whole ones, so that all cut the plate alike."""
_MOST_PX: dict[str, int] = {"half": 992 * 5770, "full": 992 * 2170}
"""Of a swath with its surroundings, by the network's resolution: nine windows of 650 px, or three."""
MOST_WINDOWS = 64
"""Of a swath, however small they are."""


_ROWS, _COLUMNS = 8, 64
"""A piece counts as high as whole eighths of the highest, and as wide as whole steps of so many px: for each shape it
computes, the library that does so takes some megabytes for good."""


class Shape(NamedTuple):
    """Of what is computed at once, px; what lies beyond the plate is nothing."""

    rows: int
    columns: int


class Swath(NamedTuple):
    """A piece of a plate that is computed in one pass."""

    pixels: NDArray[np.uint8]
    """(rows, columns), a view; not copied."""
    x: int
    """Its top left, in plate coordinates."""
    y: int
    inner: tuple[int, int, int, int]
    """x0, y0, x1, y1 of the part of it that is judged, half-open, px of the piece."""
    shape: Shape
    """At least that of the pixels."""


def cut(pixels: NDArray[np.uint8], x: int, y: int, width: int, height: int, *, size: int, top: int = 0) -> Swath:
    """The part of a plate at (x, y) with what is to be seen around it.

    Args:
        pixels: uint8 (rows, columns) of the plate from its row `top` on, from `rows_seen` of the part, or more.
        x: left of the part, in plate coordinates.
        y: top.
        width: px.
        height: px.
        size: side of a window, px.
        top: row of the plate that comes first in `pixels`.
    """
    above, below = rows_seen(y, size)
    left = _begin(x)
    right = left + _whole(x - left + width + HALO, _COLUMNS)
    piece = pixels[above - top : below - top, left:right]
    inner = (x - left, y - above, x - left + width, y - above + height)
    return Swath(piece, left, above, inner, shape_of(piece, size))


def shape_of(pixels: NDArray[np.uint8], size: int) -> Shape:
    """The shape that is computed for a piece of these pixels, of windows of that size."""
    rows, columns = pixels.shape
    return Shape(_whole(rows, _step(size)), _whole(columns, _COLUMNS))


def rows_seen(y: int, size: int) -> tuple[int, int]:
    """The first row, and the one after the last, that are seen with windows whose first is `y`, as far as there are.

    Args:
        y: row of the plate.
        size: side of a window, px.
    """
    begin = _begin(y)
    return begin, begin + min(_most_rows(size), _whole(y - begin + size + HALO, _step(size)))


def _most_rows(size: int) -> int:
    """Rows of the highest piece: above its windows HALO and a part of GRID, below them that part less."""
    return _whole(size + 2 * HALO, GRID)


def _step(size: int) -> int:
    return _most_rows(size) // _ROWS


def _begin(first: int) -> int:
    return max(0, (first - HALO) // GRID * GRID)


def _whole(px: int, step: int) -> int:
    """The px that hold these in whole steps."""
    return -(-px // step) * step


def most_windows(windows: Windows, resolution: Literal["half", "full"]) -> int:
    """How many windows a swath has at most: as many as its memory allows."""
    ends = windows.size - windows.stride + 2 * HALO
    return max(1, min(MOST_WINDOWS, (_MOST_PX[resolution] // _most_rows(windows.size) - ends) // windows.stride))


def most_px(recipe: Recipe) -> int:
    """Px of the largest swath of a recipe, with what is seen around it."""
    windows = recipe.windows
    wide = most_windows(windows, recipe.resolution) * windows.stride + windows.size - windows.stride
    return _most_rows(windows.size) * _whole(wide + 2 * HALO + GRID, _COLUMNS)


def swaths_across(across: int, most: int) -> list[range]:
    """The columns of windows of each swath of a band: as few swaths as can be, as equal as can be.

    Args:
        across: columns of windows of the plate.
        most: windows of a swath.
    """
    parts = -(-across // most)
    return [range(part * across // parts, (part + 1) * across // parts) for part in range(parts)]


def swath_of(column: int, across: int, most: int) -> range:
    """The columns of windows of the swath that a window of that column is computed in."""
    parts = -(-across // most)
    part = ((column + 1) * parts - 1) // across
    return range(part * across // parts, (part + 1) * across // parts)


def own_area(
    x: int, y: int, width: int, height: int, columns: int, size: int, stride: int
) -> tuple[int, int, int, int]:
    """The part of a window that it alone counts: x0, y0, x1, y1, half-open, px of the window.

    A window owns what neither the one above nor the one to its left has seen, so the own areas are a partition of the
    plate whatever its length, which is not known while the windows of a plate that still passes are scored.

    Args:
        x: left of the window in plate coordinates.
        y: top.
        width: valid px.
        height: valid rows.
        columns: of the plate; what lies beyond them is nobody's.
        size: side of a window, px.
        stride: px from one window to the next.
    """
    shared = size - stride
    right = min(width, columns - x)
    return min(right, shared) if x > 0 else 0, min(height, shared) if y > 0 else 0, right, height
