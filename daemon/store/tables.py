"""Rows as CSV, Parquet and JSON, by the one list of columns."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from config.errors import printable
from daemon.store.columns import Column, Kind, Row
from models.machine.files import whole

_FORMULA = re.compile("(^|;)(\\s*)(?=[=+\\-@\t\r\uff1d\uff0b\uff0d\uff20])")
"""What makes a spreadsheet calculate a cell that begins with it; the last four are full-width forms.

After a semicolon too: where that is the list separator of the country, a spreadsheet divides the line there.
"""
_ROWS_AT_ONCE = 5_000


class TableError(Exception):
    """The table cannot be written; the message says what to do."""


class CsvTable:
    r"""CSV (RFC 4180) in UTF-8, a line for each row: safe to open in a spreadsheet, and to print.

    A text that a spreadsheet would take for a formula gets an apostrophe before it. Control characters are written as
    `\x0a`, so that a row is one line. Numbers are plain. A list of texts is joined by `; `.
    """

    def __init__(self, file: TextIO, columns: Sequence[Column[Row]]) -> None:
        self._columns: Sequence[Column[Any]] = columns
        self._writer = csv.writer(file, lineterminator="\n")
        self._writer.writerow([column.name for column in columns])

    def add(self, row: object) -> None:
        """Write one row."""
        self._writer.writerow([_cell(column.kind, column.value(row)) for column in self._columns])


def write_parquet(path: Path, columns: Sequence[Column[Row]], rows: Iterable[Row]) -> int:
    """Write the rows into a Parquet file, whole or not at all; how many they are.

    Raises:
        TableError: the library for it is not installed.
        OSError: the file cannot be written.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra, and slow to load
        from pyarrow.parquet import ParquetWriter  # noqa: PLC0415
    except ImportError as error:
        raise TableError(f"--parquet needs pyarrow: pip install 'linesentry[parquet]' ({error})") from error
    kinds = {
        Kind.TEXT: pa.string(),
        Kind.INTEGER: pa.int64(),
        Kind.NUMBER: pa.float64(),
        Kind.FLAG: pa.bool_(),
        Kind.TIME: pa.timestamp("us", tz="UTC"),
        Kind.WORDS: pa.list_(pa.string()),
    }
    schema = pa.schema([(column.name, kinds[column.kind]) for column in columns])
    count = 0
    with whole(path) as part, ParquetWriter(part, schema) as writer:
        rest = iter(rows)
        while some := list(islice(rest, _ROWS_AT_ONCE)):
            values = {column.name: [_plain(column.value(row)) for row in some] for column in columns}
            writer.write_table(pa.table(values, schema=schema))
            count += len(some)
    return count


def as_json(row: Row, columns: Sequence[Column[Row]]) -> dict[str, Any]:
    """The row as values that JSON knows: times as ISO text in UTC, what is no number as null."""
    found = {column.name: _plain(column.value(row)) for column in columns}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in found.items()}


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    if isinstance(value, tuple):
        return [str(one) for one in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    # A word of a list is a text to everybody else.
    return str(value) if isinstance(value, str) else value


def _cell(kind: Kind, value: object) -> object:
    value = _plain(value)
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bool):
        return "true" if value else "false"
    if kind in (Kind.TEXT, Kind.WORDS):
        return _safe("; ".join(value) if isinstance(value, list) else str(value))
    return value


def _safe(text: str) -> str:
    return printable(_FORMULA.sub(r"\1\2'", text))
