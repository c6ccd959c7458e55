"""How the file of a result store is opened: to write, and to read, also where nobody may write; how one is set aside.

A reader of SQLite's write-ahead log has to keep a file of its own beside it. Where it may not, and no service keeps
one, there is another way to read.

| beside the store lies | a reader who may not write there |
|---|---|
| no write-ahead log, or an empty one | reads the file as one that nobody changes |
| a write-ahead log | reads a copy of both, in a temporary directory of its own |
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Container
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote_from_bytes

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from daemon.store.carry_over import CarriedOver, carry_over, revision
from daemon.store.database import Opened
from daemon.store.schema import (
    APPLICATION_ID,
    BUSY_TIMEOUT_MS,
    FORMER,
    READABLE,
    SCHEMA_VERSION,
    WAL_PAGES,
    StoreError,
    alembic_version,
    explained,
    metadata,
    stored_json,
    upkeep,
)
from daemon.store.sqlite_file import SqliteFile, beside

_NEEDS_WRITING = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)
_BESIDE = ("-wal", "-shm", "")
"""What SQLite's files are called after the store's name; the store itself goes last, so that it is never alone."""


def open_to_write(path: Path, *, former: bool = True) -> Opened:
    """The store, made where there is none, in WAL mode with synchronous=FULL.

    One of a former version is brought up to this one; without `former` it is refused.

    Raises:
        StoreError: it cannot be opened, or is not one of ours.
    """
    versions = FORMER if former else ()
    engine = _engine(path, "mode=rwc", read_only=False)
    try:
        # Before anything is changed in it, for it may be another program's.
        with engine.connect().execution_options(reads=True) as connection:
            if not _is_new(connection):
                _recognise(connection, path, versions)
        # Outside any transaction, as SQLite wants it.
        raw = engine.raw_connection()
        try:
            raw.cursor().execute("PRAGMA journal_mode = WAL")
        finally:
            raw.close()
        with engine.begin() as connection:
            carried_over = _prepare(connection, path, versions)
    except (sa.exc.DBAPIError, sqlite3.Error) as error:
        engine.dispose()
        raise explained(error, path) from error
    except BaseException:
        engine.dispose()
        raise
    return _opened(engine, path, carried_over=carried_over)


def open_to_read(path: Path) -> Opened:
    """The store as it is, whoever may write there; nothing of it is changed.

    Raises:
        StoreError: it cannot be opened, or is not one of ours.
    """
    _refuse_forbidden(path)
    held = ExitStack()
    with held:
        engine = _engine(path, "mode=ro", read_only=True)
        copy = None
        held.callback(engine.dispose)
        try:
            if _needs_writing(engine):
                engine, copy = _open_where_nobody_writes(path)
                held.callback(engine.dispose)
                if copy is not None:
                    held.callback(copy.cleanup)
            with engine.begin() as connection:
                _refuse_empty(connection, path)
                _recognise(connection, path, READABLE)
        except (sa.exc.DBAPIError, sqlite3.Error) as error:
            raise explained(error, path) from error
        opened = _opened(engine, path, copy)
        held.pop_all()
    return opened


def lacks_log(path: Path) -> bool:
    """Whether no write-ahead log with anything in it lies beside the store."""
    try:
        return beside(path, "-wal").stat().st_size == 0
    except OSError:
        return True


def set_aside(path: Path) -> Path:
    """Rename a damaged store, with all that SQLite keeps beside it, for people to look at; its new path.

    Raises:
        StoreError: it cannot be renamed.
    """
    store = path.resolve()
    stem = f"{store.stem}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S%f}{store.suffix}"
    try:
        for suffix in _BESIDE:
            one = beside(store, suffix)
            if one.exists():
                one.rename(store.with_name(stem + suffix))
    except OSError as error:
        raise StoreError(
            "broken", f"{path} is damaged, and cannot be renamed ({error.strerror}): move it away by hand"
        ) from error
    return store.with_name(stem)


def set_aside_before(path: Path) -> list[Path]:
    """Damaged stores that were set aside beside this one, the oldest first."""
    store = path.resolve()
    found = store.parent.glob("*.damaged-*")
    return sorted(one for one in found if one.name.startswith(f"{store.stem}.") and one.suffix == store.suffix)


# --- inside -----------------------------------------------------------------------------------------------------------


def _opened(
    engine: sa.Engine,
    path: Path,
    copy: tempfile.TemporaryDirectory[str] | None = None,
    carried_over: CarriedOver | None = None,
) -> Opened:
    return Opened(engine, engine.execution_options(reads=True), SqliteFile(path, engine), copy, carried_over)


def _engine(path: Path, options: str, *, read_only: bool) -> sa.Engine:
    """An engine with one connection to the file; raises nothing before its use."""
    # Bytes, for a path need not be text; and not as an address of SQLAlchemy's, which would be decoded once more.
    uri = f"file:{quote_from_bytes(os.fsencode(path.absolute()))}?{options}"
    # One connection: SQLite has one writer anyway, and its settings then hold for everything.
    engine = sa.create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(uri, uri=True, check_same_thread=False),
        json_deserializer=stored_json,
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
    )

    @sa.event.listens_for(engine, "connect")
    def _set_up(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        # The driver's own idea of when a transaction begins is off; `_begin` says it.
        setattr(connection, "isolation_level", None)  # noqa: B010 - a property the protocol's type does not know
        cursor = connection.cursor()
        try:
            cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
            cursor.execute("PRAGMA foreign_keys = ON")
            cursor.execute("PRAGMA synchronous = FULL")
            cursor.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
        except UnicodeDecodeError as error:
            # SQLite's own complaint quotes what it cannot read, and that is no text.
            raise sqlite3.DatabaseError("malformed database schema: it is no text") from error
        finally:
            cursor.close()

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        # A writer takes the lock at once: a lock that is refused later could not be waited for.
        reads = read_only or connection.get_execution_options().get("reads", False)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine


def _needs_writing(engine: sa.Engine) -> bool:
    """Whether the file cannot be read by somebody who may not write beside it."""
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one()
    except sa.exc.DBAPIError as error:
        code = getattr(error.orig, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if code in _NEEDS_WRITING:
            return True
        raise
    return False


def _open_where_nobody_writes(path: Path) -> tuple[sa.Engine, tempfile.TemporaryDirectory[str] | None]:
    if not path.is_file() or lacks_log(path):
        return _engine(path, "mode=ro&immutable=1", read_only=True), None
    copy = tempfile.TemporaryDirectory(prefix="linesentry-results-")
    try:
        copied = Path(copy.name) / "results.sqlite"
        for suffix in ("", "-wal"):
            shutil.copyfile(beside(path, suffix), beside(copied, suffix))
    except OSError as error:
        copy.cleanup()
        raise StoreError(
            "broken",
            f"{path} cannot be read where it lies, for its write-ahead log needs a file beside it; nor can a copy be "
            f"made in {tempfile.gettempdir()} ({error.strerror}): read it as the user of the service",
        ) from error
    return _engine(copied, "mode=ro", read_only=True), copy


def _prepare(connection: sa.Connection, path: Path, former: Container[int]) -> CarriedOver | None:
    """Create the tables in a new file, or bring a former store up to this version; raises StoreError."""
    if _is_new(connection):
        metadata.create_all(connection)
        connection.execute(sa.insert(upkeep).values(id=1, begun=0, pruned=0, highest_pruned=0, in_use=False))
        connection.execute(sa.insert(alembic_version).values(version_num=revision(SCHEMA_VERSION)))
        connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")
        return None
    _recognise(connection, path, former)
    _, version = _identity(connection)
    return None if version == SCHEMA_VERSION else carry_over(connection, path, version)


def _is_new(connection: sa.Connection) -> bool:
    tables: int = connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one()
    return tables == 0 and _identity(connection) == (0, 0)


def _refuse_forbidden(path: Path) -> None:
    """Say at once whose the file is: SQLite only says that it cannot be opened."""
    try:
        with path.open("rb"):
            return
    except PermissionError as error:
        raise StoreError(
            "broken",
            f"{path}: user {os.geteuid()} may not read it: do this as root, or as the user of the service. For others, "
            "root copies the results (`linesentry backup`)",
        ) from error
    except OSError:
        return  # SQLite says what it is


def _refuse_empty(connection: sa.Connection, path: Path) -> None:
    if _is_new(connection):
        raise StoreError(
            "broken", f"{path} is empty: the next start of the service fills it; restore a backup if it was not"
        )


def _identity(connection: sa.Connection) -> tuple[int, int]:
    """Which program's database it is, and the version of its tables."""
    application: int = connection.exec_driver_sql("PRAGMA application_id").scalar_one()
    version: int = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
    return application, version


def _recognise(connection: sa.Connection, path: Path, older: Container[int]) -> None:
    """Raise StoreError for a file that is no store of ours, or of a version that is neither ours nor in `older`."""
    application, version = _identity(connection)
    if application != APPLICATION_ID:
        raise StoreError(
            "broken",
            f"{path} is a database, but not a result store of linesentry (application_id {application:#x}): "
            "move it away or choose another state directory",
        )
    if version == SCHEMA_VERSION or version in older:
        return
    remedy = "update linesentry"
    if version < SCHEMA_VERSION:
        remedy = "start the service once, which brings it up to date," if version in FORMER else "move it away"
    raise StoreError(
        "broken",
        f"{path} has schema version {version}, this program knows {SCHEMA_VERSION}: {remedy} "
        "or choose another state directory",
    )
