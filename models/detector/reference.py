"""What good sheets of a product show at each place: what stands there again counts less.

Sheets of one die look alike: the same crest line lies at the same place of each. A reference holds how high the feature
values of good sheets are there. It belongs to the weights that gave those values, and lies in their file
(docs/decisions/0063-reference.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Cells = NDArray[np.float32]
"""The highest feature value of each cell of SIDE x SIDE px, (rows, columns)."""

SIDE = 8
"""Px of a cell, along both axes: a crack's width is enough to tell a place."""
CALM, MOST = -8.0, 8.0
"""Feature values beyond which nothing more is told."""
_NAMES = {"middle": torch.int8, "high": torch.int8, "bright": torch.uint8}
PREFIX = "reference."
"""Of the names of its parts in a file of weights."""
_STEPS = 15
"""Of a feature unit, as it is stored."""
_FAR = 12
"""Cells by which a sheet may lie elsewhere along each axis: 96 px. On 16,000 px a turn by 0.3 degrees moves 84 px, a
stretch by half a percent 80."""
_LEAST_FIT = 0.3
"""Correlation below which a piece of a sheet and the reference have too little in common to be laid upon each other."""
_RELIEF = 0.9
"""Share of the reference's cells below the level at which both are cut off to be laid upon each other."""
_LEAST_CELLS = 24
"""Rows and columns of a piece that can be laid."""
_BLOCK = 81, 243
"""Rows and columns of the pieces by which the sheets of a reference are laid upon each other: a window's height."""
_LEAST_SHEETS = 3


def cells_of(values: NDArray[np.float32], scale: int) -> Cells:
    """The highest value of each whole cell; what is no number is calm.

    Args:
        values: feature values (h, w).
        scale: px of the plate for one value along each axis.
    """
    side = SIDE // scale
    rows, columns = (length // side for length in values.shape)
    whole = values[: rows * side, : columns * side]
    calm = np.nan_to_num(whole, nan=CALM, posinf=CALM, neginf=CALM).clip(CALM, MOST)
    return np.asarray(calm.reshape(rows, side, columns, side).max(axis=(1, 3)), np.float32)


def near(cells: NDArray[Any]) -> NDArray[Any]:
    """The highest of each cell and its neighbours: places need not be equal to the cell."""
    return np.asarray(cv2.dilate(cells, np.ones((3, 3), np.uint8)), cells.dtype) if cells.size else cells


class Shown(NamedTuple):
    """What a sheet shows, by cells (rows, columns)."""

    cells: Cells
    """Highest feature values."""
    bright: NDArray[np.uint8]
    """Grey levels by which narrow things stand out (models.detector.strong_lines.standing)."""


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """Of a whole plate, by cells (rows, columns); feature values are in fifteenths."""

    middle: NDArray[np.int8]
    """The median over the sheets: what a sheet is laid by."""
    high: NDArray[np.int8]
    """What a quarter of the sheets reach, two at least, neighbours included: a sheet may hide a crack."""
    bright: NDArray[np.uint8]
    """The same of what stands out, grey levels."""

    @classmethod
    def of(cls, sheets: Sequence[Shown]) -> Self:
        """The reference of good sheets, laid upon the first piece by piece.

        Raises:
            ValueError: fewer than three sheets, or one without a cell.
        """
        if len(sheets) < _LEAST_SHEETS or not all(one.cells.size for one in sheets):
            raise ValueError(f"a reference needs {_LEAST_SHEETS} sheets with a cell at least; found {len(sheets)}")
        own = [cls(_stored(one.cells), _stored(near(one.cells)), near(one.bright)) for one in sheets]
        first = sheets[0].cells
        laid = [own[0], *(one.moved_to(first) for one in own[1:])]
        middle = np.sort(np.stack([one.middle for one in laid]), axis=0)[len(laid) // 2]
        return cls(middle, _usual([one.high for one in laid]), _usual([one.bright for one in laid]))

    def moved_to(self, other: Cells) -> Self:
        """As it lies on another sheet, of which the cells are given."""
        (rows, columns), (high, wide) = other.shape, _BLOCK
        made = [np.empty(other.shape, part.dtype) for part in self._parts]
        for row in range(0, rows, high):
            for column in range(0, columns, wide):
                # A narrow rest is laid with what lies before it.
                top, left = max(0, min(row, rows - _LEAST_CELLS)), max(0, min(column, columns - _LEAST_CELLS))
                down, right, fit = self.shift(other[top : row + high, left : column + wide], top, left)
                if fit < _LEAST_FIT:
                    down = right = 0
                for part, own in zip(made, self._parts, strict=True):
                    piece = part[row : row + high, column : column + wide]
                    piece[:] = _cut(own, row + down, column + right, piece.shape)
        return type(self)(*made)

    @property
    def _parts(self) -> tuple[NDArray[Any], ...]:
        return self.middle, self.high, self.bright

    def shift(self, cells: Cells, row: int, column: int) -> tuple[int, int, float]:
        """By how many cells the reference's place lies below and right of a piece's, and how well it fits there.

        Args:
            cells: of the piece.
            row: of the plate's cells, at which the piece begins.
            column: likewise.
        """
        rows, columns = cells.shape
        if min(rows, columns) < _LEAST_CELLS:
            return 0, 0, 0.0
        around = _read(_cut(self.middle, row - _FAR, column - _FAR, (rows + 2 * _FAR, columns + 2 * _FAR)))
        # Cracks and crest lines would drown the relief.
        most = np.float32(np.quantile(around[::3, ::3], _RELIEF))
        piece = np.minimum(cells, most)
        if np.ptp(piece) == 0:  # of an even piece OpenCV says that it fits everywhere
            return 0, 0, 0.0
        fits = cv2.matchTemplate(np.minimum(around, most), piece, cv2.TM_CCOEFF_NORMED)
        down, right = np.unravel_index(int(fits.argmax()), fits.shape)
        return int(down) - _FAR, int(right) - _FAR, float(fits[down, right])

    def without(self, boxes: Sequence[tuple[int, int, int, int]]) -> Self:
        """The same with calm in these boxes: what is there counts in full.

        Args:
            boxes: x, y, width, height, px of the first sheet.
        """
        high, bright = self.high.copy(), self.bright.copy()
        for x, y, width, height in boxes:
            rows = slice(max(0, y // SIDE), max(0, -(-(y + height) // SIDE)))
            columns = slice(max(0, x // SIDE), max(0, -(-(x + width) // SIDE)))
            high[rows, columns], bright[rows, columns] = _stored(np.array(CALM, np.float32)), 0
        return type(self)(self.middle, high, bright)

    # --- in a file -------------------------------------------------------------------------------------------------

    def tensors(self) -> dict[str, Tensor]:
        """Its parts by their names in a file of weights."""
        return {PREFIX + name: torch.from_numpy(part) for name, part in zip(_NAMES, self._parts, strict=True)}

    @classmethod
    def parted(cls, state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], Self | None]:
        """A file's weights, and the reference among them, if there is one.

        Raises:
            ValueError: one that is no reference.
        """
        own = {name.removeprefix(PREFIX): value for name, value in state.items() if str(name).startswith(PREFIX)}
        rest = {name: value for name, value in state.items() if not str(name).startswith(PREFIX)}
        if not own:
            return rest, None
        sound = own.keys() == set(_NAMES) and all(map(_plain, own.values()))
        if sound:
            shape = own["middle"].shape
            sound = all(own[name].dtype == kind and own[name].shape == shape for name, kind in _NAMES.items())
            sound = sound and len(shape) == 2 and 0 not in shape
        if not sound:
            raise ValueError("its reference by place is damaged: teach the product again")
        return rest, cls(*(own[name].numpy() for name in _NAMES))


class Lying:
    """A reference laid upon one piece of a plate, by the piece's own relief, when it is first asked.

    Args:
        reference: of the product.
        values: feature values (h, w) of the piece; read later.
        scale: px of the plate for one value along each axis.
        x: its left, px of the plate.
        y: its top.
    """

    def __init__(self, reference: Reference, values: NDArray[np.float32], scale: int, x: int, y: int) -> None:
        self._reference, self._values, self._scale = reference, values, scale
        self._row, self._column = y // SIDE, x // SIDE
        self._shift: tuple[int, int, float] | None = None

    def high(self, cells: Cells) -> Cells | None:
        """What good sheets show at the cells of the piece; None where the piece fits nowhere."""
        shift = self._laid(cells)
        if shift is None:
            return None
        row, column = self._row + shift[0], self._column + shift[1]
        return _read(_cut(self._reference.high, row, column, cells.shape, beyond=_LOWEST))

    def bright(self, x: int, y: int, shape: tuple[int, int], cell: int) -> NDArray[np.uint8] | None:
        """By how many grey levels good sheets stand out at cells of another size; None where the piece fits nowhere.

        Args:
            x: left of the first of them, px of the plate.
            y: its top.
            shape: rows and columns of cells.
            cell: px of their sides.
        """
        shift = self._laid(None)
        if shift is None:
            return None
        rows = (y + cell * np.arange(shape[0])) // SIDE + shift[0]
        columns = (x + cell * np.arange(shape[1])) // SIDE + shift[1]
        return np.asarray(_at(self._reference.bright, rows, columns, beyond=0), np.uint8)

    def _laid(self, cells: Cells | None) -> tuple[int, int] | None:
        if self._shift is None:
            cells = cells_of(self._values, self._scale) if cells is None else cells
            self._shift = self._reference.shift(cells, self._row, self._column)
        return None if self._shift[2] < _LEAST_FIT else self._shift[:2]


def _stored(cells: NDArray[np.float32]) -> NDArray[np.int8]:
    return np.asarray(np.rint(cells * _STEPS).clip(-128, 127), np.int8)


def _plain(part: object) -> bool:
    return isinstance(part, Tensor) and part.layout is torch.strided and part.device.type == "cpu"


def _usual(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    rank = max(2, -(-len(parts) // 4))
    return np.ascontiguousarray(np.partition(np.stack(parts), -rank, axis=0)[-rank])


_LOWEST = int(_stored(np.array(CALM, np.float32)))


def _read(stored: NDArray[np.int8]) -> Cells:
    return np.asarray(stored / np.float32(_STEPS), np.float32)


def _cut(
    part: NDArray[Any], row: int, column: int, shape: tuple[int, ...], *, beyond: int | None = None
) -> NDArray[Any]:
    """A piece of a part, from a row and a column on."""
    return _at(part, np.arange(row, row + shape[0]), np.arange(column, column + shape[1]), beyond=beyond)


def _at(part: NDArray[Any], rows: NDArray[np.intp], columns: NDArray[np.intp], *, beyond: int | None) -> NDArray[Any]:
    """Rows and columns of a part. Beyond its edges, of which nothing is known, stands `beyond`; None: what is there."""
    there = np.asarray(part[np.ix_(rows.clip(0, part.shape[0] - 1), columns.clip(0, part.shape[1] - 1))])
    if beyond is not None:
        there[(rows < 0) | (rows >= part.shape[0])] = beyond
        there[:, (columns < 0) | (columns >= part.shape[1])] = beyond
    return there
