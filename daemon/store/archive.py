"""The archive's files and what the result store says of them: where each lies, and which go when room is short.

A file is whole once it has its name. Its row comes after it, and goes before it: what a stop between the two leaves
behind is a whole file without a row, which the next look enters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa

from config.schema import Archive
from daemon.store.archive_files import (
    archive_room,
    files_in,
    most_bytes,
    plate_of,
    remove,
    sha256_of,
    size_of,
    unlinked,
)
from daemon.store.results import Store
from daemon.store.schema import archive, marks, plates
from stages.plate import Verdict

_MOST_AT_ONCE = 100
_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class ArchivedFile:
    """A plate that has a file, as the store knows it."""

    plate: int
    run: str
    verdict: Verdict | None
    path: Path
    bytes: int
    sha256: str
    marked: bool


@dataclass(frozen=True, slots=True)
class Deleted:
    """Files that were deleted, by reason, and what could not be."""

    age: int = 0
    size: int = 0
    room: int = 0
    errors: tuple[str, ...] = ()


# --- rows ------------------------------------------------------------------------------------------------------------


def enter(store: Store, plate: int, path: Path, size: int, digest: str) -> None:
    """The plate's file is there. Raises StoreError."""
    _put(store, plate, {"path": _noted(store, path), "bytes": size, "sha256": digest, "missing": None})


def leave_out(store: Store, plate: int, why: str) -> None:
    """The plate was chosen and has no file. Raises StoreError."""
    _put(store, plate, {"path": None, "bytes": None, "sha256": None, "missing": why})


def about(store: Store, plate: int) -> dict[str, str]:
    """What a plate's file is to say of it, by the names of the columns of results. Raises StoreError."""
    query = sa.select(*_ABOUT).where(plates.c.plate == plate)
    with store.transaction(write=False) as connection:
        row = connection.execute(query).mappings().one_or_none()
    found = {} if row is None else {key: value for key, value in row.items() if value is not None}
    return {key: value.isoformat() if isinstance(value, datetime) else str(value) for key, value in found.items()}


def files(store: Store, only: Sequence[int] = ()) -> list[ArchivedFile]:
    """All that have a file, or of these plates, the oldest first. Raises StoreError."""
    query = sa.select(*_COLUMNS).join_from(archive, plates).where(archive.c.path.is_not(None))
    if only:
        query = query.where(archive.c.plate.in_(only))
    with store.transaction(write=False) as connection:
        if not sa.inspect(connection).has_table(archive.name):
            return []  # a store of an earlier version
        return [_file(store, row) for row in connection.execute(query.order_by(archive.c.plate)).mappings()]


def fault_of(file: ArchivedFile) -> str | None:
    """What is wrong with a file, in words; None where it is as it was written."""
    try:
        found = sha256_of(file.path)
    except OSError as error:
        return f"{file.path} cannot be read: {error.strerror or error}"
    return None if found == file.sha256 else f"{file.path} is not as it was written: its checksum differs"


def adopt(store: Store, directory: Path) -> list[Path]:
    """Enter whole files that have no row, as a stop leaves them; those of plates that are not stored are returned.

    Raises:
        StoreError: the store cannot be used.
        OSError: a file cannot be read.
    """
    strangers: list[Path] = []
    with store.transaction(write=False) as connection:
        known = set(connection.scalars(sa.select(archive.c.path).where(archive.c.path.is_not(None))))
    for path in files_in(directory):
        if _noted(store, path) in known:
            continue
        plate = plate_of(path)
        with store.transaction(write=False) as connection:
            run = connection.scalar(sa.select(plates.c.run).where(plates.c.plate == plate))
        if run is None or not run.startswith(path.parent.name):
            strangers.append(path)
        else:
            enter(store, plate, path, path.stat().st_size, sha256_of(path))
    return strangers


# --- what goes -------------------------------------------------------------------------------------------------------


class Retention:
    """Deletes files for their age, beyond the size allowed, and for want of room on the disk."""

    def __init__(self, settings: Archive, directory: Path, rest: Callable[[], bool]) -> None:
        """`rest` is called between two files; False: it is time to stop."""
        self._settings, self._directory, self._rest = settings, directory, rest

    def step(self, store: Store, coming: int, strangers: Sequence[Path] = ()) -> Deleted:
        """Make room for a further plate of so many bytes without compression.

        Files of plates that the store does not know go first, then those of OK plates, then others without a mark.

        Raises:
            StoreError: the store cannot be used.
            OSError: the disk says nothing.
        """
        errors: list[str] = []
        sizes = [(path, size_of(path)) for path in strangers]
        with store.transaction(write=False) as connection:
            total = int(connection.scalar(sa.select(sa.func.sum(archive.c.bytes))) or 0)
        beyond = total + sum(size for _, size in sizes) - most_bytes(self._settings, self._directory)
        lacking = coming - archive_room(self._settings, self._directory)
        excess, gone = max(beyond, lacking), 0
        for path, size in sizes:
            if excess > 0 and unlinked(path, errors):
                excess, gone = excess - size, gone + 1
        why = "deleted: the archive was full" if beyond >= lacking else "deleted: the disk was short of room"
        while excess > 0 and (victims := self._first(store, excess)) and self._rest():
            excess -= sum(one.bytes for one in victims)
            gone += self._delete(store, victims, why, errors)
        return (
            Deleted(size=gone, errors=tuple(errors)) if beyond >= lacking else Deleted(room=gone, errors=tuple(errors))
        )

    def age(self, store: Store) -> Deleted:
        """Delete the files of plates that are too old. Raises StoreError."""
        errors: list[str] = []
        return Deleted(age=self._delete(store, self._aged(store), "deleted for its age", errors), errors=tuple(errors))

    def _first(self, store: Store, excess: int) -> list[ArchivedFile]:
        """The next that go, of so many bytes or as many as go at once."""
        is_ok = sa.case((plates.c.verdict == Verdict.OK.value, 0), else_=1)
        query = (
            sa.select(*_COLUMNS)
            .join_from(archive, plates)
            .where(archive.c.path.is_not(None))
            .order_by(_MARKED, is_ok, archive.c.plate)
            .limit(_MOST_AT_ONCE)
        )
        victims: list[ArchivedFile] = []
        with store.transaction(write=False) as connection:
            for row in connection.execute(query).mappings():
                if excess <= 0:
                    break
                victims.append(_file(store, row))
                excess -= victims[-1].bytes
        return victims

    def _aged(self, store: Store) -> list[ArchivedFile]:
        settings, uptime = self._settings, store.uptime_s()
        days = {True: settings.ok_days or settings.days, False: settings.days}
        conditions = [
            (plates.c.verdict == Verdict.OK.value if is_ok else plates.c.verdict != Verdict.OK.value)
            & (plates.c.uptime_s < uptime - most * _DAY_S)
            for is_ok, most in days.items()
            if most is not None
        ]
        if not conditions:
            return []
        query = (
            sa.select(*_COLUMNS)
            .join_from(archive, plates)
            .where(archive.c.path.is_not(None), ~_MARKED, sa.or_(*conditions))
            .order_by(archive.c.plate)
        )
        with store.transaction(write=False) as connection:
            return [_file(store, row) for row in connection.execute(query).mappings()]

    def _delete(self, store: Store, victims: Sequence[ArchivedFile], why: str, errors: list[str]) -> int:
        gone = 0
        for first in range(0, len(victims), _MOST_AT_ONCE):
            batch = victims[first : first + _MOST_AT_ONCE]
            values = {"path": None, "bytes": None, "sha256": None, "at": datetime.now(UTC), "missing": why}
            with store.transaction() as connection:
                chosen = archive.c.plate.in_([one.plate for one in batch])
                connection.execute(sa.update(archive).where(chosen).values(**values))
            for one in batch:
                remove(one.path, one.run, one.plate, errors)
                gone += 1
                if not self._rest():
                    return gone
        return gone


# --- inside ----------------------------------------------------------------------------------------------------------

_MARKED = sa.exists().where(marks.c.plate == archive.c.plate)
_ABOUT = (
    plates.c.plate,
    plates.c.run,
    plates.c.seen_at,
    plates.c.recipe,
    plates.c.product,
    plates.c.batch_id,
    plates.c.part_id,
    plates.c.image,
    plates.c.camera,
    plates.c.simulated,
    plates.c.verdict,
    plates.c.recipe_sha256,
)
_COLUMNS: tuple[sa.ColumnElement[Any], ...] = (
    archive.c.plate,
    plates.c.run,
    plates.c.verdict,
    archive.c.path,
    archive.c.bytes,
    archive.c.sha256,
    _MARKED.label("marked"),
)


def _put(store: Store, plate: int, values: dict[str, Any]) -> None:
    values |= {"at": datetime.now(UTC)}
    with store.transaction() as connection:
        changed = connection.execute(sa.update(archive).where(archive.c.plate == plate).values(**values))
        if not changed.rowcount:
            connection.execute(sa.insert(archive).values(plate=plate, **values))


def _noted(store: Store, path: Path) -> str:
    base = store.path.parent
    return str(path.relative_to(base) if path.is_relative_to(base) else path.absolute())


def _file(store: Store, row: sa.RowMapping) -> ArchivedFile:
    """Raises ValueError for a row that somebody made unreadable."""
    told = {name: row[name] for name in ("plate", "run", "verdict", "bytes", "sha256")}
    path = store.path.parent / msgspec.convert(row["path"], str)
    return msgspec.convert({**told, "path": path, "marked": bool(row["marked"])}, ArchivedFile)
