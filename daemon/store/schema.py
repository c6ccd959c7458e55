"""The tables of the result store, and how a SQLite file of them is opened and recognised."""

from __future__ import annotations

import shutil
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPIConnection, Dialect
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from stages.record import StoreFailure

SCHEMA_VERSION = 4
"""PRAGMA user_version of a store; grows whenever the tables change."""

_READABLE = (2, 3)
"""Older versions that are read as they are; what of a plate they do not know is None."""

STEPS: dict[int, tuple[str, ...]] = {
    1: (
        "ALTER TABLE plates ADD COLUMN classifier_sha256 VARCHAR",
        "ALTER TABLE defects ADD COLUMN probability FLOAT",
        "ALTER TABLE defects ADD COLUMN unanswered INTEGER DEFAULT 0 NOT NULL",
        "ALTER TABLE defects ADD COLUMN vetoed BOOLEAN DEFAULT 0 NOT NULL",
    ),
    2: (
        "ALTER TABLE plates ADD COLUMN uptime_s FLOAT DEFAULT 0 NOT NULL",
        "CREATE INDEX ix_plates_uptime_s ON plates (uptime_s)",
    ),
    3: ("ALTER TABLE plates ADD COLUMN image VARCHAR",),
}
"""What makes of a store of that version one of the next, in the transaction that opens it."""

APPLICATION_ID = 0x4C534E54
"""PRAGMA application_id of a store: "LSNT"."""

BUSY_TIMEOUT_MS = 250
"""How long a write waits for a lock before it fails; short, since the caller retries and must stay responsive."""

_WAL_PAGES = 100
"""Of 4 KiB: how long the write-ahead log grows before it is taken into the file; short, for disks run full."""


class StoreError(Exception):
    """The result store could not do what was asked.

    `kind` says which remedy helps: "full" and "locked" pass once somebody makes room or lets go, "broken" needs a
    person, "refused" concerns the one record that was to be written, not the store.
    """

    def __init__(self, kind: StoreFailure, message: str) -> None:
        super().__init__(message)
        self.kind: StoreFailure = kind


class UtcTime(sa.types.TypeDecorator[datetime]):
    """A moment as ISO text in UTC to the microsecond, so that the text sorts as the time does."""

    impl = sa.String(32)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Text to store; a naive time is refused, for nobody knows what it means."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without a zone cannot be stored: {value!r}; give it in UTC")
        return value.astimezone(UTC).isoformat(timespec="microseconds")

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - as above
        """The stored moment, in UTC."""
        return None if value is None else datetime.fromisoformat(value)


metadata = sa.MetaData()

plates = sa.Table(
    "plates",
    metadata,
    sa.Column("plate", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("run", sa.String(32), nullable=False),
    sa.Column("seen_at", UtcTime, nullable=False, index=True),
    sa.Column("recipe", sa.String, nullable=False),
    sa.Column("product", sa.String),
    sa.Column("part_id", sa.String),
    sa.Column("batch_id", sa.String),
    sa.Column("simulated", sa.Boolean, nullable=False),
    sa.Column("recipe_sha256", sa.String),
    sa.Column("configuration_sha256", sa.String),
    sa.Column("weights_sha256", sa.String),
    sa.Column("classifier_sha256", sa.String),
    sa.Column("code_sha256", sa.String),
    # NULL until the plate's verdict is final
    sa.Column("verdict", sa.String, sa.CheckConstraint("verdict IN ('OK', 'NG', 'INCONCLUSIVE')")),
    sa.Column("causes", sa.JSON),
    sa.Column("reason", sa.String),
    sa.Column("complete", sa.Boolean),
    sa.Column("rows", sa.Integer),
    sa.Column("columns", sa.Integer),
    sa.Column("windows", sa.Integer),
    sa.Column("windows_scored", sa.Integer),
    sa.Column("coverage", sa.Float),
    sa.Column("warnings", sa.JSON),
    sa.Column("brightness", sa.Float),
    sa.Column("contrast", sa.Float),
    sa.Column("saturation", sa.Float),
    sa.Column("focus", sa.Float),
    sa.Column("classifier", sa.String),
    sa.Column("latency_s", sa.Float),
    sa.Column("decided_at", UtcTime),
    # directory of the plate's pictures, relative to the state directory
    sa.Column("pictures", sa.String),
    # how long services had worked on this store when the plate was seen, s: by it plates grow old
    sa.Column("uptime_s", sa.Float, nullable=False, server_default="0", index=True),
    # name of the image file that a replay showed
    sa.Column("image", sa.String),
    sa.UniqueConstraint("run", "plate"),
)

# Answers the ledger and the question for a run's open plates without touching the table.
sa.Index("plates_ledger", plates.c.run, plates.c.verdict)

defects = sa.Table(
    "defects",
    metadata,
    sa.Column("plate", sa.ForeignKey("plates.plate", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),  # 1 is the worst
    sa.Column("x", sa.Integer, nullable=False),
    sa.Column("y", sa.Integer, nullable=False),
    sa.Column("width", sa.Integer, nullable=False),
    sa.Column("height", sa.Integer, nullable=False),
    sa.Column("area", sa.Integer, nullable=False),
    sa.Column("score", sa.Float, nullable=False),
    sa.Column("peak_x", sa.Integer, nullable=False),
    sa.Column("peak_y", sa.Integer, nullable=False),
    sa.Column("edge", sa.Boolean, nullable=False),
    sa.Column("x_mm", sa.Float),
    sa.Column("y_mm", sa.Float),
    sa.Column("width_mm", sa.Float),
    sa.Column("height_mm", sa.Float),
    sa.Column("probability", sa.Float),
    sa.Column("unanswered", sa.Integer, nullable=False, server_default="0"),
    sa.Column("vetoed", sa.Boolean, nullable=False, server_default="0"),
    sqlite_with_rowid=False,
)

events = sa.Table(
    "events",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("at", UtcTime, nullable=False, index=True),
    sa.Column("run", sa.String(32)),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("plate", sa.Integer),
    sa.Column("text", sa.String, nullable=False),
)


def open_engine(path: Path, *, read_only: bool) -> sa.Engine:
    """An engine with one connection to the file, in WAL mode with synchronous=FULL; raises nothing before its use."""
    uri = f"sqlite:///file:{_quoted(path)}?mode={'ro' if read_only else 'rwc'}&uri=true"
    # One connection: SQLite has one writer anyway, and its settings then hold for everything.
    engine = sa.create_engine(uri, poolclass=QueuePool, pool_size=1, max_overflow=0)

    @sa.event.listens_for(engine, "connect")
    def _set_up(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        # The driver's own idea of when a transaction begins is off; `_begin` says it.
        setattr(connection, "isolation_level", None)  # noqa: B010 - a property the protocol's type does not know
        cursor = connection.cursor()
        try:
            cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
            cursor.execute("PRAGMA foreign_keys = ON")
            cursor.execute("PRAGMA synchronous = FULL")
            cursor.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
        finally:
            cursor.close()

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        # A writer takes the lock at once: a lock that is refused later could not be waited for.
        reads = read_only or connection.get_execution_options().get("reads", False)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine


def prepare(engine: sa.Engine, path: Path, *, read_only: bool) -> None:
    """Create the tables in a new file, or bring an older store up to this version; raises StoreError."""
    if not read_only:
        # Outside any transaction, as SQLite wants it.
        raw = engine.raw_connection()
        try:
            raw.cursor().execute("PRAGMA journal_mode = WAL")
        finally:
            raw.close()
    with engine.begin() as connection:
        application: int = connection.exec_driver_sql("PRAGMA application_id").scalar_one()
        version: int = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        tables: int = connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one()
        if application == 0 and version == 0 and tables == 0 and not read_only:
            metadata.create_all(connection)
            connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")
        elif application != APPLICATION_ID:
            raise StoreError(
                "broken",
                f"{path} is a database, but not a result store of linesentry (application_id {application:#x}): "
                "move it away or choose another state directory",
            )
        elif version in STEPS and not read_only:
            while version in STEPS:
                for statement in STEPS[version]:
                    connection.exec_driver_sql(statement)
                version += 1
            connection.exec_driver_sql(f"PRAGMA user_version = {version}")
        elif version != SCHEMA_VERSION and not (read_only and version in _READABLE):
            remedy = "update linesentry"
            if version < SCHEMA_VERSION:
                remedy = "start the service once, which brings it up to date," if version in STEPS else "move it away"
            raise StoreError(
                "broken",
                f"{path} has schema version {version}, this program knows {SCHEMA_VERSION}: {remedy} "
                "or choose another state directory",
            )


def explained(error: sa.exc.DBAPIError | sqlite3.Error, path: Path) -> StoreError:
    """What a database error means for the store, and what to do about it."""
    cause: Any = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    code = getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # the low byte is the primary code
    name = getattr(cause, "sqlite_errorname", type(cause).__name__)
    found = f"{path}: {cause} ({name})"
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _no_room(path)):
        return StoreError("full", f"{found}; make room on the disk of {path.parent}")
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreError("locked", f"{found}; another program holds it open for writing: let it finish or end it")
    if code in (sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG):
        return StoreError("refused", f"{found}; the record itself does not fit the store")
    remedy = {
        sqlite3.SQLITE_READONLY: "it cannot be written: check owner, permissions and mount",
        sqlite3.SQLITE_CANTOPEN: "it cannot be opened: check that the directory exists and is writable",
        sqlite3.SQLITE_IOERR: "the disk failed: check the kernel's log and the disk",
        sqlite3.SQLITE_CORRUPT: "it is damaged: move it away; a new one is begun at the next start",
        sqlite3.SQLITE_NOTADB: "it is no SQLite database: move it away; a new one is begun at the next start",
    }.get(code, "check the file and the disk")
    return StoreError("broken", f"{found}; {remedy}")


def _no_room(path: Path) -> bool:
    """Whether the disk is so full that an I/O error is most likely that (SQLite reports some of them so)."""
    try:
        return shutil.disk_usage(path.parent).free < 1 << 16
    except OSError:
        return False


def _quoted(path: Path) -> str:
    """The path as SQLite's URI form wants it."""
    return str(path.absolute()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
