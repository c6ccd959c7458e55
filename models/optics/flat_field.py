"""Flat field by column: what a dark and a white reference say of each column, and its correction while rows are copied.

A column's light is white less dark. Every column is brought to the level of the brightest one: gains are from 1 to
under 2, so a pixel at full scale stays there, and the gate of saturation still sees it. Whole numbers throughout, so
that results are equal on every machine:

    lit = max(pixel, dark) - dark
    corrected = min(255, lit + (lit * extra + 128) // 256)        gain = 1 + extra / 256

It is done where rows are copied into the plate memory, some at a time, so that they stay in the processor's cache:
no pixel is fetched from memory once more (docs/decisions/0048-flat-field.md).
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]

FORMAT = "linesentry flat field 1"
LEAST_ROWS = 64
"""Rows of a reference."""
_MOST_DARK = 40
"""Grey levels; a darker lens lets less through."""
_LEAST_LIGHT = 20
"""Grey levels of a column's light that can be corrected."""
_MOST_CLIPPED = 0.01
"""Share of a column's white pixels that may be at full scale."""
_ROWS_AT_ONCE = 8
"""Rows of a plate that are corrected together: with what is reckoned they stay in the second cache."""


class FlatFieldError(Exception):
    """A reference or a file cannot be used; the message says what was found and what to do."""


class FlatField(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The correction of a camera's columns."""

    format: str
    made_at: str
    """UTC."""
    width: int
    """Columns of the camera."""
    first: int
    """First column that the white reference covers; those outside are left as they are."""
    last: int
    """After the last."""
    dark: list[int]
    """Grey level of each column without light."""
    extra: list[int]
    """What each column's gain has above 1, in 1/256."""
    sha256: str = ""
    """Of all that stands above."""

    @property
    def digest(self) -> str:
        """The SHA-256 that belongs to what stands in it."""
        bare = msgspec.structs.replace(self, sha256="")
        return hashlib.sha256(msgspec.json.encode(bare)).hexdigest()

    @property
    def gains(self) -> NDArray[np.float64]:
        """Of the columns that the reference covers."""
        return 1 + np.array(self.extra[self.first : self.last]) / 256


def from_references(white: Grey, dark: Grey, made_at: str) -> FlatField:
    """The correction that makes the white reference even.

    Args:
        white: rows of an even white target, (rows, columns) uint8, as the camera delivers them; moved while it is
            taken, so that no scratch of it stays in a column.
        dark: rows without light.
        made_at: for the file.

    Raises:
        FlatFieldError: too few rows, of another width, a white that is clipped or too dark, a dark that is not.
    """
    for name, rows in (("white", white), ("dark", dark)):
        if rows.ndim != 2 or len(rows) < LEAST_ROWS:
            raise FlatFieldError(f"the {name} reference has {len(rows)} rows: take {LEAST_ROWS} or more, 500 are good")
    if white.shape[1] != dark.shape[1]:
        raise FlatFieldError(
            f"the white reference has {white.shape[1]} columns and the dark one {dark.shape[1]}: take both anew"
        )
    black = np.rint(_middle(dark)).astype(np.int64)
    if black.max() > _MOST_DARK:
        worst = int(black.argmax())
        raise FlatFieldError(
            f"the dark reference has {black[worst]} grey levels in column {worst}, most is {_MOST_DARK}: cover the lens"
        )
    clipped = np.flatnonzero((white == 255).mean(axis=0) > _MOST_CLIPPED)
    if len(clipped):
        raise FlatFieldError(
            f"the white reference is at full scale in {len(clipped)} columns, the first is {clipped[0]}: "
            "shorten the exposure until no column is"
        )
    light = _middle(white) - black
    first, last, target = _covered(light, black)
    extra = np.zeros(len(light), np.int64)
    covered = slice(first, last)
    extra[covered] = np.rint(256 * (target / light[covered] - 1))
    black[:first] = black[last:] = 0
    made = FlatField(FORMAT, made_at, len(light), first, last, black.tolist(), extra.tolist())
    return msgspec.structs.replace(made, sha256=made.digest)


def _middle(rows: Grey) -> NDArray[np.float64]:
    """The mean of the middle half of each column's values: dirt and scratches of a target lie outside."""
    quarter = len(rows) // 4
    ordered = np.partition(rows, (quarter, len(rows) - quarter - 1), axis=0)
    return np.asarray(ordered[quarter : len(rows) - quarter].mean(axis=0), np.float64)


def _covered(light: NDArray[np.float64], dark: NDArray[np.int64]) -> tuple[int, int, float]:
    """The columns that can be corrected, first and after the last, and the level that they are brought to."""
    lit = np.flatnonzero(light >= _LEAST_LIGHT)
    if not len(lit):
        raise FlatFieldError(
            f"the white reference is {light.max():.0f} grey levels brighter than the dark one at most, least is "
            f"{_LEAST_LIGHT}: turn on the lamp, or expose longer"
        )
    # At this level a pixel at full scale stays there in every column.
    target = float((light[lit] * 255 / (255 - dark[lit])).max())
    enough = np.flatnonzero((light >= _LEAST_LIGHT) & (np.rint(256 * (target / np.maximum(light, 1) - 1)) < 256))
    first, last = int(enough[0]), int(enough[-1]) + 1
    if len(enough) < last - first:
        missing = np.setdiff1d(np.arange(first, last), enough)
        raise FlatFieldError(
            f"{len(missing)} columns between {first} and {last - 1} get less than half of the light of the brightest, "
            f"the first is {missing[0]}: clean the glass, see the lamp; a correction of more than twice adds noise"
        )
    return first, last, target


def read(path: Path, width: int, columns: tuple[int, int] | None = None) -> FlatField:
    """The flat field of that file, which is as it was written.

    Args:
        path: the file.
        width: columns of the camera.
        columns: first camera column of a product and after its last; None: not looked at.

    Raises:
        FlatFieldError: it cannot be read, was changed, or is of another camera or of other columns.
    """
    again = "make it again with `linesentry calibrate flat-field`"
    try:
        found = msgspec.json.decode(path.read_bytes(), type=FlatField)
    except OSError as error:
        raise FlatFieldError(f"{path} cannot be read: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise FlatFieldError(f"{path} is no flat field ({error}): {again}") from error
    if found.format != FORMAT:
        raise FlatFieldError(f"{path} has the format {found.format[:60]!r}, this program knows {FORMAT!r}: {again}")
    if found.sha256 != found.digest or not _is_sound(found):
        raise FlatFieldError(f"{path} is not as it was written: {again}")
    if found.width != width:
        raise FlatFieldError(f"{path} is of a camera of {found.width} columns, this one has {width}: {again}")
    if columns is not None and not found.first <= columns[0] < columns[1] <= found.last:
        raise FlatFieldError(
            f"{path} covers the camera columns {found.first} to {found.last - 1}, the recipe keeps {columns[0]} to "
            f"{columns[1] - 1}: take a white reference as wide as the product"
        )
    return found


def _is_sound(found: FlatField) -> bool:
    lists = (found.dark, found.extra)
    return all(len(one) == found.width and all(0 <= value < 256 for value in one) for one in lists) and (
        0 <= found.first < found.last <= found.width
    )


class Correction:
    """Corrects rows of some columns while it copies them. Not for several threads at once.

    Args:
        flat: of the camera.
        columns: first camera column that is copied, and after the last.
    """

    def __init__(self, flat: FlatField, columns: tuple[int, int]) -> None:
        kept = slice(*columns)
        self._dark = np.array(flat.dark[kept], np.uint8)
        self._extra = np.array(flat.extra[kept], np.uint16)
        shape = (_ROWS_AT_ONCE, len(self._dark))
        self._lit, self._room, self._added = np.empty(shape, np.uint8), np.empty(shape, np.uint8), np.empty(shape, "u1")
        self._product = np.empty(shape, np.uint16)

    def copy(self, source: Grey, into: Grey) -> None:
        """Write the corrected rows of `source` into `into`, both (rows, columns) uint8 with any stride of rows."""
        for first in range(0, len(source), _ROWS_AT_ONCE):
            rows = source[first : first + _ROWS_AT_ONCE]
            count = len(rows)
            lit, room, added, product = (one[:count] for one in (self._lit, self._room, self._added, self._product))
            np.maximum(rows, self._dark, out=lit)
            np.subtract(lit, self._dark, out=lit)
            # 255 * 255 + 128 is the most, and fits.
            np.copyto(product, lit)
            np.multiply(product, self._extra, out=product)
            np.add(product, 128, out=product)
            np.right_shift(product, 8, out=product)
            np.copyto(added, product, casting="unsafe")
            np.invert(lit, out=room)
            np.minimum(added, room, out=added)
            np.add(lit, added, out=into[first : first + count])
