"""The tables of the result store, their versions, and what an error of the database means."""

from __future__ import annotations

import json
import shutil
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import Dialect

from stages.record import StoreFailure

SCHEMA_VERSION = 12
"""PRAGMA user_version of a store; grows whenever the tables change."""

FORMER = range(1, SCHEMA_VERSION)
"""Versions that daemon/store/migrations bring up to this one."""

READABLE = range(2, SCHEMA_VERSION)
"""Older versions that are read as they are; what of a plate they do not know is None."""

APPLICATION_ID = 0x4C534E54
"""PRAGMA application_id of a store: "LSNT"."""

BUSY_TIMEOUT_MS = 250
"""How long a write waits for a lock before it fails; short, since the caller retries and must stay responsive."""

WAL_PAGES = 100
"""Of 4 KiB: how long the write-ahead log grows before it is taken into the file; short, for disks run full."""


class StoreError(Exception):
    """The result store could not do what was asked.

    `kind` says which remedy helps: "full" and "locked" pass once somebody makes room or lets go, "broken" needs a
    person, "refused" concerns the one record that was to be written, not the store.
    """

    def __init__(self, kind: StoreFailure, message: str) -> None:
        super().__init__(message)
        self.kind: StoreFailure = kind


class StoreAwayError(StoreError):
    """The server cannot be reached just now; that passes once it is there again."""

    def __init__(self, message: str) -> None:
        super().__init__("broken", message)


class StoreDamagedError(StoreError):
    """What lies there is no sound SQLite file: no further try will read or write it."""

    def __init__(self, message: str) -> None:
        super().__init__("broken", message)


class StoreGoneError(StoreError):
    """The file that was opened lies there no longer: it was deleted, moved away, or replaced by another."""

    def __init__(self, message: str) -> None:
        super().__init__("broken", message)


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
        """The stored moment, in UTC. Raises ValueError where somebody made none of it."""
        if value is None:
            return None
        # SQLite holds to no type.
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        if moment is None or moment.tzinfo is None:
            raise ValueError(f"a time with its zone was stored, and {value!r} is found")
        return moment


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
    # serial number of the camera that saw it
    sa.Column("camera", sa.String),
    # how even the light was over its columns, and the faults of the optics that stood then
    sa.Column("unevenness", sa.Float),
    sa.Column("optics", sa.JSON(none_as_null=True)),
    # why the ids that a PLC was to give are not known
    sa.Column("part_unknown", sa.String),
    # why rows are missing, and how often
    sa.Column("losses", sa.JSON(none_as_null=True)),
    # of the row and its defects, as daemon/store/seals.py reckons it; NULL without a verdict, and in older stores
    sa.Column("checksum", sa.String),
    sa.UniqueConstraint("run", "plate"),
)
# A column added later must be NULL in rows that are there: the checksum passes over what is NULL.

# Answers the ledger and the question for a run's open plates without touching the table.
sa.Index("plates_ledger", plates.c.run, plates.c.verdict)

# What is asked of days and years (daemon/store/history.py), each without touching the rows until they are chosen.
_by_verdict = (plates.c.verdict, plates.c.seen_at)
sa.Index("plates_verdict", *_by_verdict, plates.c.causes).ddl_if(dialect="sqlite")
# PostgreSQL has no order for JSON, and keeps it beside what it orders by.
sa.Index("plates_verdict_causes", *_by_verdict, postgresql_include=["plate", "causes"]).ddl_if(dialect="postgresql")
sa.Index("plates_recipe", plates.c.recipe, plates.c.seen_at, plates.c.verdict)
sa.Index("plates_product", plates.c.product, plates.c.seen_at, plates.c.verdict)
sa.Index("plates_batch", plates.c.batch_id, plates.c.seen_at, plates.c.verdict)
sa.Index("plates_part", plates.c.part_id)

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

sa.Index("defects_place", defects.c.peak_x, defects.c.peak_y)

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

golden_standards = sa.Table(
    "golden_standards",
    metadata,
    sa.Column("recipe", sa.String, primary_key=True),
    sa.Column("at", UtcTime, nullable=False),
    # that it was set from; they are deleted with age
    sa.Column("plates", sa.JSON, nullable=False),
    sa.Column("standard", sa.JSON, nullable=False),
)

golden_checks = sa.Table(
    "golden_checks",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("recipe", sa.String, nullable=False, index=True),
    sa.Column("plate", sa.Integer, nullable=False),
    sa.Column("passed", sa.Boolean, nullable=False),
    sa.Column("values", sa.JSON, nullable=False),
    sa.Column("failures", sa.JSON, nullable=False),
)

optics = sa.Table(
    "optics",
    metadata,
    # recipe, and the flat field if there is one
    sa.Column("product", sa.String, primary_key=True),
    sa.Column("at", UtcTime, nullable=False),
    # reference and present means, as stages/optics.py keeps them
    sa.Column("kept", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

upkeep = sa.Table(
    "upkeep",
    metadata,
    sa.Column("id", sa.Integer, sa.CheckConstraint("id = 1"), primary_key=True),
    # plates ever written, and those deleted for their age
    sa.Column("begun", sa.Integer, nullable=False),
    sa.Column("pruned", sa.Integer, nullable=False),
    sa.Column("highest_pruned", sa.Integer, nullable=False),
    # a service has the store open, or was killed: what is new may stand in the write-ahead log alone
    sa.Column("in_use", sa.Boolean, nullable=False),
)
"""One row: what the rows of the other tables cannot say themselves."""

outputs = sa.Table(
    "outputs",
    metadata,
    sa.Column("name", sa.String, primary_key=True),
    # all from this plate on are told to it
    sa.Column("first_plate", sa.Integer, nullable=False),
)
"""The outputs of the configuration, as of the last start."""

tellings = sa.Table(
    "tellings",
    metadata,
    sa.Column("plate", sa.ForeignKey("plates.plate", ondelete="CASCADE"), primary_key=True),
    sa.Column("output", sa.String, primary_key=True),
    sa.Column("outcome", sa.String, nullable=False),
    sa.Column("divert", sa.Boolean, nullable=False),
    sa.Column("times", sa.Integer, nullable=False),
    sa.Column("said_at", UtcTime),
    sa.Column("answered_at", UtcTime),
    sa.Column("answer", sa.String, nullable=False),
    sqlite_with_rowid=False,
)
"""What each output said of a plate, and what came back (stages/output.py)."""


marks = sa.Table(
    "marks",
    metadata,
    # in the order in which they were made; no number is given twice
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("at", UtcTime, nullable=False),
    # no foreign key: what a person said outlives a plate that was deleted for its age, for its picture may be kept
    sa.Column("plate", sa.Integer, nullable=False, index=True),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("defect", sa.Integer),
    # of a missed crack: what it is marked with, and where, px of the plate
    sa.Column("shape", sa.String),
    sa.Column("x0", sa.Integer),
    sa.Column("y0", sa.Integer),
    sa.Column("x1", sa.Integer),
    sa.Column("y1", sa.Integer),
    sa.Column("who", sa.String, nullable=False),
    sa.Column("why", sa.String),
    # of the row, as daemon/store/seals.py reckons it; NULL in older stores
    sa.Column("checksum", sa.String),
    sqlite_autoincrement=True,
)
"""What people said of plates (stages/mark.py); rows are added, and never changed."""
SAID = tuple(column for column in marks.c if column.name != "checksum")
"""What a mark says, also in a store of an older version."""

archive = sa.Table(
    "archive",
    metadata,
    sa.Column("plate", sa.ForeignKey("plates.plate", ondelete="CASCADE"), primary_key=True),
    # relative to the state directory, else absolute; NULL where there is no file
    sa.Column("path", sa.String),
    sa.Column("bytes", sa.BigInteger),
    # of the file, hex
    sa.Column("sha256", sa.String(64)),
    sa.Column("at", UtcTime, nullable=False),
    # why there is none, or none any more
    sa.Column("missing", sa.String),
    sqlite_with_rowid=False,
)
"""The plates that were chosen for the archive (daemon/store/archive.py)."""

challenges = sa.Table(
    "challenges",
    metadata,
    sa.Column("plate", sa.ForeignKey("plates.plate", ondelete="CASCADE"), primary_key=True),
    # of all that decides the candidate's results, hex
    sa.Column("candidate", sa.String(64), primary_key=True),
    sa.Column("recipe", sa.String, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    # what the candidate would change of the plate
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("verdict", sa.String, nullable=False),
    sa.Column("causes", sa.JSON, nullable=False),
    # of the defects that count: their boxes, and whether they are kept, new or gone
    sa.Column("defects", sa.JSON, nullable=False),
    sqlite_with_rowid=False,
)
"""What candidates say of plates in the archive (daemon/store/challenges.py); no verdict is theirs."""

alembic_version = sa.Table("alembic_version", metadata, sa.Column("version_num", sa.String(32), primary_key=True))
"""Alembic's own note of the version."""


def stored_json(value: object) -> Any:  # noqa: ANN401 - of JSON
    """What stands in a column of JSON. Raises ValueError where somebody made none of it: SQLite holds to no type."""
    if not isinstance(value, str | bytes):
        raise ValueError(f"JSON was stored, and {value!r} is found")  # noqa: TRY004 - of the file, not of the caller
    return json.loads(value)


def insert_into(connection: sa.Connection, table: sa.Table) -> sqlite.Insert:
    """An insert that can be told what to do about a row that is there: both databases have the same words for it."""
    server = connection.dialect.name == "postgresql"
    return cast(sqlite.Insert, postgresql.insert(table)) if server else sqlite.insert(table)


def add_new(connection: sa.Connection, new: sqlite.Insert) -> bool:
    """Insert a row unless it is there; whether it was not."""
    # Without the option the count of an insert is not known with every driver.
    done = connection.execute(new.on_conflict_do_nothing(), execution_options={"preserve_rowcount": True})
    return done.rowcount > 0


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
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        what = "is no SQLite database" if code == sqlite3.SQLITE_NOTADB else "is damaged"
        return StoreDamagedError(
            f"{found}; it {what}: the next start of the service sets it aside and begins a new one"
        )
    if path.is_dir():
        return StoreError("broken", f"{path} is a directory: move it away, or choose another state directory")
    remedy = {
        sqlite3.SQLITE_READONLY: "it cannot be written: check owner, permissions and mount",
        sqlite3.SQLITE_CANTOPEN: "it cannot be opened: check that the directory exists and is writable",
        sqlite3.SQLITE_IOERR: "the disk failed: check the kernel's log and the disk",
    }.get(code, "check the file and the disk")
    return StoreError("broken", f"{found}; {remedy}")


def _no_room(path: Path) -> bool:
    """Whether the disk is so full that an I/O error is most likely that (SQLite reports some of them so)."""
    try:
        return shutil.disk_usage(path.parent).free < 1 << 16
    except OSError:
        return False
