"""The pictures of a plate as files: tiles of the archive, the overview, and the crops of defects.

An address names a plate, a defect or a tile by numbers, and nothing else of it reaches the disk.
"""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from daemon.store.archive_tiles import ArchiveTiles, NoTileError, TileDamagedError, TileError
from daemon.store.results import StoreError
from daemon.store.rows import PlateRow
from daemon.web.pages import words_of
from daemon.web.sheet.defects import crop_name, heat_name
from daemon.web.sheet.picture import OVERVIEW
from daemon.web.sheet.stored import RowsKept, archive_file, count_in, number_in, number_of, picture_path
from daemon.web.site import site_of

_KEPT = "private, max-age=600"
"""How long a browser shows a picture without asking again, s; nobody between keeps it."""
_MOST_BYTES = 50_000_000

_tiles = ArchiveTiles()
_rows = RowsKept()


class _NothingError(Exception):
    """There is nothing to show: a word of the tables, and the HTTP status."""

    def __init__(self, word: str, status: int = 404) -> None:
        self.word, self.status = word, status
        super().__init__(word)


def tile(request: Request) -> Response:
    """A tile of the plate at full resolution or smaller, as PNG: no grey value differs from the archive's."""
    return _answered(request, lambda: _tile(request))


def overview(request: Request) -> Response:
    """The picture that was drawn when the plate was judged."""
    return _answered(request, lambda: _picture(request, OVERVIEW, "image/jpeg"))


def crop(request: Request) -> Response:
    """A defect as it was cut out."""
    return _answered(request, lambda: _picture(request, crop_name(_defect(request)), "image/png"))


def heat(request: Request) -> Response:
    """Where in it the classifier saw the crack."""
    return _answered(request, lambda: _picture(request, heat_name(_defect(request)), "image/png"))


def as_png(tile: NDArray[np.uint8]) -> bytes:
    """A picture of one channel as PNG, packed for speed (docs/decisions/0067-tiles-of-the-archive.md)."""
    codec = imagecodecs.PNG
    tile = np.ascontiguousarray(tile)
    return bytes(imagecodecs.png_encode(tile, level=1, strategy=codec.STRATEGY.HUFFMAN_ONLY, filter=codec.FILTER.UP))


def _answered(request: Request, picture: Callable[[], Response]) -> Response:
    """The picture; else a sentence in the visitor's language, which the page shows."""
    try:
        return picture()
    except _NothingError as nothing:
        words = words_of(request)(f"sheet.{nothing.word}")
        return PlainTextResponse(words, nothing.status, {"Cache-Control": "no-store"})


def _tile(request: Request) -> Response:
    level, column, line = (_count(request, name) for name in ("level", "column", "row"))
    row = _row(request)
    path = archive_file(site_of(request), row)
    if path is None or row.archive is None or not row.rows or not row.columns:
        raise _NothingError("no_archive")
    tag = f'"{(row.archive.sha256 or "")[:32]}-{level}-{column}-{line}"'
    if (known := _known(request, tag)) is not None:
        return known
    try:
        found = _tiles.tile(path, (row.rows, row.columns), level, column, line)
    except NoTileError as error:
        raise _NothingError("no_tile") from error
    except TileDamagedError as error:
        raise _NothingError("damaged", 500) from error
    except TileError as error:
        raise _NothingError("file_gone", 410) from error
    return Response(as_png(found), media_type="image/png", headers={"ETag": tag, "Cache-Control": _KEPT})


def _picture(request: Request, name: str, media_type: str) -> Response:
    row = _row(request)
    content = _content(picture_path(site_of(request), row, name))
    if row.pictures is None or content is None:
        raise _NothingError("no_picture_file")
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    if (known := _known(request, tag)) is not None:
        return known
    return Response(content, media_type=media_type, headers={"ETag": tag, "Cache-Control": _KEPT})


def _content(path: Path) -> bytes | None:
    """Of a picture; None where there is none, or no file of that size."""
    try:
        found = path.stat(follow_symlinks=False)
        if not stat.S_ISREG(found.st_mode) or found.st_size > _MOST_BYTES:
            return None
        return path.read_bytes()
    except OSError:
        return None


def _row(request: Request) -> PlateRow:
    number = number_of(request)
    try:
        row = None if number is None else _rows.row(site_of(request), number)
    except StoreError as error:
        raise _NothingError("no_store", 503) from error
    if row is None:
        raise _NothingError("no_plate")
    return row


def _count(request: Request, name: str) -> int:
    found = count_in(str(request.path_params[name]))
    if found is None:
        raise _NothingError("no_tile")
    return found


def _defect(request: Request) -> int:
    found = number_in(str(request.path_params["defect"]))
    if found is None:
        raise _NothingError("no_picture_file")
    return found


def _known(request: Request, tag: str) -> Response | None:
    """The answer to a browser that has it."""
    asked = [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]
    return Response(status_code=304, headers={"ETag": tag, "Cache-Control": _KEPT}) if tag in asked else None


ROUTES = [
    Route("/sheet/{plate}/tiles/{level}/{column}/{row}.png", tile),
    Route("/sheet/{plate}/overview.jpg", overview),
    Route("/sheet/{plate}/defects/{defect}/crop.png", crop),
    Route("/sheet/{plate}/defects/{defect}/heat.png", heat),
]
