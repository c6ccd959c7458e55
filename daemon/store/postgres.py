"""A store in PostgreSQL: how it is opened, and what an error of the server means.

Its tables are those of the file. One service writes; a lock of the server's makes its transactions follow each other,
as a file's do. What a file needs, and a server does by itself, is nothing here: no log to take in, no check at a start.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Container
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import QueuePool

from daemon.store.carry_over import CarriedOver, migrate, revision
from daemon.store.database import Opened
from daemon.store.schema import (
    APPLICATION_ID,
    BUSY_TIMEOUT_MS,
    SCHEMA_VERSION,
    StoreAwayError,
    StoreError,
    alembic_version,
    metadata,
    upkeep,
)
from models.machine.packages import missing

FIRST_VERSION = 9
"""Before it no store was in PostgreSQL."""
_CONNECT_S = 2
_STATEMENT_MS = 10_000
"""Longest that a statement of the writer may take, so that a server that hangs is found."""
_NETWORK = {"tcp_user_timeout": 4000, "keepalives_idle": 2, "keepalives_interval": 1, "keepalives_count": 3}
"""So that a network that is gone is found sooner than `restart.hang_s`; ms, s, s and tries."""
_AWAY = ("08", "57P", "53300", "53400")
_LOCKED = ("55P03", "57014", "40001", "40P01")
# Who is not let in is told why in words alone: no SQLSTATE comes with them.
_AWAY_REMEDY = (
    "start the server, make the database (createdb), or check store.url, the user and the password in PGPASSFILE"
)
_FORBIDDEN = "42501"


class Server:
    """A server of PostgreSQL (daemon/store/database.py)."""

    def __init__(self, url: sa.URL, engine: sa.Engine) -> None:
        self._name = shown(url)
        self._engine = engine

    def ready(self) -> None:
        """The server knows itself."""

    def wrote(self) -> None:
        """Nothing is to be noted."""

    def settle(self) -> None:
        """The server has all in its place."""

    def afresh(self) -> None:
        """Let go of the connection."""
        self._engine.dispose()

    def check(self, connection: sa.Connection) -> None:
        """Nothing: PostgreSQL checks its pages itself, where it was set up so (initdb --data-checksums)."""

    def explained(self, error: sa.exc.DBAPIError | sqlite3.Error) -> StoreError:
        """By the server's SQLSTATE."""
        return explained(error, self._name)


def shown(url: sa.URL) -> str:
    """The server in words, without a secret."""
    return url.set(drivername="postgresql").render_as_string(hide_password=True)


def open_server(address: str, *, read_only: bool, former: bool) -> Opened:
    """The store at that address, made where the database is empty.

    Raises:
        StoreError: it cannot be opened, or is not one of ours; StoreAwayError where the server cannot be reached.
    """
    if (why := missing("psycopg", "postgres")) is not None:
        raise StoreError("broken", f"store.url names a server of PostgreSQL, which {why}")
    try:
        url = sa.make_url(address).set(drivername="postgresql+psycopg")
    except sa.exc.ArgumentError as error:
        raise StoreError("broken", f"store.url: {address!r} is no address of a database: {error}") from error
    engine = _engine(url, read_only=read_only)
    server = Server(url, engine)
    reader = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True, reads=True)
    try:
        if read_only:
            with reader.connect() as connection:
                _recognise(connection, server_name=shown(url), older=())
            return Opened(reader, reader, server)
        with engine.begin() as connection:
            carried_over = _prepare(connection, shown(url), range(FIRST_VERSION, SCHEMA_VERSION) if former else ())
    except sa.exc.DBAPIError as error:
        engine.dispose()
        raise explained(error, shown(url)) from error
    except BaseException:
        engine.dispose()
        raise
    return Opened(engine, reader, server, carried_over=carried_over)


def explained(error: sa.exc.DBAPIError | sqlite3.Error, name: str) -> StoreError:
    """What an error of the server means for the store, and what to do about it."""
    cause: Any = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    state = getattr(cause, "sqlstate", None) or ""
    found = f"{name}: {' '.join(str(cause).split())}{f' (SQLSTATE {state})' if state else ''}"
    if isinstance(error, sa.exc.DataError | sa.exc.IntegrityError):
        return StoreError("refused", f"{found}; the record itself does not fit the store")
    if state == "53100":
        return StoreError("full", f"{found}; make room on the disk of the server")
    if state.startswith(_LOCKED):
        return StoreError("locked", f"{found}; another program holds it, or the server is too slow")
    if not state or state.startswith(_AWAY):
        return StoreAwayError(f"{found}; {_AWAY_REMEDY}")
    remedy = "give the user the right to read and write there" if state == _FORBIDDEN else "check the server's log"
    return StoreError("broken", f"{found}; {remedy}")


def _engine(url: sa.URL, *, read_only: bool) -> sa.Engine:
    """An engine with one connection; raises nothing before its use."""
    options = f"-c lock_timeout={BUSY_TIMEOUT_MS} -c synchronous_commit=on"
    if not read_only:
        options += f" -c statement_timeout={_STATEMENT_MS}"
    engine = sa.create_engine(
        url,
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
        connect_args={"connect_timeout": _CONNECT_S, "options": options, "application_name": "linesentry", **_NETWORK},
    )

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        # A writer takes the lock at once, as it does with a file.
        if not connection.get_execution_options().get("reads", False):
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({APPLICATION_ID})")

    return engine


def _prepare(connection: sa.Connection, name: str, former: Container[int]) -> CarriedOver | None:
    """Create the tables in an empty database, or bring a former store up to this version; raises StoreError."""
    if not sa.inspect(connection).get_table_names():
        metadata.create_all(connection)
        connection.execute(sa.insert(upkeep).values(id=1, begun=0, pruned=0, highest_pruned=0, in_use=False))
        connection.execute(sa.insert(alembic_version).values(version_num=revision(SCHEMA_VERSION)))
        return None
    version = _recognise(connection, name, former)
    if version == SCHEMA_VERSION:
        return None
    migrate(connection, version)
    return CarriedOver(version, None, "a server's is made by pg_dump, before an upgrade")


def _recognise(connection: sa.Connection, server_name: str, older: Container[int]) -> int:
    """The version of the store; raises StoreError for what is none of ours, or of a version that is not known."""
    there = set(sa.inspect(connection).get_table_names())
    if not there:
        raise StoreError("broken", f"{server_name} is empty: the next start of the service fills it")
    if not {alembic_version.name, upkeep.name, "plates"} <= there:
        raise StoreError("broken", f"{server_name} has tables of another program: give linesentry its own database")
    version = int(connection.scalar(sa.select(alembic_version.c.version_num)) or 0)
    if version != SCHEMA_VERSION and version not in older:
        remedy = (
            "update linesentry" if version > SCHEMA_VERSION else "start the service once, which brings it up to date"
        )
        raise StoreError(
            "broken", f"{server_name} has schema version {version}, this program knows {SCHEMA_VERSION}: {remedy}"
        )
    return version
