"""Pixels as a camera sends them (PFNC names) to uint8, scaled by their full range, in one pass.

| format | bytes |
|---|---|
| Mono8 | one a pixel |
| Mono10, Mono12, Mono14, Mono16 | two a pixel, the low one first |
| Mono10p, Mono12p | packed without gaps, low bits first: 4 pixels in 5 bytes, 2 in 3 |
| Mono10Packed, Mono12Packed | GigE Vision's: 2 pixels in 3 bytes, the middle one has the low bits of both |

Each pixel of a group lies within two bytes that follow each other, so its grey level is one look into a table of all
values that two bytes can have.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.images.source import range_table

_BLOCK = 1 << 17
"""Pixels that are converted at once: what they need beside stays in the processor's cache."""

Words = NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True)
class Place:
    """Where one pixel of a group lies."""

    offset: int
    """Of its two bytes within the group."""
    value: Callable[[Words], Words]
    """Its value in the word of these bytes, of which the first is the low one."""


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """How pixels lie in a buffer."""

    name: str
    bits: int
    """Significant bits: 2^bits - 1 is full scale."""
    group_bytes: int = 1
    places: tuple[Place, ...] = ()
    """Of the pixels of a group; none: each byte is a grey level."""

    def row_bytes(self, width: int) -> int:
        """Bytes of a row. Raises ValueError: a row of that width does not end with a byte."""
        pixels = len(self.places) or 1
        if width % pixels:
            raise ValueError(f"a row of {width} px in {self.name} ends within a byte: take a multiple of {pixels}")
        return width // pixels * self.group_bytes


def _plain(bits: int) -> PixelFormat:
    return PixelFormat(f"Mono{bits}", bits, 2, (Place(0, lambda word: word),))


def _packed(bits: int, pixels: int) -> PixelFormat:
    """Pixel after pixel without gaps, the low bits first."""
    places = tuple(
        Place(bits * one // 8, lambda word, shift=bits * one % 8: word >> shift & (1 << bits) - 1)  # type: ignore[misc]
        for one in range(pixels)
    )
    return PixelFormat(f"Mono{bits}p", bits, bits * pixels // 8, places)


def _gige(bits: int) -> PixelFormat:
    """The high bits of two pixels in bytes of their own, and the low ones of both in the byte between."""
    low = bits - 8
    mask = (1 << low) - 1
    first = Place(0, lambda word: (word & 255) << low | word >> 8 & mask)
    second = Place(1, lambda word: word >> 8 << low | word >> 4 & mask)
    return PixelFormat(f"Mono{bits}Packed", bits, 3, (first, second))


_ALL = (PixelFormat("Mono8", 8), *map(_plain, (10, 12, 14, 16)), _packed(10, 4), _packed(12, 2), _gige(10), _gige(12))
FORMATS = {one.name: one for one in _ALL}
"""The pixel formats that can be read, by their PFNC names."""


class Converter:
    """Writes rows of one pixel format as uint8: round(255 value / (2^bits - 1)), as image files are read."""

    def __init__(self, pixels: PixelFormat, width: int) -> None:
        self._pixels = pixels
        self.row_bytes = pixels.row_bytes(width)
        self._block = max(1, _BLOCK // width)
        words = np.arange(1 << 16, dtype=np.int64)
        # Bits beyond the significant ones are no light: such a value is taken as full scale.
        grey = range_table(pixels.bits)
        self._tables = [grey[place.value(words)] for place in pixels.places]

    def write(self, data: NDArray[np.uint8], stride: int, into: NDArray[np.uint8]) -> None:
        """Fill `into` (rows x width) from bytes of which each row takes `stride`."""
        rows, every = len(into), len(self._tables)
        if not every:
            into[:] = data[: rows * stride].reshape(rows, stride)[:, : self.row_bytes]
            return
        size = self._pixels.group_bytes
        shape = (rows, self.row_bytes // size)
        for one, (place, table) in enumerate(zip(self._pixels.places, self._tables, strict=True)):
            words: NDArray[np.uint16] = np.ndarray(shape, "<u2", data, place.offset, (stride, size))
            for first in range(0, rows, self._block):
                last = first + self._block
                # Every word has an entry: "wrap" asks for no check.
                into[first:last, one::every] = table.take(words[first:last], mode="wrap")
