"""What a store's database has to do for it, be it a file of SQLite or a server of PostgreSQL."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import sqlalchemy as sa

if TYPE_CHECKING:
    import sqlite3

    from daemon.store.carry_over import CarriedOver
    from daemon.store.schema import StoreError


class Database(Protocol):
    """An open database, apart from its queries."""

    def ready(self) -> None:
        """Look whether it is still the one that was opened. Raises StoreError where it is not."""

    def wrote(self) -> None:
        """Something was committed."""

    def settle(self) -> None:
        """Have all that was committed in the one place that people copy. Raises StoreError."""

    def afresh(self) -> None:
        """Whatever state the connection is in, the next try has another."""

    def check(self, connection: sa.Connection) -> None:
        """The database's own quick check of itself. Raises StoreDamagedError where it finds something."""

    def explained(self, error: sa.exc.DBAPIError | sqlite3.Error) -> StoreError:
        """What an error means for the store, and what to do about it."""


@dataclass(frozen=True, slots=True)
class Opened:
    """An open store: to write, to read, and what it is in."""

    engine: sa.Engine
    reader: sa.Engine
    """The same, for transactions that only read."""
    database: Database
    copy: tempfile.TemporaryDirectory[str] | None = None
    """That it reads where it could not read the file itself."""
    carried_over: CarriedOver | None = None
    """From a former version, by this opening."""

    def close(self) -> None:
        """Let go of all."""
        self.engine.dispose()
        if self.copy is not None:
            self.copy.cleanup()
