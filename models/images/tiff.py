"""TIFF as rows of grey values, read strip by strip or tile row by tile row, so that memory stays bounded."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
import tifffile
from numpy.typing import NDArray

from models.images.depth import LEAST_BITS, USER, Stated, depth_of, measured
from models.images.source import ImageError, ImageSource, cmyk_to_grey, range_table, require_memory, to_grey

# its notes about odd tags would go to stderr; what matters becomes an ImageError or a warning of the source
_logger = logging.getLogger("tifffile")
_logger.addHandler(logging.NullHandler())
_logger.propagate = False

_GREY, _INVERTED, _RGB, _PALETTE, _CMYK, _YCBCR = 1, 0, 2, 3, 5, 6
_CCITT = (2, 3, 4)
_JPEG = (6, 7, 34892, 33007)
_MAX_SAMPLE_VALUE = 281
_SIGNIFICANT = re.compile(r'\bSignificantBits="([0-9]{1,2})"')
_BAND_ROWS = 64
_MOST_COPIES = 32


class TiffSource(ImageSource):
    """The first page of a TIFF or BigTIFF: strips or tiles, contiguous or planar, compressed or not.

    Takes over `file`. Uncompressed rows are read alone, whatever the strips; compressed ones a row of segments at a
    time, of which the last is kept.

    Raises:
        ImageError: the file is damaged, or its samples are of a kind that is not grey values or colours.
    """

    def __init__(self, file: BinaryIO, bits: int | None) -> None:
        self._file = file
        self._tiff = tifffile.TiffFile(file, _multifile=False)
        page = self._tiff.pages.first
        if not isinstance(page, tifffile.TiffPage):
            raise ImageError("damaged TIFF: its first page cannot be read; write the file again")
        self._page = page
        self.width, self.height = page.imagewidth, page.imagelength
        if self.width < 1 or self.height < 1:
            raise ImageError(f"damaged TIFF header: {self.width} x {self.height} px; write the file again")
        self._check_kind()
        self._stated = self._statement(bits)
        self.bits, self._table = self._scale(self._page.bitspersample if self._stated is None else self._stated.bits)
        self._measured = self._page.bitspersample <= 8 or int(self._page.photometric) == _PALETTE
        self._lay_out()
        self.further_pages = self._further_pages()
        self._kept: tuple[int, NDArray[np.uint8]] | None = None

    def close(self) -> None:
        """Close the file and let go of the segments kept."""
        self._kept = None
        self._tiff.close()
        self._file.close()

    # --- what the page is --------------------------------------------------------------------------------------

    def _check_kind(self) -> None:
        page = self._page
        kind, depth = int(page.sampleformat), page.bitspersample
        if kind != 1 or not 1 <= depth <= 16:
            found = {1: "unsigned", 2: "signed", 3: "floating point", 5: "complex", 6: "complex"}.get(kind, "untyped")
            raise ImageError(
                f"{depth} bit {found} samples have no known full range; convert the image to 8 or 16 bit unsigned"
            )
        if page.imagedepth != 1:
            raise ImageError(f"a volume of {page.imagedepth} layers is no picture of a sheet; save one layer")
        samples, photometric = page.samplesperpixel, int(page.photometric)
        least = {_GREY: 1, _INVERTED: 1, _PALETTE: 1, _RGB: 3, _YCBCR: 3, _CMYK: 4}.get(photometric)
        if least is None or samples < least:
            raise ImageError(
                f"photometric interpretation {photometric} with {samples} samples a pixel is not supported; "
                "convert the image to grey or RGB"
            )
        if photometric == _YCBCR and int(page.compression) not in _JPEG:
            raise ImageError("YCbCr without JPEG compression is not supported; convert the image to grey or RGB")
        if int(page.compression) in _CCITT and depth != 1:
            raise ImageError(f"damaged TIFF header: {depth} bits in a compression for 1 bit; write the file again")
        if photometric == _PALETTE and page.colormap is None:
            raise ImageError("damaged TIFF: a palette image without its palette; write the file again")

    def load(self) -> None:
        """Find out how deep its samples are, where they have more than 8 bits: by a look at all of them."""
        if self._measured:
            return
        depth = depth_of(self._page.bitspersample, self._stated, measured(self._all_samples(), self._stated))
        self.bits, self._table = self._scale(depth.bits)
        self.depth_doubt, self._measured = depth.doubt, True
        self.warnings += (depth.warning,) if depth.warning else ()
        self._kept = None

    def _all_samples(self) -> Iterator[NDArray[Any]]:
        """All samples but those of transparency, in bands."""
        colours = {_GREY: 1, _INVERTED: 1, _CMYK: 4}.get(int(self._page.photometric), 3)
        planes = range(min(self._planes, colours))
        if self._raw:
            for first in range(0, self.height, _BAND_ROWS):
                last = min(first + _BAND_ROWS, self.height)
                yield from (self._raw_rows(plane, first, last)[:, :, :colours] for plane in planes)
            return
        for row in range(self._down):
            yield from (self._decode_row(plane, row)[:, :, :colours] for plane in planes)

    def _scale(self, bits: int) -> tuple[int, NDArray[np.uint8] | None]:
        """The bits taken as full range, and the table from sample to grey value; None where they are equal."""
        depth, inverted = self._page.bitspersample, int(self._page.photometric) == _INVERTED
        if int(self._page.photometric) == _PALETTE:
            return depth, _palette_table(np.asarray(self._page.colormap))
        if depth <= 8:
            return depth, None if depth == 8 and not inverted else range_table(depth, inverted=inverted)
        return bits, range_table(bits, inverted=inverted)

    def _statement(self, bits: int | None) -> Stated | None:
        """How many bits the user, or else the file, says that its samples have; None for all of theirs."""
        if bits is not None:
            return Stated(bits, USER)
        # OME-TIFF says it in the description of its first page.
        found = _SIGNIFICANT.search(self._page.description) if self._page.is_ome else None
        for said, by in (
            (self._tagged_bits(), "the tag MaxSampleValue"),
            (int(found[1]) if found else None, "SignificantBits of the description"),
        ):
            if said is not None and LEAST_BITS <= said < self._page.bitspersample:
                return Stated(said, by)
        return None

    def _tagged_bits(self) -> int | None:
        """Whole bits of the MaxSampleValue tag: writers that put the brightest pixel there do not stretch it."""
        value = self._page.tags.valueof(_MAX_SAMPLE_VALUE)
        highest = max(value, default=0) if isinstance(value, tuple) else value
        if not isinstance(highest, int) or not 0 < highest < 1 << 16:
            return None
        return max(LEAST_BITS, highest.bit_length())

    def _further_pages(self) -> str:
        """That there are more sheets in the file; a smaller copy of the first page is none."""
        try:
            for number in range(1, _MOST_COPIES):
                page = self._tiff.pages[number]
                if not (isinstance(page, tifffile.TiffPage) and page.is_reduced):
                    break
        except IndexError:
            return ""
        except Exception:  # noqa: BLE001 - damage in later pages takes nothing from the first
            return "the file has further pages, which are damaged; only the first is inspected: write the file again"
        # Also where there are more smaller copies than halves of any image: the pages go round in a circle.
        return "the file has further pages; only the first is inspected: save each sheet in its own file"

    # --- where its segments are --------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        page = self._page
        self._planes = page.samplesperpixel if int(page.planarconfig) == 2 else 1
        self._samples = page.samplesperpixel if self._planes == 1 else 1
        self._segment_rows, self._segment_columns = min(page.rowsperstrip, self.height), self.width
        if page.is_tiled:
            self._segment_rows, self._segment_columns = page.tilelength, page.tilewidth
        if self._segment_rows < 1 or self._segment_columns < 1:
            raise ImageError("damaged TIFF: strips or tiles of no pixels; write the file again")
        self._across, self._down = -(-self.width // self._segment_columns), -(-self.height // self._segment_rows)
        offsets, counts = np.asarray(page.dataoffsets, np.float64), np.asarray(page.databytecounts, np.float64)
        expected = self._planes * self._across * self._down
        if min(len(offsets), len(counts)) < expected:
            raise ImageError(
                f"truncated TIFF or false header: {min(len(offsets), len(counts))} strips or tiles where "
                f"{self.width} x {self.height} px need {expected}; write the file again"
            )
        size = os.fstat(self._file.fileno()).st_size
        self._offsets = [int(offset) for offset in page.dataoffsets[:expected]]
        self._counts = [int(count) for count in page.databytecounts[:expected]]
        end = float((offsets[:expected] + counts[:expected]).max())
        if end > size:
            raise ImageError(
                f"truncated TIFF: its pixels end at byte {end:,.0f}, the file has {size:,} bytes; write it again"
            )
        if (counts[:expected] <= 0).any() or (offsets[:expected] <= 0).any():
            raise ImageError("damaged TIFF: a strip or tile has no pixels; write the file again")
        depth = page.bitspersample
        self._raw = int(page.compression) == 1 and not page.is_tiled and int(page.predictor) == 1
        self._raw = self._raw and depth in (8, 16) and int(page.fillorder) == 1
        row_bytes = self.width * self._samples * (2 if depth > 8 else 1)
        if self._raw:
            for index, count in enumerate(self._counts):
                first = index % self._down * self._segment_rows
                if count < min(self._segment_rows, self.height - first) * row_bytes:
                    raise ImageError(
                        f"truncated TIFF: strip {index} has {count:,} bytes, too few for its rows of "
                        f"{row_bytes:,} bytes; write the file again"
                    )
        else:
            pixels = self._across * self._segment_columns * self._segment_rows
            # the samples of a row of segments, once more while they are joined, and its grey values
            needed = pixels * (2 * page.samplesperpixel * (2 if depth > 8 else 1) + 1)
            require_memory(needed, f"the strips or tiles of {self._segment_rows} rows of {self.width} px")

    # --- rows --------------------------------------------------------------------------------------------------

    def _rows(self, first: int, last: int) -> NDArray[np.uint8]:
        if self._raw:
            return self._grey([self._raw_rows(plane, first, last) for plane in range(self._planes)])
        rows = np.empty((last - first, self.width), np.uint8)
        y = first
        while y < last:
            index, skip = divmod(y, self._segment_rows)
            segment = self._segment_row(index)
            taken = min(last - y, len(segment) - skip)
            rows[y - first : y - first + taken] = segment[skip : skip + taken]
            y += taken
        return rows

    def _raw_rows(self, plane: int, first: int, last: int) -> NDArray[Any]:
        dtype = np.dtype(np.uint8 if self._page.bitspersample == 8 else f"{self._tiff.byteorder}u2")
        samples = np.empty((last - first, self.width, self._samples), dtype)
        row_bytes = self.width * self._samples * dtype.itemsize
        y = first
        while y < last:
            strip, skip = divmod(y, self._segment_rows)
            taken = min(last - y, self._segment_rows - skip)
            self._file.seek(self._offsets[plane * self._down + strip] + skip * row_bytes)
            into = memoryview(samples[y - first : y - first + taken].data).cast("B")
            if self._file.readinto(into) != len(into):  # type: ignore[attr-defined]  # a buffered reader has it
                raise ImageError(f"truncated TIFF: the file ended in strip {strip} while it was read")
            y += taken
        return samples.astype(np.uint16, copy=False) if dtype.itemsize == 2 else samples

    def _segment_row(self, index: int) -> NDArray[np.uint8]:
        """Grey values of one row of strips or tiles, the padding of tiles cut off."""
        if self._kept is None or self._kept[0] != index:
            self._kept = None  # let go before the next is decoded
            self._kept = index, self._grey([self._decode_row(plane, index) for plane in range(self._planes)])
        return self._kept[1]

    def _decode_row(self, plane: int, row: int) -> NDArray[Any]:
        height = min(self._segment_rows, self.height - row * self._segment_rows)
        parts: list[NDArray[Any]] = []
        for column in range(self._across):
            width = min(self._segment_columns, self.width - column * self._segment_columns)
            part = self._decode((plane * self._down + row) * self._across + column)
            if part.shape[0] < height or part.shape[1] < width:
                raise ImageError(
                    f"damaged TIFF: a strip or tile has {part.shape[1]} x {part.shape[0]} px where {width} x {height} "
                    "belong; write the file again"
                )
            parts.append(part[:height, :width])
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    def _decode(self, index: int) -> NDArray[Any]:
        """Samples of one strip or tile, shape (rows, columns, samples), uint8 or uint16."""
        page = self._page
        self._file.seek(self._offsets[index])
        data = self._file.read(self._counts[index])
        options: dict[str, Any] = {}
        if int(page.compression) in _JPEG:
            # the decoder fills what is missing with grey, and says nothing
            if b"\xff\xd9" not in data[-64:] and int(page.compression) == 7:
                raise ImageError(f"damaged TIFF: the JPEG data of strip or tile {index} end early; write it again")
            options = {"jpegtables": page.jpegtables, "jpegheader": page.jpegheader}
        try:
            segment, _, _ = page.decode(data, index, **options)
        except Exception as error:
            # decoders raise whatever they like on damaged data
            raise ImageError(
                f"damaged or unsupported TIFF: strip or tile {index} (compression {int(page.compression)}): {error}; "
                "write the file again, uncompressed or with LZW, deflate or zstd"
            ) from error
        if segment is None:
            raise ImageError(f"damaged TIFF: strip or tile {index} is empty; write the file again")
        samples: NDArray[Any] = np.asarray(segment)[0]
        return samples.astype(np.uint8) if samples.dtype == np.bool_ else samples

    def _grey(self, planes: list[NDArray[Any]]) -> NDArray[np.uint8]:
        samples = planes[0] if len(planes) == 1 else np.concatenate(planes, axis=2)
        photometric = int(self._page.photometric)
        if photometric == _CMYK:
            return cmyk_to_grey(samples, self._table)
        return to_grey(samples if photometric in (_RGB, _YCBCR) else samples[:, :, 0], self._table)


def _palette_table(colours: NDArray[Any]) -> NDArray[np.uint8]:
    """Grey value of each index of a palette (3, n) of 16 bit values; some writers store 8 bit values there."""
    # writers scale 8 bits by 256 or by 257: the upper byte is the same
    levels = colours.astype(np.int64) >> (0 if int(colours.max(initial=0)) < 256 else 8)
    grey = (np.array([299, 587, 114], np.int64) @ levels + 500) // 1000
    table = np.zeros(65536, np.uint8)
    table[: len(grey)] = grey[:65536]
    return table
