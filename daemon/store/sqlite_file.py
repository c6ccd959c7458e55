"""The file of SQLite that a store lies in: whether it still is the one that was opened, with its write-ahead log."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import sqlalchemy as sa

from daemon.store.schema import StoreDamagedError, StoreError, StoreGoneError, explained


def beside(path: Path, suffix: str) -> Path:
    """A file that SQLite keeps beside the store: beside the file itself, where the path is a link to it."""
    store = path.resolve()
    return store.with_name(store.name + suffix)


def log_identity(path: Path) -> tuple[int, int] | None:
    """Which file the store's write-ahead log is; None where there is none."""
    try:
        status = beside(path, "-wal").stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


class SqliteFile:
    """An open file of SQLite (daemon/store/database.py)."""

    def __init__(self, path: Path, engine: sa.Engine) -> None:
        self._path, self._engine = path, engine
        status = path.stat()
        self._file = (status.st_dev, status.st_ino)
        self._log: tuple[int, int] | None = None
        """The write-ahead log of the open connection; None before its first write."""

    def ready(self) -> None:
        """SQLite goes on writing to files that were deleted; what it writes then would be lost."""
        try:
            status = self._path.stat()
        except OSError as error:
            raise StoreGoneError(f"{self._path} is gone ({error.strerror}): put it back") from error
        if (status.st_dev, status.st_ino) != self._file:
            raise StoreGoneError(f"{self._path} was replaced by another file: put it back")
        if self._log is not None and log_identity(self._path) != self._log:
            self._checkpoint()  # the connection still has the old one open
            self.afresh()
            raise StoreError("broken", f"the write-ahead log of {self._path} was taken away: a new one is begun")

    def wrote(self) -> None:
        """Know the log that the first write made."""
        if self._log is None:
            self._log = log_identity(self._path)

    def settle(self) -> None:
        """Take the write-ahead log into the file, as far as no reader needs it; a copy of the file then has all."""
        self.ready()
        self._checkpoint()

    def afresh(self) -> None:
        """Let go of the connection."""
        self._engine.dispose()
        self._log = None

    def check(self, connection: sa.Connection) -> None:
        """SQLite's own quick check of the whole file."""
        found: Sequence[str] = connection.exec_driver_sql("PRAGMA quick_check(1)").scalars().all()
        if list(found) != ["ok"]:
            what = " ".join(" ".join(found).split())
            raise StoreDamagedError(
                f"{self._path} is damaged ({what}): the next start of the service sets it aside and begins a new one"
            )

    def explained(self, error: sa.exc.DBAPIError | sqlite3.Error) -> StoreError:
        """By SQLite's code."""
        return explained(error, self._path)

    def _checkpoint(self) -> None:
        try:
            raw = self._engine.raw_connection()
            try:
                raw.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)")
            finally:
                raw.close()
        except (sa.exc.DBAPIError, sqlite3.Error) as error:
            raise explained(error, self._path) from error
