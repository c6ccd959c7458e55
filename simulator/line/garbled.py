"""What a broken camera makes of a sheet: copied and dead rows and columns, and test pictures."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Places = NDArray[np.int64]
Garble = Callable[[Image, np.random.Generator], None]
"""Changes a sheet, uint8 (rows, columns), in place."""


def _rows_frozen(rows: int) -> Garble:
    def garble(sheet: Image, _: np.random.Generator) -> None:
        first = sheet.shape[0] // 2
        sheet[first : first + rows] = sheet[first - 1]

    return garble


def _frozen_to_the_end(sheet: Image, _: np.random.Generator) -> None:
    sheet[sheet.shape[0] // 4 :] = sheet[sheet.shape[0] // 4]


def _one_row(sheet: Image, _: np.random.Generator) -> None:
    sheet[:] = sheet[sheet.shape[0] // 2]


def _rows_again(rows: int, gap: int) -> Garble:
    def garble(sheet: Image, _: np.random.Generator) -> None:
        sheet[rows + gap : 2 * rows + gap] = sheet[:rows].copy()

    return garble


def _rows_mirrored(sheet: Image, _: np.random.Generator) -> None:
    half = sheet.shape[0] // 2
    sheet[-half:] = sheet[:half][::-1].copy()


def _columns_doubled(group: int) -> Garble:
    """Each group of columns is a copy of the one before it."""

    def garble(sheet: Image, _: np.random.Generator) -> None:
        for first in range(0, sheet.shape[1] - 2 * group + 1, 2 * group):
            sheet[:, first + group : first + 2 * group] = sheet[:, first : first + group]

    return garble


def _tap_copied(sheet: Image, _: np.random.Generator) -> None:
    tap = sheet.shape[1] // 5
    sheet[:, 3 * tap : 4 * tap] = sheet[:, tap : 2 * tap].copy()


def _columns_mirrored(sheet: Image, _: np.random.Generator) -> None:
    half = sheet.shape[1] // 2
    sheet[:, -half:] = sheet[:, :half][:, ::-1].copy()


def _columns_dead(grey: int | None, columns: int, since: float = 0.0) -> Garble:
    """Some columns hold one value, or each its own (None), from a share of the rows on."""

    def garble(sheet: Image, _: np.random.Generator) -> None:
        first, row = sheet.shape[1] // 3, int(since * sheet.shape[0])
        sheet[row:, first : first + columns] = sheet[row, first : first + columns].copy() if grey is None else grey

    return garble


def _test_picture(shade: Callable[[Places, Places], Places]) -> Garble:
    def garble(sheet: Image, _: np.random.Generator) -> None:
        rows, columns = (np.arange(length, dtype=np.int64) for length in sheet.shape)
        sheet[:] = (shade(rows[:, None], columns[None]) % 256).astype(np.uint8)

    return garble


ROWS_REPEATED: dict[str, Garble] = {
    "one row twice": _rows_frozen(1),
    "one row 100 times": _rows_frozen(100),
    "one row 600 times": _rows_frozen(600),
    "one row for the whole plate": _one_row,
    "frozen from a quarter on": _frozen_to_the_end,
    "the first 500 rows twice": _rows_again(500, 0),
    "60 rows again after 1,000": _rows_again(60, 1000),
    "the second half mirrors the first": _rows_mirrored,
    "a ramp across": _test_picture(lambda y, x: x + 0 * y),
    "a diagonal ramp": _test_picture(lambda y, x: x + y),
}
COLUMNS_REPEATED: dict[str, Garble] = {
    "every second column": _columns_doubled(1),
    "columns in groups of 2": _columns_doubled(2),
    "columns in groups of 4": _columns_doubled(4),
    "a tap copied from another": _tap_copied,
    "the right half mirrors the left": _columns_mirrored,
    "a ramp along": _test_picture(lambda y, x: y + 0 * x),
}
COLUMNS_DEAD: dict[str, Garble] = {
    "a block black": _columns_dead(0, 20),
    "a block white": _columns_dead(255, 20),
    "a block of one grey": _columns_dead(100, 20),
    "a wide block of one grey": _columns_dead(100, 800),
    "a block frozen": _columns_dead(None, 300),
    "a block frozen from the middle on": _columns_dead(None, 300, 0.5),
    "a block black from the middle on": _columns_dead(0, 20, 0.5),
}
