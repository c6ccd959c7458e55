"""Pixels as a camera sends them (PFNC names) to uint8, scaled by their full range, in one pass.

| format | bytes |
|---|---|
| Mono8 | one a pixel |
| Mono10, Mono12, Mono14, Mono16 | two a pixel, the low one first |
| Mono10p, Mono12p | packed without gaps, low bits first: 4 pixels in 5 bytes, 2 in 3 |
| Mono10Packed, Mono12Packed | GigE Vision's: 2 pixels in 3 bytes, the middle one has the low bits of both |
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_BLOCK = 1 << 17
"""Pixels that are converted at once: what they need beside stays in the processor's cache."""

Bytes = NDArray[np.uint8]
Samples = NDArray[np.integer[Any]]


def _gige_10(data: Bytes) -> Samples:
    b = data.reshape(len(data), -1, 3).astype(np.uint16)
    return _woven(b[..., 0] << 2 | b[..., 1] & 3, b[..., 2] << 2 | (b[..., 1] >> 4) & 3)


def _gige_12(data: Bytes) -> Samples:
    b = data.reshape(len(data), -1, 3).astype(np.uint16)
    return _woven(b[..., 0] << 4 | b[..., 1] & 15, b[..., 2] << 4 | b[..., 1] >> 4)


def _packed_12(data: Bytes) -> Samples:
    b = data.reshape(len(data), -1, 3).astype(np.uint16)
    return _woven(b[..., 0] | (b[..., 1] & 15) << 8, b[..., 1] >> 4 | b[..., 2] << 4)


def _packed_10(data: Bytes) -> Samples:
    b = data.reshape(len(data), -1, 5).astype(np.uint16)
    return _woven(
        b[..., 0] | (b[..., 1] & 3) << 8,
        b[..., 1] >> 2 | (b[..., 2] & 15) << 6,
        b[..., 2] >> 4 | (b[..., 3] & 63) << 4,
        b[..., 3] >> 6 | b[..., 4] << 2,
    )


def _two_bytes(data: Bytes) -> Samples:
    return data.view("<u2")


def _woven(*columns: Samples) -> Samples:
    """Columns (rows, groups) of the first, second, ... pixel of each group, as rows of pixels."""
    return np.stack(columns, axis=-1).reshape(len(columns[0]), -1)


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """How pixels lie in a buffer."""

    name: str
    bits: int
    """Significant bits: 2^bits - 1 is full scale."""
    group: tuple[int, int]
    """So many pixels in so many bytes."""
    samples: Callable[[Bytes], Samples] | None = None
    """Bytes (rows, bytes of a row) to values (rows, pixels); None: each byte is a grey value."""

    def row_bytes(self, width: int) -> int:
        """Bytes of a row. Raises ValueError: a row of that width does not end with a byte."""
        pixels, size = self.group
        if width % pixels:
            raise ValueError(f"a row of {width} px in {self.name} ends within a byte: take a multiple of {pixels}")
        return width // pixels * size


FORMATS = {
    one.name: one
    for one in (
        PixelFormat("Mono8", 8, (1, 1)),
        PixelFormat("Mono10", 10, (1, 2), _two_bytes),
        PixelFormat("Mono12", 12, (1, 2), _two_bytes),
        PixelFormat("Mono14", 14, (1, 2), _two_bytes),
        PixelFormat("Mono16", 16, (1, 2), _two_bytes),
        PixelFormat("Mono10p", 10, (4, 5), _packed_10),
        PixelFormat("Mono12p", 12, (2, 3), _packed_12),
        PixelFormat("Mono10Packed", 10, (2, 3), _gige_10),
        PixelFormat("Mono12Packed", 12, (2, 3), _gige_12),
    )
}
"""The pixel formats that can be read, by their PFNC names."""


class Converter:
    """Writes rows of one pixel format as uint8: round(255 value / (2^bits - 1)), as image files are read."""

    def __init__(self, pixels: PixelFormat, width: int) -> None:
        self._pixels = pixels
        self.row_bytes = pixels.row_bytes(width)
        self._rows = max(1, _BLOCK // width)
        top = (1 << pixels.bits) - 1
        values = np.minimum(np.arange(1 << 16, dtype=np.int64), top)
        # Bits beyond the significant ones are no light: such a value is taken as full scale.
        self._table = ((2 * 255 * values + top) // (2 * top)).astype(np.uint8)

    def write(self, data: Bytes, stride: int, into: NDArray[np.uint8]) -> None:
        """Fill `into` (rows x width) from bytes of which each row takes `stride`."""
        rows = len(into)
        lines = data[: rows * stride].reshape(rows, stride)[:, : self.row_bytes]
        if self._pixels.samples is None:
            into[:] = lines
            return
        for first in range(0, rows, self._rows):
            block = np.ascontiguousarray(lines[first : first + self._rows])
            into[first : first + self._rows] = self._table[self._pixels.samples(block)]
