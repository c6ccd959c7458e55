"""PNG as rows of grey values: its chunks and its compressed stream are read and checked here, band by band.

libpng undoes the filters of each band: it is given the band alone, wrapped as a small PNG of its own, behind the row
above it. So memory is bounded by the rows asked for. And libpng, which writes its opinion of odd files to stdout, which
belongs to results, is given only what cannot provoke it. An interlaced PNG has no bands, and is decoded whole.
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

from models.images.depth import USER, Stated, depth_of, measured
from models.images.source import ImageError, ImageSource, range_table, require_memory, to_grey

MAGIC = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_MOST_DEFLATE = 1032  # no deflate stream expands further
_MOST_SIDE = 1_000_000  # libpng's own limit
_PIECE = 1 << 20  # bytes that are read, or inflated, at a time
_BAND_BYTES = 1 << 24  # of rows that are passed over


class Header(NamedTuple):
    """What a PNG says of its pixels."""

    width: int
    height: int
    depth: int
    colour: int
    interlaced: int

    @property
    def row_bytes(self) -> int:
        """Bytes of a row, without its filter's byte."""
        return (self.width * self.depth * _CHANNELS[self.colour] + 7) // 8

    @property
    def stream_bytes(self) -> int:
        """Bytes of the filtered rows, each with its filter's byte."""
        bits = self.depth * _CHANNELS[self.colour]
        if not self.interlaced:
            return self.height * (1 + self.row_bytes)
        total = 0
        for x, y, step_x, step_y in _ADAM7:
            columns, rows = -(-(self.width - x) // step_x), -(-(self.height - y) // step_y)
            if columns > 0 and rows > 0:
                total += rows * (1 + (columns * bits + 7) // 8)
        return total


class PngSource(ImageSource):
    """A PNG of any depth and colour type; takes over `file`.

    Raises:
        ImageError: the header is damaged, says more than the file can hold, or the file does not hold all its chunks.
    """

    def __init__(self, file: BinaryIO, bits: int | None) -> None:
        size = os.fstat(file.fileno()).st_size
        self._file, self._header = file, _read_header(file, size)
        header = self._header
        self.width, self.height = header.width, header.height
        self._chunks = _walk(file, size)
        self.bits = header.depth if bits is None or header.depth <= 8 else bits
        self._stated = None if bits is None else Stated(bits, USER)
        if bits is None and self._chunks.significant and max(self._chunks.significant) < header.depth:
            self._stated = Stated(max(self._chunks.significant), "the chunk sBIT", stretched=True)
        self._table = self._grey_table()
        self._measured = header.depth <= 8
        self._stream: _Rows | None = None
        self._whole: NDArray[Any] | None = None
        self._broken: tuple[int, ImageError] | None = None
        """The row at which the stream was found damaged, and how."""

    def load(self) -> None:
        """Find out how deep its samples are, where they have more than 8 bits: by a look at all of them."""
        if self._measured:
            return
        colours = 3 if self._header.colour in (2, 6) else 1
        depth = depth_of(16, self._stated, measured(self._colours(colours), self._stated))
        self.bits, self.depth_doubt, self._measured = depth.bits, depth.doubt, True
        self.warnings += (depth.warning,) if depth.warning else ()
        self._table = self._grey_table()

    def _colours(self, count: int) -> Iterator[NDArray[Any]]:
        """All samples of the first so many channels, in bands."""
        step = max(1, _BAND_BYTES // self._header.row_bytes)
        for first in range(0, self.height, step):
            samples = self._samples(first, min(first + step, self.height))
            yield samples if samples.ndim == 2 else samples[:, :, :count]

    def _rows(self, first: int, last: int) -> NDArray[np.uint8]:
        return to_grey(self._samples(first, last), self._table)

    def _samples(self, first: int, last: int) -> NDArray[Any]:
        if self._header.interlaced:
            return self._interlaced()[first:last]
        if self._broken is not None and last > self._broken[0]:
            raise self._broken[1]
        if self._stream is None or first < self._stream.row:
            self._stream = _Rows(self._file, self._header, self._chunks)
        stream = self._stream
        # The band's rows as filtered, as one stored stream, and as samples.
        require_memory((last - first) * self._header.row_bytes * 3, f"{last - first} rows of {self.width} px")
        try:
            stream.pass_over(first - stream.row)
            return stream.samples(last - first)
        except ImageError as error:
            self._broken, self._stream = (stream.row, error), None
            raise

    def close(self) -> None:
        """Close the file and let go of the pixels."""
        self._file.close()
        self._stream = self._whole = None

    def _grey_table(self) -> NDArray[np.uint8] | None:
        """From sample to grey value; None where they are equal."""
        if self._header.colour == 3:
            colours = np.frombuffer(self._chunks.palette, np.uint8).reshape(-1, 1, 3)
            table = np.zeros(65536, np.uint8)
            table[: len(colours)] = to_grey(colours, None).ravel()
            return table
        return None if self._header.depth == 8 else range_table(self.bits)

    def _interlaced(self) -> NDArray[Any]:
        """All samples of an image without bands, decoded whole."""
        if self._whole is None:
            header = self._header
            pixel = _CHANNELS[header.colour] * (2 if header.depth == 16 else 1)
            require_memory(
                self.width * self.height * pixel + header.stream_bytes,
                f"an interlaced PNG of {self.width} x {self.height} px is decoded whole: its pixels",
            )
            filtered = _Inflated(self._file, self._chunks)
            data = filtered.take(header.stream_bytes)
            filtered.finish()
            # As grey indices, where it has a palette: its colours are looked up here.
            grey = header._replace(colour=0) if header.colour == 3 else header
            whole = _decoded(grey, data)
            # libpng stretches grey values of few bits to the range of 8.
            self._whole = whole // (255 // ((1 << header.depth) - 1)) if header.depth < 8 else whole
        return self._whole


class _Chunks(NamedTuple):
    """What of a file is needed beside its header."""

    palette: bytes
    """Red, green and blue of each index."""
    significant: bytes
    """Significant bits of each channel that the chunk sBIT states."""
    data: tuple[tuple[int, int], ...]
    """Place and length of each chunk of the stream."""


def _read_header(file: BinaryIO, size: int) -> Header:
    head = file.read(33)
    if len(head) < 33:
        raise ImageError("truncated PNG: the file ends in its header; write it again")
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", head[16:29])
    if head[12:16] != b"IHDR" or not width or not height or depth not in _DEPTHS.get(colour, ()) or interlaced > 1:
        raise ImageError(
            f"damaged PNG header: {width} x {height} px, colour type {colour}, {depth} bits; write the file again"
        )
    if zlib.crc32(head[12:29]) != int.from_bytes(head[29:33], "big"):
        raise _wrong_checksum(b"IHDR")
    header = Header(width, height, depth, colour, interlaced)
    if size * _MOST_DEFLATE < header.stream_bytes:
        raise ImageError(
            f"truncated PNG or false header: {size:,} bytes cannot hold {width} x {height} px; write the file again"
        )
    if max(width, height) > _MOST_SIDE:
        raise ImageError(f"a PNG of {width} x {height} px has a side over {_MOST_SIDE:,} px; convert it to TIFF")
    return header


def _walk(file: BinaryIO, size: int) -> _Chunks:
    """Find the chunks up to the end chunk; only their heads are read, and the palette."""
    at, palette, significant = 33, b"", b""
    data: list[tuple[int, int]] = []
    while True:
        file.seek(at)
        head = file.read(8)
        length, kind = int.from_bytes(head[:4], "big"), head[4:]
        if len(head) < 8 or at + 12 > size:
            raise ImageError("truncated PNG: the file ends before its end chunk; write it again")
        if at + 12 + length > size:
            there = size - at - 12
            raise ImageError(
                f"truncated PNG: {there:,} of the {length:,} bytes of chunk {kind!r} are there; write it again"
            )
        if kind == b"IDAT":
            if data and sum(data[-1]) + 12 != at + 8:
                raise ImageError("damaged PNG: its pixels are interrupted by another chunk; write the file again")
            data.append((at + 8, length))
        elif kind == b"PLTE":
            palette = _checked(file, kind, length)
        elif kind == b"sBIT" and length <= 4:
            significant = _checked(file, kind, length)
        elif kind == b"IEND":
            if not data:
                raise ImageError("damaged PNG: it has no pixels; write the file again")
            return _Chunks(palette[: len(palette) // 3 * 3], significant, tuple(data))
        elif kind[0] & 0x20 == 0:
            raise ImageError(f"damaged PNG: it needs the unknown chunk {kind!r} to be read; write the file again")
        at += 12 + length


def _checked(file: BinaryIO, kind: bytes, length: int) -> bytes:
    """The content of a chunk, of which the head was read."""
    content = file.read(min(length, 768))  # no palette is larger
    if length > 768 or zlib.crc32(kind + content) != int.from_bytes(file.read(4), "big"):
        raise _wrong_checksum(kind)
    return content


class _Inflated:
    """The decompressed stream of a PNG, its checksums verified as it passes."""

    def __init__(self, file: BinaryIO, chunks: _Chunks) -> None:
        self._pieces = _pieces(file, chunks.data)
        self._inflate = zlib.decompressobj()
        self._rest: bytes = b""

    def take(self, count: int) -> bytearray:
        """The next `count` bytes. Raises ImageError where the stream has fewer, or is damaged."""
        taken = bytearray()
        while len(taken) < count:
            piece = self._more(min(_PIECE, count - len(taken)))
            if not piece:
                raise ImageError("damaged PNG: its pixels end too early; write the file again")
            taken += piece
        return taken

    def finish(self) -> None:
        """See that the stream ends here, whole. Raises ImageError."""
        if self._more(1) or not self._inflate.eof:
            raise ImageError("damaged PNG: it has more pixels than its header says; write the file again")
        for _ in self._pieces:
            pass  # their checksums

    def _more(self, most: int) -> bytes:
        """Some bytes more, at most so many; none at the end."""
        while not self._inflate.eof:
            if not self._rest:
                self._rest = next(self._pieces, b"")
            last = not self._rest
            try:
                found = self._inflate.decompress(self._rest, most)
            except zlib.error as error:
                raise ImageError(f"damaged PNG: {error}; write the file again") from error
            self._rest = self._inflate.unconsumed_tail
            if found or last:
                return found
        return b""


class _Rows:
    """The rows of a PNG that is not interlaced, from the top."""

    def __init__(self, file: BinaryIO, header: Header, chunks: _Chunks) -> None:
        self.row = 0
        """The row that comes next."""
        self._header, self._inflated = header, _Inflated(file, chunks)
        self._above: bytes | None = None
        """The bytes of the row before."""
        # libpng undoes filters byte by byte: packed samples and indices are as good as grey values of 8 bits.
        packed = header.depth < 8 or header.colour == 3
        self._packed = packed
        self._shape = Header(header.row_bytes, header.height, 8, 0, 0) if packed else header

    def pass_over(self, count: int) -> None:
        """Go on by so many rows."""
        most = max(1, _BAND_BYTES // self._shape.row_bytes)
        while count:
            self._band(min(most, count))
            count -= min(most, count)

    def samples(self, count: int) -> NDArray[Any]:
        """The next rows, uint8 or uint16 (count, width) or (count, width, channels); of a palette, its indices."""
        band = self._band(count)
        return _unpacked(band, self._header.depth, self._header.width) if self._packed else band

    def _band(self, count: int) -> NDArray[Any]:
        shape = self._shape
        data = self._inflated.take(count * (1 + shape.row_bytes))
        if self.row + count == self._header.height:
            self._inflated.finish()
        above = 0
        if self._above is not None:
            data[:0] = b"\0" + self._above
            above = 1
        band = _decoded(shape._replace(height=count + above), data)[above:]
        self._above = band[-1].astype(">u2").tobytes() if shape.depth == 16 else band[-1].tobytes()
        self.row += count
        return band


def _pieces(file: BinaryIO, data: tuple[tuple[int, int], ...]) -> Iterator[bytes]:
    """The bytes of the stream's chunks; raises ImageError behind one whose checksum is wrong."""
    for place, length in data:
        checksum = zlib.crc32(b"IDAT")
        for at in range(place, place + length, _PIECE):
            file.seek(at)
            piece = file.read(min(_PIECE, place + length - at))
            checksum = zlib.crc32(piece, checksum)
            yield piece
        file.seek(place + length)
        if checksum != int.from_bytes(file.read(4), "big"):
            raise _wrong_checksum(b"IDAT")


def _wrong_checksum(kind: bytes) -> ImageError:
    return ImageError(f"damaged PNG: the checksum of chunk {kind!r} is wrong; write the file again")


def _unpacked(rows: NDArray[np.uint8], depth: int, width: int) -> NDArray[np.uint8]:
    """Samples of `depth` bits, as many as there are columns, from the bytes of rows."""
    if depth == 8:
        return rows
    shifts = np.arange(8 - depth, -1, -depth, dtype=np.uint8)
    samples: NDArray[np.uint8] = (rows[:, :, np.newaxis] >> shifts) & np.uint8((1 << depth) - 1)
    return samples.reshape(len(rows), -1)[:, :width]


def _decoded(header: Header, filtered: bytes | bytearray) -> NDArray[Any]:
    """Samples of filtered rows, (height, width) or (height, width, channels), uint8 or uint16."""
    kind = struct.pack(">IIBBBBB", header.width, header.height, header.depth, header.colour, 0, 0, header.interlaced)
    stored = zlib.compress(filtered, 0)
    whole = b"".join([MAGIC, *_chunk(b"IHDR", kind), *_chunk(b"IDAT", stored), *_chunk(b"IEND", b"")])
    try:
        samples: NDArray[Any] = imagecodecs.png_decode(whole)
    except imagecodecs.PngError as error:
        raise ImageError(f"damaged PNG: {error}; write the file again") from error
    if samples.shape[:2] != (header.height, header.width):
        raise ImageError(f"damaged PNG: {samples.shape} samples for {header.width} x {header.height} px")
    return samples


def _chunk(kind: bytes, data: bytes) -> tuple[bytes, ...]:
    return struct.pack(">I", len(data)), kind, data, struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))
