"""The checksum of a stored plate: whoever changes a row, by hand or by a bad disk, breaks it.

It is reckoned over the values as they lie in the file: the plate's row and those of its defects, each column by its
name, but for those that are NULL and the checksum itself. It protects from accidents, not from somebody who reckons
it anew.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import msgspec
import sqlalchemy as sa

from daemon.store.schema import plates, upkeep

_ROW = sa.text("SELECT * FROM plates WHERE plate = :plate")
_DEFECTS = sa.text("SELECT * FROM defects WHERE plate = :plate ORDER BY number")
_DECIDED = sa.text("SELECT * FROM plates WHERE verdict IS NOT NULL ORDER BY plate")
_ALL_DEFECTS = sa.text("SELECT * FROM defects ORDER BY plate, number")


@dataclass(frozen=True, slots=True)
class Rows:
    """What the rows say of themselves."""

    changed: tuple[int, ...]
    """Plates whose row, or defects, are not as they were written; by number."""
    without_checksum: int
    """Plates with a verdict that an earlier version stored, which gave no checksum."""
    gone: int
    """Plates that were stored once, are not there, and were not deleted for their age."""


def seal(connection: sa.Connection, numbers: Sequence[int]) -> None:
    """Give the plates of these numbers the checksum of what is stored of them now."""
    for number in numbers:
        row = connection.execute(_ROW, {"plate": number}).mappings().one()
        found = connection.execute(_DEFECTS, {"plate": number})
        value = _checksum(dict(row), [dict(one) for one in found.mappings()])
        connection.execute(sa.update(plates).where(plates.c.plate == number).values(checksum=value))


def looked_at(connection: sa.Connection) -> Rows:
    """What all rows say of themselves. Raises sqlalchemy.exc.DBAPIError where the file cannot be read on."""
    found = list(broken_seals(connection))
    kept = None
    if sa.inspect(connection).has_table(upkeep.name):
        kept = connection.execute(sa.select(upkeep.c.begun - upkeep.c.pruned)).scalar_one_or_none()
    there = connection.scalar(sa.select(sa.func.count()).select_from(plates)) or 0
    return Rows(
        changed=tuple(plate for plate, never in found if not never),
        without_checksum=sum(never for _, never in found),
        gone=0 if kept is None else max(0, kept - there),
    )


def broken_seals(connection: sa.Connection) -> Iterator[tuple[int, bool]]:
    """Plates with a verdict whose row is not as it was written; with True where it never had a checksum.

    Raises:
        sqlalchemy.exc.DBAPIError: the file cannot be read on.
    """
    if connection.dialect.name != "sqlite":
        streamed = connection.execution_options(yield_per=1000)
        yield from _broken(streamed.execute(_DECIDED), streamed.execute(_ALL_DEFECTS))
        return
    raw: Any = connection.connection.driver_connection
    raw.text_factory = _text
    try:
        yield from _broken(connection.execute(_DECIDED), connection.execute(_ALL_DEFECTS))
    finally:
        raw.text_factory = str


def _broken(rows: sa.CursorResult[Any], defects: sa.CursorResult[Any]) -> Iterator[tuple[int, bool]]:
    names, of_defects = list(rows.keys()), list(defects.keys())
    place = of_defects.index("plate")
    # SQLite holds to no type: what is no number sorts behind all numbers there, and so it does here.
    grouped = groupby(defects, key=lambda row: row[place] if isinstance(row[place], int) else sys.maxsize)
    plate, found = next(grouped, (None, iter(())))
    for values in rows:
        row = dict(zip(names, values, strict=True))
        while plate is not None and plate < row["plate"]:
            plate, found = next(grouped, (None, iter(())))
        own = [dict(zip(of_defects, one, strict=True)) for one in found] if plate == row["plate"] else []
        # Stores of an earlier version have no such column.
        stored = row.get("checksum")
        if stored is None:
            yield row["plate"], True
        elif stored != _checksum(row, own):
            yield row["plate"], False


def _checksum(row: dict[str, Any], defects: Sequence[dict[str, Any]]) -> str:
    stored = [{name: value for name, value in one.items() if value is not None} for one in (row, *defects)]
    stored[0].pop("checksum", None)
    return hashlib.blake2b(msgspec.json.encode(stored, order="sorted"), digest_size=8).hexdigest()


def _text(stored: bytes) -> str:
    """What is no text any more is a broken seal, not an error."""
    return stored.decode(errors="backslashreplace")
