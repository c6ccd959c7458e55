"""What a page of sheets shows, as a file: the columns and the guards of `linesentry results`, sent as it is read."""

from __future__ import annotations

import io
import json
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from datetime import datetime
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from daemon.store.asked import AskedError
from daemon.store.columns import PLATE_COLUMNS
from daemon.store.rows import PlateRow
from daemon.store.tables import CsvTable, write_parquet
from daemon.web.filters import asked_of, selected
from daemon.web.pages import page, words_of
from daemon.web.results import NoResultsError, results
from daemon.web.site import site_of

MOST_SHEETS = 200_000
"""In a file."""
_MOST_AT_ONCE = 2
_LONGEST_S = 900.0
"""A file that takes longer is broken off: whoever reads it slowly holds up others."""
_CHUNK = 64 * 1024

free = threading.BoundedSemaphore(_MOST_AT_ONCE)
"""Places for files that are being written."""


@cache
def has_parquet() -> bool:
    """Whether the library for Parquet is installed."""
    return find_spec("pyarrow") is not None


def export(request: Request) -> Response:
    """The sheets that the filters of the address mean, as `sheets.csv`, `sheets.jsonl` or `sheets.parquet`."""
    form = request.path_params["form"]
    if form not in _MAKERS or (form == "sheets.parquet" and not has_parquet()):
        raise HTTPException(404)
    words, now = words_of(request), datetime.now().astimezone()
    try:
        selection, _ = selected(asked_of(request), site_of(request), now)
    except AskedError as error:
        said = words(f"filters.wrong_{error.wrong}", found=error.found[:60])
        return page(request, "no_export.html.j2", status=400, said=said)
    held = ExitStack()
    if not free.acquire(blocking=False):
        return page(request, "no_export.html.j2", status=503, said=words("export.busy", most=_MOST_AT_ONCE))
    held.callback(free.release)
    try:
        found = held.enter_context(results(site_of(request)))
    except NoResultsError as error:
        held.close()
        return page(request, "no_results.html.j2", status=503, title="common.history", why=error.why, detail=str(error))
    media, make = _MAKERS[form]
    parts = make(_until(found.plates(selection, MOST_SHEETS), time.monotonic() + _LONGEST_S))
    stem, ending = form.split(".")
    name = f"{stem}-{now:%Y%m%d-%H%M%S}.{ending}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingResponse(_sent(parts, held), media_type=media, headers=headers)


async def _sent(parts: Iterator[bytes], held: ExitStack) -> AsyncIterator[bytes]:
    """The parts, each made in a thread as it is asked for; in the end, or where nobody listens, all is let go."""
    try:
        while part := await run_in_threadpool(next, parts, b""):
            yield part
    finally:
        held.close()


def _until(rows: Iterator[PlateRow], end: float) -> Iterator[PlateRow]:
    for row in rows:
        if time.monotonic() > end:
            raise TimeoutError(f"a file of sheets took more than {_LONGEST_S:.0f} s: it was broken off")
        yield row


def _csv(rows: Iterator[PlateRow]) -> Iterator[bytes]:
    text = io.StringIO()
    table = CsvTable(text, PLATE_COLUMNS)
    for row in rows:
        table.add(row)
        if text.tell() >= _CHUNK:
            yield _taken(text)
    yield _taken(text)


def _json(rows: Iterator[PlateRow]) -> Iterator[bytes]:
    from daemon.store.view import results_json  # noqa: PLC0415 - loads what draws tables at a terminal

    text = io.StringIO()
    for row in rows:
        text.write(json.dumps(results_json(row), allow_nan=False) + "\n")
        if text.tell() >= _CHUNK:
            yield _taken(text)
    yield _taken(text)


def _parquet(rows: Iterator[PlateRow]) -> Iterator[bytes]:
    # Its directory stands at the end of the file, so it is written whole before it is sent.
    with tempfile.TemporaryDirectory(prefix="linesentry-export-") as folder:
        path = Path(folder) / "sheets.parquet"
        write_parquet(path, PLATE_COLUMNS, rows)
        with path.open("rb") as file:
            while part := file.read(_CHUNK):
                yield part


def _taken(text: io.StringIO) -> bytes:
    """All that was written, which is taken out."""
    said = text.getvalue().encode("utf-8", "backslashreplace")
    text.seek(0)
    text.truncate()
    return said


_MAKERS: dict[str, tuple[str, Callable[[Iterator[PlateRow]], Iterator[bytes]]]] = {
    "sheets.csv": ("text/csv; charset=utf-8; header=present", _csv),
    "sheets.jsonl": ("application/x-ndjson", _json),
    "sheets.parquet": ("application/vnd.apache.parquet", _parquet),
}
