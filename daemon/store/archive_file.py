"""One plate as a file: a lossless tiled TIFF with smaller copies of itself, which viewers of large pictures open.

Level 0 is the plate, each further level half as wide and high, as SubIFDs of one page (OME-TIFF's pyramid). Tiles are
compressed by zstd after differencing along the rows: 240 MB/s on one core with all levels, where deflate reaches 100.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray

from config.errors import printable
from models.machine.files import whole

TILE = 512
"""Side of a tile, px."""
_SMALLEST = 1024
"""Halved no further once the longest side is this, px."""
_LEVEL = 1
"""Of zstd: more takes three times as long and gains nothing on pictures with noise."""
_NAMESPACE = "linesentry"


def write_plate(
    pixels: NDArray[np.uint8],
    path: Path,
    *,
    name: str,
    about: Mapping[str, str],
    pitch_mm: tuple[float, float] | None = None,
    proceed: Callable[[], object] = lambda: None,
) -> tuple[int, str]:
    """Write a plate's file, whole and on the disk or not at all; its bytes and its SHA-256, hex.

    Args:
        pixels: the plate, uint8 (rows, columns), contiguous. Smaller copies are made in its place: it is spent.
        path: of the file; its folder is there.
        name: title of the picture.
        about: what viewers show beside it.
        pitch_mm: of a row and of a column.
        proceed: called before each row of tiles; what it raises ends the writing.

    Raises:
        OSError: the disk is full, or the file cannot be written.
    """
    options: dict[str, Any] = {
        "dtype": "uint8",
        "photometric": "minisblack",
        "tile": (TILE, TILE),
        "compression": "zstd",
        "compressionargs": {"level": _LEVEL},
        "predictor": 2,
        "maxworkers": 1,
    }
    shapes = levels_of(*pixels.shape)
    metadata = {"axes": "YX", "Name": printable(name), **_scale(pitch_mm)}
    metadata["MapAnnotation"] = {
        "Namespace": _NAMESPACE,
        "Value": {key: printable(value) for key, value in about.items()},
    }
    with whole(path) as part:
        with tifffile.TiffWriter(part, bigtiff=True, ome=True) as file:
            tiles = _tiles(pixels, proceed)
            file.write(tiles, shape=shapes[0], subifds=len(shapes) - 1, metadata=metadata, **options)
            for shape in shapes[1:]:
                pixels = _halved(pixels, shape)
                file.write(_tiles(pixels, proceed), shape=shape, subfiletype=1, **options)
        with part.open("rb") as written:
            # A name on a disk that lost its content is worse than none.
            os.fsync(written.fileno())
            digest = hashlib.file_digest(written, "sha256").hexdigest()
        size = part.stat().st_size
    return size, digest


def levels_of(rows: int, columns: int) -> list[tuple[int, int]]:
    """Rows and columns of each level, the plate's first."""
    shapes = [(rows, columns)]
    while max(shapes[-1]) > _SMALLEST and min(shapes[-1]) > 1:
        shapes.append((shapes[-1][0] // 2, shapes[-1][1] // 2))
    return shapes


def _scale(pitch_mm: tuple[float, float] | None) -> dict[str, object]:
    if pitch_mm is None:
        return {}
    row, column = pitch_mm
    return {"PhysicalSizeX": column, "PhysicalSizeXUnit": "mm", "PhysicalSizeY": row, "PhysicalSizeYUnit": "mm"}


def _tiles(pixels: NDArray[np.uint8], proceed: Callable[[], object]) -> Iterator[NDArray[np.uint8]]:
    """The tiles row by row; beyond the edges zeros."""
    rows, columns = pixels.shape
    for y in range(0, rows, TILE):
        proceed()
        for x in range(0, columns, TILE):
            found = pixels[y : y + TILE, x : x + TILE]
            tile = np.zeros((TILE, TILE), np.uint8)
            tile[: found.shape[0], : found.shape[1]] = found
            yield tile


def _halved(pixels: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Means of 2 x 2 px, written into the same memory: what is written lies before what is still to be read."""
    rows, columns = shape
    smaller = pixels.reshape(-1)[: rows * columns].reshape(rows, columns)
    for y in range(0, rows, TILE):
        last = min(y + TILE, rows)
        band = pixels[2 * y : 2 * last, : 2 * columns]
        smaller[y:last] = cv2.resize(band, (columns, last - y), interpolation=cv2.INTER_AREA)
    return smaller
