"""Single tiles of plates in the archive: what a viewer of a large picture reads, tile by tile, never a plate whole.

A file that lies there need not be one of ours. Nothing is believed of it that was not looked at: its levels, its tiles
and how they are packed are those that `write_plate` makes for a plate of that size, and no tile unpacks to more.
"""

from __future__ import annotations

import os
import stat
import threading
from collections import OrderedDict
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray

from daemon.store.archive_file import TILE, levels_of

_MOST_OPEN = 16
"""Files whose lists of tiles are kept: 13 KB for a plate of 188 Mpx."""
_MOST_BYTES = TILE * TILE + 4096
"""Of a packed tile: pixels that cannot be packed grow by less."""
_ZSTD, _DIFFERENCES = 50_000, 2
_NOT_OURS = "it is no file that linesentry wrote for this plate"


class TileError(Exception):
    """A tile cannot be had; the message says why, without a path."""


class TileGoneError(TileError):
    """The file is not there any more."""


class TileDamagedError(TileError):
    """The file is there, and is not as it was written."""


class NoTileError(TileError):
    """The plate has no such tile."""


@dataclass(frozen=True, slots=True)
class _Level:
    rows: int
    columns: int
    offsets: tuple[int, ...]
    counts: tuple[int, ...]

    @property
    def across(self) -> int:
        return -(-self.columns // TILE)


class ArchiveTiles:
    """Reads tiles. Several threads may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._levels: OrderedDict[tuple[object, ...], tuple[_Level, ...]] = OrderedDict()

    def tile(self, path: Path, size: tuple[int, int], level: int, column: int, row: int) -> NDArray[np.uint8]:
        """A tile as it was written, uint8 (rows, columns), at most TILE x TILE px; less at the right and lower edge.

        Args:
            path: of the plate's file.
            size: rows and columns of the plate.
            level: 0 is the plate, each further one half as wide and high.
            column: of tiles, from the left.
            row: of tiles, from the top.

        Raises:
            TileError: there is none.
        """
        shapes = levels_of(*size)
        if not 0 <= level < len(shapes):
            raise NoTileError(f"the picture has the levels 0 to {len(shapes) - 1}")
        rows, columns = shapes[level]
        if not (0 <= column * TILE < columns and 0 <= row * TILE < rows):
            raise NoTileError(f"level {level} has {-(-columns // TILE)} x {-(-rows // TILE)} tiles")
        try:
            with _opened(path) as file:
                found = self._looked_up(file, size)[level]
                packed = _packed(file, found, row * found.across + column)
        except FileNotFoundError as error:
            raise TileGoneError("its file is not in the archive any more") from error
        except OSError as error:
            raise TileGoneError(f"its file cannot be read: {error.strerror or error}") from error
        return _unpacked(packed)[: rows - row * TILE, : columns - column * TILE]

    def _looked_up(self, file: BufferedReader, size: tuple[int, int]) -> tuple[_Level, ...]:
        """Where the tiles lie; as long as it is the same file it is not read again."""
        seen = os.fstat(file.fileno())
        key = (seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, size)
        with self._lock:
            if (found := self._levels.get(key)) is not None:
                self._levels.move_to_end(key)
                return found
        found = _levels(file, size)
        with self._lock:
            self._levels[key] = found
            while len(self._levels) > _MOST_OPEN:
                self._levels.popitem(last=False)
        return found


def _opened(path: Path) -> BufferedReader:
    """The file, where it is one: no link, nothing that would be waited for. Raises OSError and TileDamagedError."""

    def no_link(name: str, flags: int) -> int:
        return os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)

    file = open(path, "rb", opener=no_link)  # noqa: SIM115 - it is given to the caller
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise TileDamagedError(_NOT_OURS)
    return file


def _levels(file: BufferedReader, size: tuple[int, int]) -> tuple[_Level, ...]:
    """Raises TileDamagedError where it is not as `write_plate` writes it."""
    try:
        with tifffile.TiffFile(file) as tiff:
            found = _levels_in(tiff, len(levels_of(*size)))
    except (OSError, TileDamagedError):
        raise
    except Exception as error:
        # What a damaged file makes of a reader of files is not told by its type.
        raise TileDamagedError("its file is damaged") from error
    if [(one.rows, one.columns) for one in found] != levels_of(*size):
        raise TileDamagedError(_NOT_OURS)
    return found


def _levels_in(tiff: tifffile.TiffFile, count: int) -> tuple[_Level, ...]:
    first = tiff.pages.first
    assert isinstance(first, tifffile.TiffPage)
    smaller = first.pages or ()
    if len(smaller) != count - 1:
        raise TileDamagedError(_NOT_OURS)
    return tuple(_level(page) for page in (first, *smaller))


def _level(page: tifffile.TiffPage | tifffile.TiffFrame) -> _Level:
    assert isinstance(page, tifffile.TiffPage)
    level = _Level(page.imagelength, page.imagewidth, tuple(page.dataoffsets), tuple(page.databytecounts))
    form = (page.compression, page.predictor, page.tilelength, page.tilewidth, page.bitspersample, page.samplesperpixel)
    if form != (_ZSTD, _DIFFERENCES, TILE, TILE, 8, 1):
        raise TileDamagedError(_NOT_OURS)
    if not len(level.offsets) == len(level.counts) == level.across * -(-level.rows // TILE):
        raise TileDamagedError(_NOT_OURS)
    return level


def _packed(file: BufferedReader, level: _Level, index: int) -> bytes:
    offset, count = level.offsets[index], level.counts[index]
    if not 0 < count <= _MOST_BYTES:
        raise TileDamagedError("its file is damaged")
    return os.pread(file.fileno(), count, offset)


def _unpacked(packed: bytes) -> NDArray[np.uint8]:
    tile = np.empty(TILE * TILE, np.uint8)
    try:
        unpacked = imagecodecs.zstd_decode(packed, out=tile.data)
    except Exception as error:
        raise TileDamagedError("its file is damaged") from error
    if len(unpacked) != tile.size:
        raise TileDamagedError("its file is damaged")
    differences = tile.reshape(TILE, TILE)
    imagecodecs.delta_decode(differences, axis=-1, out=differences)
    return differences
