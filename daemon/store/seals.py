"""The checksums of stored plates and marks: whoever changes a row, by hand or by a bad disk, breaks one.

They are reckoned over the values as they lie in the file: a plate's row and those of its defects, or a mark's row, each
column by its name, but for those that are NULL and the checksum itself. They protect from accidents, not from somebody
who reckons them anew.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import msgspec
import sqlalchemy as sa

from daemon.store.schema import marks, plates, upkeep

_ROW = sa.text("SELECT * FROM plates WHERE plate = :plate")
_DEFECTS = sa.text("SELECT * FROM defects WHERE plate = :plate ORDER BY number")
_MARK = sa.text("SELECT * FROM marks WHERE id = :id")
_ALL_PLATES = sa.text("SELECT * FROM plates ORDER BY plate")
_ALL_MARKS = sa.text("SELECT * FROM marks ORDER BY id")
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
    changed_marks: tuple[int, ...] = ()
    """Plates of which a mark is not as it was made; by number."""

    @property
    def sound(self) -> bool:
        """Nothing was changed or taken away."""
        return not (self.changed or self.changed_marks or self.gone)


def seal(connection: sa.Connection, numbers: Sequence[int]) -> None:
    """Give the plates of these numbers the checksum of what is stored of them now."""
    for number in numbers:
        value = _sum_of(connection, number)[1]
        connection.execute(sa.update(plates).where(plates.c.plate == number).values(checksum=value))


def is_sealed(connection: sa.Connection, number: int) -> bool:
    """Whether that plate is as it was written: otherwise a new checksum would hide that it is not."""
    stored, value = _sum_of(connection, number)
    return stored == value


def seal_mark(connection: sa.Connection, key: int) -> None:
    """Give the mark of that id the checksum of what is stored of it now."""
    row = connection.execute(_MARK, {"id": key}).mappings().one()
    connection.execute(sa.update(marks).where(marks.c.id == key).values(checksum=_checksum(dict(row), ())))


def looked_at(connection: sa.Connection) -> Rows:
    """What all rows say of themselves. Raises sqlalchemy.exc.DBAPIError where the file cannot be read on."""
    tables = sa.inspect(connection)
    kept = None
    if tables.has_table(upkeep.name):
        kept = connection.execute(sa.select(upkeep.c.begun - upkeep.c.pruned)).scalar_one_or_none()
    there = connection.scalar(sa.select(sa.func.count()).select_from(plates)) or 0
    has_marks = tables.has_table(marks.name)
    with _as_stored(connection) as reading:
        found = list(_broken(reading.execute(_ALL_PLATES), reading.execute(_ALL_DEFECTS)))
        said = sorted(set(_broken_marks(reading.execute(_ALL_MARKS)))) if has_marks else []
    return Rows(
        changed=tuple(plate for plate, never in found if not never),
        without_checksum=sum(never for _, never in found),
        gone=0 if kept is None else max(0, kept - there),
        changed_marks=tuple(said),
    )


@contextmanager
def _as_stored(connection: sa.Connection) -> Iterator[sa.Connection]:
    """Values as they lie in the file, read piece by piece."""
    if connection.dialect.name != "sqlite":
        yield connection.execution_options(yield_per=1000)
        return
    raw: Any = connection.connection.driver_connection
    raw.text_factory = _text
    try:
        yield connection
    finally:
        raw.text_factory = str


def _sum_of(connection: sa.Connection, number: int) -> tuple[str | None, str]:
    """The checksum that a plate has, and that of what is stored of it now."""
    row = connection.execute(_ROW, {"plate": number}).mappings().one()
    found = connection.execute(_DEFECTS, {"plate": number})
    return row["checksum"], _checksum(dict(row), [dict(one) for one in found.mappings()])


def _broken(rows: sa.CursorResult[Any], defects: sa.CursorResult[Any]) -> Iterator[tuple[int, bool]]:
    """Plates that are not as they were written; with True those with a verdict that never had a checksum."""
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
            if row["verdict"] is not None:
                yield row["plate"], True
        elif stored != _checksum(row, own):
            yield row["plate"], False


def _broken_marks(rows: sa.CursorResult[Any]) -> Iterator[int]:
    """The plates of marks that are not as they were made; those of an earlier version have no checksum."""
    for row in rows.mappings():
        stored = row.get("checksum")
        if stored is not None and stored != _checksum(dict(row), ()):
            yield row["plate"] if isinstance(row["plate"], int) else 0


def _checksum(row: dict[str, Any], defects: Sequence[dict[str, Any]]) -> str:
    stored = [{name: value for name, value in one.items() if value is not None} for one in (row, *defects)]
    stored[0].pop("checksum", None)
    return hashlib.blake2b(msgspec.json.encode(stored, order="sorted"), digest_size=8).hexdigest()


def _text(stored: bytes) -> str:
    """What is no text any more is a broken seal, not an error."""
    return stored.decode(errors="backslashreplace")
