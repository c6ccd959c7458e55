"""What a broken camera makes of a sheet: noise, faulty bits, rows and columns copied, dead or misplaced."""

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


def _noise(grey: float, sigma: float, since: float = 0.0) -> Garble:
    """White noise, uniform over all grey levels where sigma is infinite, from a share of the rows on."""

    def garble(sheet: Image, rng: np.random.Generator) -> None:
        part = sheet[int(since * sheet.shape[0]) :]
        uniform = np.isinf(sigma)
        noise = rng.integers(0, 256, part.shape) if uniform else np.rint(rng.normal(grey, sigma, part.shape))
        part[:] = np.clip(noise, 0, 255).astype(np.uint8)

    return garble


def _bit(bit: int, state: bool | float, where: tuple[slice, slice] = (slice(None), slice(None))) -> Garble:
    """A bit is always 0 (False) or 1 (True), or turns round with a probability."""

    def garble(sheet: Image, rng: np.random.Generator) -> None:
        part, mask = sheet[where], np.uint8(1 << bit)
        if isinstance(state, bool):
            part[:] = part | mask if state else part & ~mask
        else:
            part[:] = part ^ np.where(rng.random(part.shape) < state, mask, np.uint8(0))

    return garble


def _rows_rolled(columns: int) -> Garble:
    """All rows from the middle on are shifted sideways."""

    def garble(sheet: Image, _: np.random.Generator) -> None:
        half = sheet.shape[0] // 2
        sheet[half:] = np.roll(sheet[half:], columns, axis=1)

    return garble


def _rows_lost(rows: int) -> Garble:
    def garble(sheet: Image, _: np.random.Generator) -> None:
        half = sheet.shape[0] // 2
        sheet[half:-rows] = sheet[half + rows :].copy()

    return garble


def _interlaced(sheet: Image, _: np.random.Generator) -> None:
    sheet[1::2] = np.roll(sheet[1::2], 8, axis=1)


def _taps_swapped(sheet: Image, _: np.random.Generator) -> None:
    tap = sheet.shape[1] // 4
    sheet[:, tap : 3 * tap] = np.roll(sheet[:, tap : 3 * tap], tap, axis=1)


def _negative(where: tuple[slice, slice]) -> Garble:
    def garble(sheet: Image, _: np.random.Generator) -> None:
        sheet[where] = 255 - sheet[where]

    return garble


def _gain(factor: float, where: tuple[slice, slice]) -> Garble:
    def garble(sheet: Image, _: np.random.Generator) -> None:
        sheet[where] = np.clip(sheet[where] * factor, 0, 255).astype(np.uint8)

    return garble


def _bands(sheet: Image, _: np.random.Generator) -> None:
    """Bands of 50 rows, every second one at half the light."""
    for first in range(0, sheet.shape[0], 100):
        sheet[first : first + 50] = sheet[first : first + 50] // 2


def _each_shifted(*, rows: bool) -> Garble:
    def garble(sheet: Image, rng: np.random.Generator) -> None:
        for line in sheet if rows else sheet.T:
            line[:] = np.roll(line, rng.integers(line.size))

    return garble


_ALL = slice(None)
_LATER, _RIGHT = (slice(900, None), _ALL), (_ALL, slice(700, None))
"""From row 900 on; from column 700 on."""

NOISE: dict[str, Garble] = {
    "uniform noise": _noise(0, np.inf),
    "gaussian noise": _noise(110, 40),
    "a grey field": _noise(40, 2),
    "noise from the middle on": _noise(110, 25, 0.5),
}
FAULTY_BIT: dict[str, Garble] = {
    "bit 7 is noise": _bit(7, 0.5),
    "bit 5 is noise": _bit(5, 0.5),
    "bit 4 is noise": _bit(4, 0.5),
    "bit 6 turns round in one of ten": _bit(6, 0.1),
    "bit 5 is noise from row 900 on": _bit(5, 0.5, _LATER),
    "bit 5 is noise on the right": _bit(5, 0.5, _RIGHT),
    "bit 6 is 0": _bit(6, state=False),
    "bit 4 is 1": _bit(4, state=True),
    "bit 2 is 0": _bit(2, state=False),
    "bit 0 is 1": _bit(0, state=True),
    "bit 5 is 0 on the right": _bit(5, False, _RIGHT),
}
ROWS_MISPLACED: dict[str, Garble] = {
    "rows shifted by 400": _rows_rolled(400),
    "rows shifted by 40": _rows_rolled(40),
    "100 rows lost": _rows_lost(100),
    "every second row shifted": _interlaced,
    "each row shifted by chance": _each_shifted(rows=True),
}
COLUMNS_MISPLACED: dict[str, Garble] = {
    "two taps swapped": _taps_swapped,
    "each column shifted by chance": _each_shifted(rows=False),
}
NEGATIVE: dict[str, Garble] = {
    "negative from row 900 on": _negative(_LATER),
    "negative on the right": _negative(_RIGHT),
}
GAIN_JUMPS: dict[str, Garble] = {
    "a tap brighter by a third": _gain(1.33, _RIGHT),
    "a tap darker by a half": _gain(0.5, _RIGHT),
    "darker from row 900 on": _gain(0.6, _LATER),
    "bands that alternate": _bands,
}
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
