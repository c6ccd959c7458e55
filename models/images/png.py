"""PNG: its chunks and its compressed stream are checked here, its pixels decoded whole by libpng.

libpng writes its opinion of odd files to stdout, which belongs to results; so it is given only what cannot provoke
it: the chunks that make the pixels, and a stream that was found whole.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from models.images.source import ImageError, ImageSource, range_table, require_memory, to_grey

MAGIC = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_MOST_DEFLATE = 1032  # no deflate stream expands further
_MOST_SIDE = 1_000_000  # libpng's own limit


class _Header(NamedTuple):
    width: int
    height: int
    depth: int
    colour: int
    interlaced: int

    @property
    def stream_bytes(self) -> int:
        """Bytes of the filtered rows, each with its filter's byte."""
        bits = self.depth * _CHANNELS[self.colour]
        if not self.interlaced:
            return self.height * (1 + (self.width * bits + 7) // 8)
        total = 0
        for x, y, step_x, step_y in _ADAM7:
            columns, rows = -(-(self.width - x) // step_x), -(-(self.height - y) // step_y)
            if columns > 0 and rows > 0:
                total += rows * (1 + (columns * bits + 7) // 8)
        return total


class PngSource(ImageSource):
    """A PNG of any depth and colour type; takes over `file` and closes it once decoded.

    Raises:
        ImageError: the header is damaged, or says more than the file can hold.
    """

    def __init__(self, file: BinaryIO, bits: int | None) -> None:
        self._file, self._size = file, os.fstat(file.fileno()).st_size
        self._header = _read_header(file, self._size)
        self.width, self.height = self._header.width, self._header.height
        self.bits = 8 if self._header.depth <= 8 else bits or 16
        self._samples: NDArray[Any] | None = None
        self._table = None if self._header.depth <= 8 else range_table(self.bits)

    def load(self) -> None:
        """Decode the pixels."""
        if self._samples is None:
            self._samples = self._decoded()

    def _decoded(self) -> NDArray[Any]:
        file, size, header = self._file, self._size, self._header
        pixel = 3 if header.colour == 3 else _CHANNELS[header.colour] * (2 if header.depth == 16 else 1)
        require_memory(
            self.width * self.height * pixel + 2 * size,
            f"a PNG of {self.width} x {self.height} px is decoded whole: its pixels",
        )
        file.seek(len(MAGIC))
        data = memoryview(file.read())
        file.close()
        chunks = list(_critical_chunks(data))
        _check_stream((chunk for kind, chunk in chunks if kind == b"IDAT"), header.stream_bytes)
        whole = MAGIC + b"".join(_chunk(kind, chunk) for kind, chunk in chunks)
        try:
            samples: NDArray[Any] = imagecodecs.png_decode(whole)
        except imagecodecs.PngError as error:
            raise ImageError(f"damaged PNG: {error}; write the file again") from error
        if samples.shape[:2] != (self.height, self.width):
            raise ImageError(f"damaged PNG: {samples.shape} samples for {self.width} x {self.height} px")
        return samples

    def _rows(self, first: int, last: int) -> NDArray[np.uint8]:
        assert self._samples is not None
        return to_grey(self._samples[first:last], self._table)

    def close(self) -> None:
        """Close the file and let go of the pixels."""
        self._file.close()
        self._samples = np.empty((0, self.width), np.uint8)


def _read_header(file: BinaryIO, size: int) -> _Header:
    head = file.read(33)
    if len(head) < 33:
        raise ImageError("truncated PNG: the file ends in its header; write it again")
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", head[16:29])
    if head[12:16] != b"IHDR" or not width or not height or depth not in _DEPTHS.get(colour, ()) or interlaced > 1:
        raise ImageError(
            f"damaged PNG header: {width} x {height} px, colour type {colour}, {depth} bits; write the file again"
        )
    header = _Header(width, height, depth, colour, interlaced)
    if size * _MOST_DEFLATE < header.stream_bytes:
        raise ImageError(
            f"truncated PNG or false header: {size:,} bytes cannot hold {width} x {height} px; write the file again"
        )
    if max(width, height) > _MOST_SIDE:
        raise ImageError(f"a PNG of {width} x {height} px has a side over {_MOST_SIDE:,} px; convert it to TIFF")
    return header


def _critical_chunks(data: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """The chunks that make the pixels, up to the end chunk, their checksums verified."""
    at = 0
    while True:
        if at + 12 > len(data):
            raise ImageError("truncated PNG: the file ends before its end chunk; write it again")
        length, kind = int.from_bytes(data[at : at + 4], "big"), bytes(data[at + 4 : at + 8])
        end = at + 12 + length
        if end > len(data):
            left = len(data) - at - 12
            raise ImageError(
                f"truncated PNG: {left:,} of the {length:,} bytes of chunk {kind!r} are there; write it again"
            )
        if kind[0] & 0x20 == 0:
            chunk = data[at + 8 : end - 4]
            if zlib.crc32(data[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
                raise ImageError(f"damaged PNG: the checksum of chunk {kind!r} is wrong; write the file again")
            yield kind, chunk
        if kind == b"IEND":
            return
        at = end


def _check_stream(parts: Iterator[memoryview], expected: int) -> None:
    """Decompress the stream in small pieces, and refuse it unless it holds exactly the rows."""
    stream = zlib.decompressobj()
    found = 0
    try:
        for part in parts:
            rest: memoryview | bytes = part
            while rest and not stream.eof and found <= expected:
                found += len(stream.decompress(rest, 1 << 20))
                rest = stream.unconsumed_tail
        while not stream.eof and found <= expected:
            more = len(stream.decompress(stream.unconsumed_tail, 1 << 20))
            if not more:
                break
            found += more
    except zlib.error as error:
        raise ImageError(f"damaged PNG: {error}; write the file again") from error
    if found != expected or not stream.eof:
        raise ImageError(f"damaged PNG: {found:,} bytes of pixels where {expected:,} belong; write the file again")


def _chunk(kind: bytes, data: memoryview) -> bytes:
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))
