"""Places at which sheet after sheet has a defect, told from chance (docs/decisions/0055-repeated-places.md).

What stands at the same place on many sheets of one die comes from the die, or from its relief. Sheets are scanned by a
grid of cells, and by three more that lie half a cell beside it. A cell that has a defect on k sheets is held against
its surroundings: the square around it, the band across the sheet and the band along it. Were its surroundings even,
each cell of them would have an equal part of what they have together. So, knowing that sum, k is a sum of independent
chances, and its tail lies below the binomial's (Hoeffding 1956). All three surroundings must speak against chance.
The level is divided by the number of cells looked at (Bonferroni). Defects of one sheet need not be independent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc

Integers = NDArray[np.integer]

LEVEL = 0.01
"""The chance that anything is named where all is chance, over everything that is looked at in one go."""
LEAST_SHEETS = 3
LEAST_RATIO = 2.0
"""Of what the surroundings let expect: of very many sheets, the least unevenness would be told from chance."""
_AROUND = 7
"""Cells to each side of the square around a cell."""
_CROWDED = 3.0
"""Sheets a cell, on average, from which on cells without any are masked, or holes of the sheet."""
_MOST = 20
"""Places that are named: more of them are a relief, and say no more."""
_MOST_CANDIDATES = 400

SLACK, _SLACK_SHARE = 24, 0.005


def slack_of(longest: int) -> int:
    """Px by which defects of one place may lie apart on sheets whose longer side has so many px.

    24 px, or half a percent of the side: a turn by 0.3 degrees, a stretch by half a percent.
    """
    return max(SLACK, round(_SLACK_SHARE * longest))


@dataclass(frozen=True, slots=True)
class Defects:
    """The defects of sheets of one die; a sheet without one is in `of` alone."""

    x: Integers
    """Worst pixel, px of the sheet (n,)."""
    y: Integers
    sheet: Integers
    """On which sheet, 0 to of - 1 (n,)."""
    of: int
    """Sheets that were looked at."""
    columns: int
    rows: int
    """Size of the sheets, px; what lies beyond is not looked at."""

    @property
    def slack(self) -> int:
        """Px by which those of one place may lie apart."""
        return slack_of(max(self.columns, self.rows))


@dataclass(frozen=True, slots=True)
class Place:
    """A place that repeats."""

    x: int
    """Its middle, px."""
    y: int
    slack: int
    """Half a side of the square that its defects lie in, px."""
    sheets: Integers
    """Which sheets have a defect there, ascending."""
    of: int
    defects: NDArray[np.intp]
    """Which defects lie there."""
    expected: float
    """Sheets that chance would give it, by the surroundings that have most."""
    chance: float
    """That chance alone does so at any place that was looked at: corrected for their number, 1 at most."""


def cells_of(defects: Defects) -> int:
    """Cells of all four grids: the number of places that are looked at."""
    return sum(len(widths) * len(heights) for _, _, widths, heights in _grids(defects))


def repeated_places(defects: Defects, *, level: float = LEVEL, tests: int | None = None) -> list[Place]:
    """The places that repeat, the surest first.

    Args:
        defects: of sheets of one die.
        level: chance that any is named by chance alone, over all tests.
        tests: cells that are looked at in all, where these sheets are not the only ones; default: those of them.
    """
    tests = cells_of(defects) if tests is None else tests
    candidates = [one for grid in _grids(defects) for one in _standing_out(defects, grid, level / max(tests, 1))]
    free = np.ones(len(defects.x), bool)
    found: list[Place] = []
    for one in sorted(candidates, key=lambda one: one.chance)[:_MOST_CANDIDATES]:
        place = _place(defects, one, free, tests)
        if place is not None and place.chance <= level and len(found) < _MOST:
            free[place.defects] = False
            found.append(place)
    return found


@dataclass(frozen=True, slots=True)
class _Cell:
    """A cell that stands out against all its surroundings."""

    x0: int
    y0: int
    x1: int
    y1: int
    sheets: int
    shares: NDArray[np.float64]
    """Its part of the area of each of the surroundings (3,)."""
    sums: NDArray[np.float64]
    """Sheets of all cells of each, added up (3,)."""
    chance: float


_Grid = tuple[Integers, Integers, NDArray[np.float64], NDArray[np.float64]]
"""Cell of each defect across and along, widths and heights of the cells, px."""


def _grids(defects: Defects) -> Iterator[_Grid]:
    side = 2 * defects.slack
    for across in (0, defects.slack):
        for along in (0, defects.slack):
            widths, heights = (
                np.diff(np.clip(np.arange(0, length + shift + side, side) - shift, 0, length)).astype(np.float64)
                for length, shift in ((defects.columns, across), (defects.rows, along))
            )
            yield (defects.x + across) // side, (defects.y + along) // side, widths, heights


def _standing_out(defects: Defects, grid: _Grid, level: float) -> list[_Cell]:
    column, row, widths, heights = grid
    down, over = len(heights), len(widths)
    inside = (defects.x >= 0) & (defects.y >= 0) & (defects.x < defects.columns) & (defects.y < defects.rows)
    cell = row[inside].astype(np.int64) * over + column[inside]
    # Each sheet once a cell: what lies close together on one sheet says no more than that.
    once = np.unique(defects.sheet[inside].astype(np.int64) * (down * over) + cell) % (down * over)
    sheets = np.bincount(once, minlength=down * over).reshape(down, over).astype(np.float64)
    area = heights[:, None] * widths[None, :]
    sums = _surroundings(sheets)
    crowded = sums >= _CROWDED * _surroundings(np.ones_like(area))
    areas = np.where(crowded, _surroundings(area * (sheets > 0)), _surroundings(area))
    shares = np.minimum(area / np.maximum(areas, 1.0), 1.0)
    expected = (shares * sums).max(axis=0)
    ys, xs = np.nonzero((sheets >= LEAST_SHEETS) & (sheets >= LEAST_RATIO * expected))
    chances = _chance(sheets[ys, xs], shares[:, ys, xs], sums[:, ys, xs], defects.of)
    left, top = np.cumsum(widths) - widths, np.cumsum(heights) - heights
    return [
        _Cell(
            x0=int(left[x]),
            y0=int(top[y]),
            x1=int(left[x] + widths[x]),
            y1=int(top[y] + heights[y]),
            sheets=int(sheets[y, x]),
            shares=shares[:, y, x],
            sums=sums[:, y, x],
            chance=float(chance),
        )
        for y, x, chance in zip(ys.tolist(), xs.tolist(), chances.tolist(), strict=True)
        if chance <= level
    ]


def _surroundings(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums of each cell's surroundings, itself among them: the square, the band across, the band along (3, h, w)."""
    down, over = values.shape
    summed = np.zeros((down + 1, over + 1))
    summed[1:, 1:] = values.cumsum(axis=0).cumsum(axis=1)
    top, bottom = np.maximum(np.arange(down) - _AROUND, 0), np.minimum(np.arange(down) + _AROUND + 1, down)
    left, right = np.maximum(np.arange(over) - _AROUND, 0), np.minimum(np.arange(over) + _AROUND + 1, over)
    square = summed[bottom][:, right] - summed[top][:, right] - summed[bottom][:, left] + summed[top][:, left]
    across, along = values.sum(axis=1, keepdims=True), values.sum(axis=0, keepdims=True)
    return np.stack([square, np.broadcast_to(across, values.shape), np.broadcast_to(along, values.shape)])


def _chance(
    sheets: NDArray[np.float64], shares: NDArray[np.float64], sums: NDArray[np.float64], of: int
) -> NDArray[np.float64]:
    """Of so many sheets or more by chance, against that of the surroundings which let it be likeliest (n,)."""
    trials = np.maximum(np.minimum(sums, of), 1)
    likely = np.minimum(shares * sums / trials, 1.0)
    # Of the binomial, by the incomplete beta function: scipy.stats has the same, and takes 50 MB of memory.
    tails: NDArray[np.float64] = np.asarray(betainc(sheets, trials - sheets + 1, likely), np.float64)
    return np.asarray(tails.max(axis=0))


def _place(defects: Defects, cell: _Cell, free: NDArray[np.bool_], tests: int) -> Place | None:
    """The place of a cell by the defects that no place has taken yet; None where too few are left."""
    there = free & (defects.x >= cell.x0) & (defects.x < cell.x1) & (defects.y >= cell.y0) & (defects.y < cell.y1)
    sheets = len(np.unique(defects.sheet[there]))
    sums = cell.sums - (cell.sheets - sheets)
    expected = float((cell.shares * sums).max())
    if sheets < max(LEAST_SHEETS, LEAST_RATIO * expected):
        return None
    chance = float(_chance(np.array([float(sheets)]), cell.shares[:, None], sums[:, None], defects.of)[0])
    x, y = int(np.median(defects.x[there])), int(np.median(defects.y[there]))
    near = free & (np.abs(defects.x - x) <= defects.slack) & (np.abs(defects.y - y) <= defects.slack)
    return Place(
        x=x,
        y=y,
        slack=defects.slack,
        sheets=np.unique(defects.sheet[near]),
        of=defects.of,
        defects=np.flatnonzero(near),
        expected=expected,
        chance=min(1.0, chance * tests),
    )
