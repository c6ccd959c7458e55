"""A store of a former version becomes one of this version: alembic's migrations in one transaction, a copy kept before.

SQLite's own number of the version (PRAGMA user_version) is the one that counts, for former programs and readers know
no other. What alembic notes for itself follows it.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from daemon.store.copying import copy_whole
from daemon.store.pictures import free_bytes
from daemon.store.schema import SCHEMA_VERSION
from models.machine.files import whole

_SCRIPTS = "daemon.store:migrations"
_LEFT_FREE = 256_000_000
"""Bytes that a copy leaves free on the disk: verdicts come before it."""


@dataclass(frozen=True, slots=True)
class CarriedOver:
    """What was done to a store of a former version."""

    version: int
    """That it had."""
    copy: Path | None
    """The store as it was; None where none could be kept."""
    why_no_copy: str = ""


def revision(version: int) -> str:
    """What alembic calls that version."""
    return f"{version:04d}"


def carry_over(connection: sa.Connection, path: Path, version: int) -> CarriedOver:
    """Bring the store up to this version within the connection's transaction; nobody else may write meanwhile.

    Args:
        connection: to the store, in a transaction that holds its lock.
        path: of the store.
        version: that it has.

    Raises:
        sqlalchemy.exc.DBAPIError: a migration fails; the transaction is to be rolled back, and then nothing is changed.
    """
    copy, why = _kept(path, version)
    migrate(connection, version)
    connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")
    return CarriedOver(version, copy, why)


def migrate(connection: sa.Connection, version: int) -> None:
    """Alembic's migrations from that version to this one, in the connection's transaction."""
    # Not before it is needed, for most starts need none.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", _SCRIPTS)
    command.stamp(config, revision(version), purge=True)
    command.upgrade(config, revision(SCHEMA_VERSION))


def _kept(path: Path, version: int) -> tuple[Path | None, str]:
    """A copy of the store with all of its write-ahead log, whole or not at all; or why there is none."""
    store = path.resolve()
    copy = store.with_name(f"{store.stem}.version-{version}{store.suffix}")
    try:
        if free_bytes(store.parent) - store.stat().st_size < _LEFT_FREE:
            return None, f"too little room on the disk of {store.parent}"
        with whole(copy) as part:
            copy_whole(store, part)
    except (OSError, sqlite3.Error) as error:
        return None, f"{type(error).__name__}: {error}"
    return copy, ""
