"""What no working camera delivers, told from the traces in all windows of a plate (docs/decisions/0035-integrity.md).

Each fault is a cause of its own. Copies of rows are looked for among windows one below the other, copies of columns
among windows side by side, for only those have the same columns or rows of the camera.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from config.schema import Recipe
from models.detector.findings import LEFT, LIT, RIGHT, Integrity
from models.detector.swaths import own_area
from stages.plate import Cause, WindowResult, window_columns

LEAST_COPIES = 3
"""Rows or columns with the fingerprint of another that are no chance; one in eight has a fingerprint."""
MOST_NOISE, STRONG_NOISE = 0.7, 20.0
"""Share of the windows that may hold nothing but noise, as a plain belt does beside a sheet or seen through a hole of
it; those are not judged. Noise of so many grey levels comes from no belt."""
LEAST_DEAD = 4
"""Columns side by side that hide something: over half the width of the narrowest crack."""
_PLAIN = 0.75
"""Share of the fingerprints of rows without grain that must come again: those of smooth metal may, by chance."""
_ALONE = 0.75
"""Share of a window's width that must be shifted where no other window is at the same row."""
_NEAR_ALL = 0.9
"""Share of a band's windows in which the rows stand still for it to be the rows and not some columns that do."""


@dataclass(frozen=True, slots=True)
class _Cell:
    """A window by its place in the plate's grid."""

    row: int
    column: int
    left: int
    """Plate column of its own part's first px; likewise right, after the last."""
    right: int
    traces: Integrity

    @property
    def runs(self) -> NDArray[np.int16]:
        """The runs of still columns, (n, 3), see Integrity.still."""
        return np.frombuffer(self.traces.still, "<i2").reshape(-1, 3)

    @property
    def stands_still(self) -> bool:
        """Whether no column of it changes."""
        runs = self.runs
        return self.left < self.right and int((runs[:, 1] - runs[:, 0]).sum()) >= self.right - self.left


@dataclass(frozen=True, slots=True)
class Faults:
    """What the windows of a plate say of the camera, each with the words for it."""

    causes: tuple[tuple[Cause, str], ...] = ()
    warnings: tuple[str, ...] = ()
    """What hides nothing that is looked for."""


NO_FAULTS = Faults()


def faults_of(results: Iterable[WindowResult], columns: int, recipe: Recipe) -> Faults:
    """The faults that show in the windows of a plate of that many columns."""
    cells = _cells(results, columns, recipe)
    dead, few = _dead(cells, columns)
    notes = [few] if few else []
    if any(cell.traces.enlarged for cell in cells):
        notes.append("the picture was enlarged by copying its pixels: rows and columns are equal to the one before")
    said = [
        (Cause.NOISE, _noise(cells)),
        (Cause.FAULTY_BIT, _bits(cells)),
        *_broken(cells, recipe.windows.stride),
        (Cause.ROWS_REPEATED, _rows(cells, recipe.windows.stride)),
        (Cause.COLUMNS_REPEATED, _columns(cells)),
        (Cause.COLUMNS_DEAD, dead),
    ]
    return Faults(tuple((cause, words) for cause, words in said if words), tuple(notes))


def _cells(results: Iterable[WindowResult], columns: int, recipe: Recipe) -> list[_Cell]:
    windows, across = recipe.windows, max(1, window_columns(columns, recipe.windows))
    cells = []
    for result in results:
        row, column = divmod(result.window, across)
        x = column * windows.stride
        left, _, right, _ = own_area(x, 0, windows.size, 1, columns, windows.size, windows.stride)
        cells.append(_Cell(row, column, x + left, x + right, result.integrity))
    return cells


def _noise(cells: Sequence[_Cell]) -> str:
    noisy = [cell.traces.noise for cell in cells if cell.traces.noise]
    lit, strong = sum(cell.traces.lit for cell in cells), sum(noise >= STRONG_NOISE for noise in noisy)
    if not strong and len(noisy) <= MOST_NOISE * lit:
        return ""
    sigma = f"a standard deviation of {max(noisy):.0f} grey levels"
    return f"nothing but noise in {len(noisy)} of {lit} windows ({sigma}): no picture of a sheet comes from the camera"


def _bits(cells: Sequence[_Cell]) -> str:
    wrong = [cell.traces.bits for cell in cells if cell.traces.bits]
    which = [str(bit) for bit in range(8) if any(bits >> bit & 1 for bits in wrong)]
    if not which:
        return ""
    named = f"bit {which[0]} does" if len(which) == 1 else f"bits {', '.join(which)} do"
    return f"{named} not follow the picture, in {len(wrong)} of {len(cells)} windows"


_BROKEN = {
    ("shifted", "rows"): (Cause.ROWS_MISPLACED, "rows are shifted, lost or swapped"),
    ("shifted", "columns"): (Cause.COLUMNS_MISPLACED, "columns are shifted or swapped"),
    ("alternating", "rows"): (Cause.ROWS_MISPLACED, "every second row does not fit its neighbours"),
    ("alternating", "columns"): (Cause.COLUMNS_MISPLACED, "every second column does not fit its neighbours"),
    ("scattered", "rows"): (Cause.ROWS_MISPLACED, "no row goes on from the one before"),
    ("scattered", "columns"): (Cause.COLUMNS_MISPLACED, "no column goes on from the one before"),
    ("negative", "rows"): (Cause.NEGATIVE, "the picture turns into its negative"),
    ("negative", "columns"): (Cause.NEGATIVE, "the picture turns into its negative"),
    ("gain", "rows"): (Cause.GAIN_JUMPS, "the brightness jumps from one row to the next"),
    ("gain", "columns"): (Cause.GAIN_JUMPS, "the brightness jumps from one column to the next"),
}


def _broken(cells: Sequence[_Cell], stride: int) -> list[tuple[Cause, str]]:
    """Where the picture does not go on from one row or column to the next, each cause by its first place."""
    places = defaultdict(list)
    for cell in cells:
        for one in cell.traces.broken:
            start = (cell.row if one.along == "rows" else cell.column) * stride
            places[one.kind, one.along].append((start + one.at, one.share))
    said: dict[Cause, str] = {}
    for (kind, along), found in sorted(places.items()):
        at = min(place for place, _ in found)
        # A straight edge of something may look so in one window; not at the same line of two.
        alone = kind == "shifted" and max(Counter(place // 2 for place, _ in found).values()) == 1
        if alone and max(share for _, share in found) < _ALONE:
            continue
        cause, words = _BROKEN[kind, along]
        where = f"{words} at {along[:-1]} {at}, in {len(found)} of {len(cells)} windows"
        said[cause] = f"{said[cause]} and {where}" if cause in said else where
    return list(said.items())


def _rows(cells: Sequence[_Cell], stride: int) -> str:
    """Rows that are equal to the one before them, or come again farther down."""
    # Where only some windows of a band stand still it is columns that are dead.
    seen = [cell for band in _by(cells, "row") for cell in band if not cell.stands_still or _all_still(band)]
    groups = [[(cell.row * stride, cell.traces.row_marks) for cell in column] for column in _by(seen, "column")]
    equal: dict[int, int] = {}
    for band in _by(seen, "row"):
        counts = [cell.traces.equal_rows for cell in band if cell.traces.equal_rows]
        # One row of one window may be the doubled last one of a picture that somebody resized.
        equal[band[0].row] = max(counts, default=0) if sum(counts) > 1 else 0
    first = min((row for row, count in equal.items() if count), default=0)
    near = f"first after row {first * stride}"
    return _copied("row", sum(equal.values()), near, groups)


def _columns(cells: Sequence[_Cell]) -> str:
    """Columns that are equal to the one before them, or to another."""
    groups = [[(cell.left, cell.traces.column_marks) for cell in band] for band in _by(cells, "row")]
    equal: dict[int, int] = {}
    for block in _by(cells, "column"):
        counts = [cell.traces.equal_columns for cell in block if cell.traces.equal_columns]
        equal[block[0].left] = max(counts, default=0) if sum(counts) > 1 else 0
    near = f"first after column {min((left for left, count in equal.items() if count), default=0)}"
    return _copied("column", sum(equal.values()), near, groups)


def _copied(what: str, equal: int, near: str, groups: Sequence[Sequence[tuple[int, bytes]]]) -> str:
    """The words for so many lines equal to the one before, or for those with the fingerprint of another."""
    copies, where = _copies(groups)
    if copies < LEAST_COPIES or copies <= equal:
        return f"{equal} {what}{'s' if equal > 1 else ''} equal to the bit to the one before, {near}" if equal else ""
    return f"about {8 * copies} {what}s came twice, first after {what} {where[0]} and again after {what} {where[1]}"


def _copies(groups: Iterable[Iterable[tuple[int, bytes]]]) -> tuple[int, tuple[int, int]]:
    """The most fingerprints of a group that another of it has too, and where the first two equal ones lie."""
    most, where = 0, (0, 0)
    for group in groups:
        parts = [(at, np.frombuffer(marks, "<u8")) for at, marks in group if marks]
        if not parts:
            continue
        marks = np.concatenate([found for _, found in parts])
        places = np.repeat([at for at, _ in parts], [found.size for _, found in parts])
        order = np.argsort(marks, kind="stable")
        again = np.flatnonzero(marks[order][1:] == marks[order][:-1])
        plain = marks[order][again] & 1 == 1
        if plain.sum() < _PLAIN * (marks & 1 == 1).sum():
            again = again[~plain]
        if again.size > most:
            earliest = again[np.argmin(places[order[again]])]
            most, where = int(again.size), (int(places[order[earliest]]), int(places[order[earliest + 1]]))
    return most, where


def _by(cells: Sequence[_Cell], what: Literal["row", "column"]) -> list[list[_Cell]]:
    """The cells of each band, or of each block of columns, in order."""
    groups = defaultdict(list)
    for cell in sorted(cells, key=lambda cell: (cell.row, cell.column)):
        groups[cell.row if what == "row" else cell.column].append(cell)
    return [groups[key] for key in sorted(groups)]


def _all_still(band: Sequence[_Cell]) -> bool:
    return sum(cell.stands_still for cell in band) >= _NEAR_ALL * len(band)


def _dead(cells: Sequence[_Cell], columns: int) -> tuple[str, str]:
    """The words for columns that hold one value, and for those that are too narrow to hide anything.

    Not those of a band in which no column changes all across: there the rows repeat.
    """
    bands = [_still_runs(band) for band in _by(cells, "row") if not _all_still(band)]
    # Dark or white ones with the sheet on both sides may be a hole, if they do not go on to the first or last band.
    ends = {run for runs in (bands[:1] + bands[-1:]) for run in runs}
    dead, rows = np.zeros(columns, np.bool_), 0
    for found in bands:
        told = [(first, after) for first, after, kind in found if kind & LIT and kind & (LEFT | RIGHT)]
        told += [run[:2] for run in found if run[2] == LEFT | RIGHT and run in ends]
        for first, after in told:
            dead[first:after] = True
        rows += bool(told)
    steps = np.diff(dead.astype(np.int8), prepend=0, append=0)
    runs = [(int(a), int(b)) for a, b in zip(np.flatnonzero(steps > 0), np.flatnonzero(steps < 0), strict=True)]
    if not runs:
        return "", ""
    first, after = max(runs, key=lambda run: run[1] - run[0])
    more = f" and {int(dead.sum()) - (after - first)} others" if len(runs) > 1 else ""
    words = f"columns {first} to {after} of {columns}{more} hold one value, in {rows} of {len(bands)} bands"
    return (words, "") if after - first >= LEAST_DEAD else ("", words)


def _still_runs(band: Sequence[_Cell]) -> list[tuple[int, int, int]]:
    """The runs of still columns of a band, over all its windows: first and after the last, and what holds of it."""
    runs: list[tuple[int, int, int]] = []
    for cell in band:
        for first, after, kind in cell.runs.tolist():
            start, end = cell.left + first, cell.left + after
            if runs and runs[-1][1] == start and runs[-1][2] & LIT == kind & LIT:
                # One run with the one before: the side between them is none.
                start, _, before = runs.pop()
                runs.append((start, end, kind & ~LEFT | before & LEFT))
            else:
                runs.append((start, end, kind))
    return runs
