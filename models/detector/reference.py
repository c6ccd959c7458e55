"""What good sheets of a product show at each place: what stands there again counts less.

Sheets of one die look alike: the same crest line lies at the same place of each. A reference holds how high the feature
values of good sheets are there. It belongs to the weights that gave those values, and lies in their file
(docs/decisions/0063-reference.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

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
PREFIX = "reference."
"""Of the names of its parts in a file of weights."""
_STEPS = 15
"""Of a feature unit, as it is stored."""
_FAR = 12
"""Cells by which a sheet may lie elsewhere along each axis: 96 px. On 16,000 px a turn by 0.3 degrees moves 84 px, a
stretch by half a percent 80."""
_LEAST_FIT = 0.15
"""Correlation below which a piece of a sheet and the reference have too little in common to be laid upon each other."""
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


def near(cells: Cells) -> Cells:
    """The highest of each cell and its neighbours: places need not be equal to the cell."""
    return np.asarray(cv2.dilate(cells, np.ones((3, 3), np.uint8)), np.float32) if cells.size else cells


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """Of a whole plate, int8 (rows, columns) of cells, in fifteenths of a feature unit."""

    middle: NDArray[np.int8]
    """The median over the sheets: what a sheet is laid by."""
    high: NDArray[np.int8]
    """The second highest over the sheets, neighbours included: one sheet may hide a crack."""

    @classmethod
    def of(cls, sheets: Sequence[Cells]) -> Self:
        """The reference of good sheets, laid upon the first piece by piece.

        Raises:
            ValueError: fewer than three sheets, or one without a cell.
        """
        if len(sheets) < _LEAST_SHEETS or not all(one.size for one in sheets):
            raise ValueError(f"a reference needs {_LEAST_SHEETS} sheets with a cell at least; found {len(sheets)}")
        first = sheets[0]
        laid = [cls(_stored(one), _stored(near(one))).moved_to(first) for one in sheets[1:]]
        middle = np.stack([_stored(first), *(one for one, _ in laid)])
        high = np.stack([_stored(near(first)), *(one for _, one in laid)])
        second = np.partition(high, -2, axis=0)[-2]
        return cls(np.sort(middle, axis=0)[len(sheets) // 2], np.ascontiguousarray(second))

    def moved_to(self, other: Cells) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
        """Both parts as they lie on another sheet, of which the cells are given."""
        parts = np.empty(other.shape, np.int8), np.empty(other.shape, np.int8)
        for row in range(0, other.shape[0], _BLOCK[0]):
            for column in range(0, other.shape[1], _BLOCK[1]):
                piece = other[row : row + _BLOCK[0], column : column + _BLOCK[1]]
                # A narrow rest is laid with what lies before it.
                top, left = (
                    max(0, min(at, end - _LEAST_CELLS)) for at, end in zip((row, column), other.shape, strict=True)
                )
                down, right, _ = self._shift(other[top : row + _BLOCK[0], left : column + _BLOCK[1]], top, left)
                for part, own in zip(parts, (self.middle, self.high), strict=True):
                    part[row : row + _BLOCK[0], column : column + _BLOCK[1]] = _cut(
                        own, row + down, column + right, piece.shape
                    )
        return parts

    def laid(self, cells: Cells, row: int, column: int) -> Cells | None:
        """What good sheets show where a piece of a plate lies, by the piece's own relief; None where it fits nowhere.

        Args:
            cells: of the piece.
            row: of the plate's cells, at which the piece begins.
            column: likewise.
        """
        down, right, fit = self._shift(cells, row, column)
        if fit < _LEAST_FIT:
            return None
        return _read(_cut(self.high, row + down, column + right, cells.shape))

    def _shift(self, cells: Cells, row: int, column: int) -> tuple[int, int, float]:
        """By how many cells the reference's place lies below and right of the piece's, and how well it fits there."""
        rows, columns = cells.shape
        # Of an even piece OpenCV says that it fits everywhere.
        if min(rows, columns) < _LEAST_CELLS or np.ptp(cells) == 0:
            return 0, 0, 0.0
        around = _read(_cut(self.middle, row - _FAR, column - _FAR, (rows + 2 * _FAR, columns + 2 * _FAR)))
        fits = cv2.matchTemplate(around, np.ascontiguousarray(cells), cv2.TM_CCOEFF_NORMED)
        down, right = np.unravel_index(int(fits.argmax()), fits.shape)
        return int(down) - _FAR, int(right) - _FAR, float(fits[down, right])

    def without(self, boxes: Sequence[tuple[int, int, int, int]]) -> Self:
        """The same with calm in these boxes: what is there counts in full.

        Args:
            boxes: x, y, width, height, px of the first sheet.
        """
        high = self.high.copy()
        for x, y, width, height in boxes:
            rows = slice(max(0, y // SIDE), max(0, -(-(y + height) // SIDE)))
            high[rows, max(0, x // SIDE) : max(0, -(-(x + width) // SIDE))] = _stored(np.array(CALM, np.float32))
        return type(self)(self.middle, high)

    # --- in a file -------------------------------------------------------------------------------------------------

    def tensors(self) -> dict[str, Tensor]:
        """Its parts by their names in a file of weights."""
        return {f"{PREFIX}middle": torch.from_numpy(self.middle), f"{PREFIX}high": torch.from_numpy(self.high)}

    @classmethod
    def parted(cls, state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], Self | None]:
        """A file's weights, and the reference among them, if there is one.

        Raises:
            ValueError: one that is no reference.
        """
        own = {name: value for name, value in state.items() if name.startswith(PREFIX)}
        rest = {name: value for name, value in state.items() if name not in own}
        if not own:
            return rest, None
        middle, high = own.pop(f"{PREFIX}middle", None), own.pop(f"{PREFIX}high", None)
        if (
            middle is None
            or high is None
            or own
            or not _sound(middle)
            or not _sound(high)
            or middle.shape != high.shape
        ):
            raise ValueError("its reference by place is damaged: teach the product again")
        return rest, cls(middle.numpy(), high.numpy())


def _sound(part: Tensor) -> bool:
    return isinstance(part, Tensor) and part.dtype == torch.int8 and part.dim() == 2 and part.numel() > 0


def _stored(cells: NDArray[np.float32]) -> NDArray[np.int8]:
    return np.asarray(np.rint(cells * _STEPS).clip(-128, 127), np.int8)


def _read(stored: NDArray[np.int8]) -> Cells:
    return np.asarray(stored / np.float32(_STEPS), np.float32)


def _cut(part: NDArray[np.int8], row: int, column: int, shape: tuple[int, ...]) -> NDArray[np.int8]:
    """A piece of a part; beyond its edges goes on what lies at them."""
    rows = np.arange(row, row + shape[0]).clip(0, part.shape[0] - 1)
    columns = np.arange(column, column + shape[1]).clip(0, part.shape[1] - 1)
    return np.asarray(part[np.ix_(rows, columns)])
