"""The result store: plates, their defects and events in one database, and the ledger computed from it."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import sqlalchemy as sa

from daemon.store import opening
from daemon.store.database import Opened
from daemon.store.journal import NOTHING, Kept
from daemon.store.reconcile import Begun, Missing, add, close, complete, missing, write_verdict
from daemon.store.rows import (
    Ledger,
    PlateRow,
    RunFacts,
    latest,
    ledger_of,
    part_values,
    plate_rows,
    told_columns,
)
from daemon.store.schema import (
    StoreDamagedError,
    StoreError,
    StoreGoneError,
    events,
    plates,
    upkeep,
)
from daemon.store.seals import Rows, is_sealed, looked_at, seal
from daemon.store.where import note_path, noted_url
from stages.plate import Cause, PlateResult
from stages.plc import Part

__all__ = [
    "Begun",
    "Ledger",
    "PlateRow",
    "RunFacts",
    "Store",
    "StoreDamagedError",
    "StoreError",
    "StoreGoneError",
    "store_path",
]


_MOST_UPTIME_S = 1e11
"""Three thousand years: more is no time that a service has worked."""


def store_path(state_directory: Path) -> Path:
    """Where the result store of a state directory lies."""
    return state_directory / "results.sqlite"


class Store:
    """The result store. Every method that touches the file raises StoreError when it cannot; nothing is then written.

    Methods may be called from several threads; each is one transaction.
    """

    def __init__(self, path: Path, opened: Opened, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self.carried_over = opened.carried_over
        """From a former version, when this was opened."""
        self._opened = opened
        self._engine, self._reader, self._database = opened.engine, opened.reader, opened.database
        self.told = told_columns(opened.reader)
        """What is told of a plate, as columns of a query."""
        self._lock = threading.Lock()
        self._facts: RunFacts | None = None
        self._clock = clock
        self._uptime: tuple[float, float] | None = None
        """Uptime as stored when the run began, and the clock then, s."""

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        read_only: bool = False,
        former: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> Self:
        """Open the store, creating the file where it may; raises StoreError for a file that is not one of ours.

        A writer brings one of a former version up to this one; without `former` it refuses. `clock` counts seconds
        that a service works; nobody may be able to set it.
        """
        opened = _opened(path, read_only=read_only, former=former)
        try:
            return cls(path, opened, clock)
        except (sa.exc.DBAPIError, sqlite3.Error) as error:
            opened.close()
            raise opened.database.explained(error) from error
        except BaseException:
            opened.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    # --- a run ---

    def begin_run(self, facts: RunFacts, kept: Kept = NOTHING) -> Begun:
        """Make the facts those of the plates to come; give the number of the run's next plate.

        What the journal knows and the store does not is stored: the plate, and the verdict that was told of it. Plates
        of other runs that have no verdict then become INCONCLUSIVE (service died). May be called again for the same
        run, by a process that was restarted: it closes none of its own.
        """
        with self.transaction() as connection:
            known = connection.scalar(sa.select(sa.func.max(plates.c.plate))) or 0
            # A text that somebody put there sorts behind all numbers, and keeps no service from its start.
            known_s = sa.select(sa.func.max(plates.c.uptime_s)).where(plates.c.uptime_s < _MOST_UPTIME_S)
            uptime: float | None = connection.scalar(known_s)
            found = missing(connection, kept)
            complete(connection, found, uptime or 0.0)
            closed = close(connection, plates.c.run != facts.run, Cause.SERVICE_DIED)
            connection.execute(sa.update(upkeep).values(in_use=True))
        self._facts = facts
        self._uptime = (uptime or 0.0, self._clock())
        return Begun(max(known, kept.last) + 1, closed, found, known)

    def end_run(self) -> None:
        """The service closes the store: from now on all that is stored stands in its one file."""
        with self.transaction() as connection:
            connection.execute(sa.update(upkeep).values(in_use=False))
        self.settle()

    def settle(self) -> None:
        """Take the write-ahead log into the file, as far as no reader needs it; a copy of the file then has all."""
        with self._lock:
            self._database.settle()

    def seen(
        self,
        run: str,
        plate: int,
        at: datetime,
        image: str | None = None,
        facts: RunFacts | None = None,
        part: Part | None = None,
        camera: str | None = None,
    ) -> None:
        """Commit that the switch saw a plate, and what is known of it by then; again is no harm.

        `image` is the image file that a replay showed, `part` what a PLC said of the sheet, `camera`
        the serial number of the camera. `facts` are the plate's
        own, where they are not those of the run's beginning.
        """
        with self.transaction() as connection:
            self._seen(connection, run, plate, at, facts, {"image": image, "camera": camera, **part_values(part)})

    def commit_verdict(
        self,
        result: PlateResult,
        *,
        decided_at: datetime,
        latency_s: float | None = None,
        event: str | None = None,
        unevenness: float | None = None,
        optics: Sequence[str] | None = None,
        facts: RunFacts | None = None,
        named: bool = False,
    ) -> bool:
        """Commit a plate's verdict and defects in one transaction; False if it has a verdict, which then stays.

        A plate not yet seen is written as seen. `facts` say by what it was judged; None: as was stored when it was
        seen. `named`: a PLC was asked of what batch it is, so that this stays. `event` is the text of an event to be
        stored with the verdict; `unevenness` and `optics` are what the plate says of the light, and the faults of the
        optics that stand.
        """
        judged = {} if facts is None else asdict(facts)
        if named:
            judged.pop("batch_id", None)
        with self.transaction() as connection:
            self._seen(connection, result.run, result.plate, decided_at, facts, {"image": result.image})
            values = {"latency_s": latency_s, "decided_at": decided_at, "unevenness": unevenness, **judged}
            values["optics"] = None if optics is None else list(optics)
            return write_verdict(connection, result, values, event)

    def close_open(self, run: str, cause: Cause) -> tuple[int, ...]:
        """Give the run's plates without a verdict INCONCLUSIVE for this cause; their numbers."""
        with self.transaction() as connection:
            return close(connection, plates.c.run == run, cause)

    def set_pictures(self, plate: int, directory: Path) -> None:
        """Note where a plate's pictures are; a directory below that of the store is noted relative to it."""
        base = self.path.parent
        noted = directory.relative_to(base) if directory.is_relative_to(base) else directory.absolute()
        with self.transaction() as connection:
            # What somebody changed in the row stays told: only what was as written gets a new checksum.
            there = connection.scalar(sa.select(plates.c.plate).where(plates.c.plate == plate)) is not None
            sealed = there and is_sealed(connection, plate)
            connection.execute(sa.update(plates).where(plates.c.plate == plate).values(pictures=str(noted)))
            if sealed:
                seal(connection, [plate])

    # --- questions ---

    def open_plates(self, run: str) -> tuple[int, ...]:
        """The run's plates that were seen and have no verdict, oldest first."""
        query = (
            sa.select(plates.c.plate).where(plates.c.run == run, plates.c.verdict.is_(None)).order_by(plates.c.plate)
        )
        with self.transaction(write=False) as connection:
            return tuple(connection.scalars(query))

    def has(self, run: str, plate: int) -> bool:
        """Whether the run's plate is stored, with a verdict or without."""
        query = sa.select(plates.c.plate).where(plates.c.plate == plate, plates.c.run == run)
        with self.transaction(write=False) as connection:
            return connection.scalar(query) is not None

    def ledger(self, run: str | None = None) -> Ledger:
        """The plates of a run, or of the whole store, counted."""
        query = sa.select(plates.c.verdict, sa.func.count()).group_by(plates.c.verdict)
        if run is not None:
            query = query.where(plates.c.run == run)
        with self.transaction(write=False) as connection:
            return ledger_of(connection.execute(query))

    def plates(self, limit: int | None = 20, *, run: str | None = None) -> list[PlateRow]:
        """The latest plates with their defects, latest first."""
        query = latest(sa.select(*self.told), limit, run)
        with self.transaction(write=False) as connection:
            found = connection.execute(query).mappings().all()
            return plate_rows(connection, found)

    def plate(self, number: int) -> PlateRow | None:
        """One plate, or None if there is none of that number."""
        with self.transaction(write=False) as connection:
            found = connection.execute(sa.select(*self.told).where(plates.c.plate == number)).mappings().all()
            return next(iter(plate_rows(connection, found)), None)

    # --- upkeep ---

    def knows(self, prefix: str) -> bool:
        """Whether the store has plates of a run whose id begins so."""
        query = sa.select(plates.c.run).where(plates.c.run >= prefix, plates.c.run < f"{prefix}g").limit(1)
        with self.transaction(write=False) as connection:
            return connection.scalar(query) is not None

    def uptime_s(self) -> float:
        """How long services have worked on this store up to now, s; 0 before a run has begun."""
        if self._uptime is None:
            return 0.0
        stored, at = self._uptime
        return stored + self._clock() - at

    def prune(self, days: float, most: int = 100) -> list[tuple[str, int]]:
        """Delete plates since which services have worked more than so many days; run and number of each.

        No wall clock has a say in it. Open plates stay, and so does the one of the highest number: numbers never
        repeat. At most so many go in the one transaction, so that a verdict never waits long for the lock; ask again
        until there are none.
        """
        limit = self.uptime_s() - days * 86_400
        last = sa.select(sa.func.max(plates.c.plate)).scalar_subquery()
        old = (
            sa.select(plates.c.plate)
            .where(plates.c.uptime_s < limit, plates.c.verdict.is_not(None), plates.c.plate != last)
            .limit(most)
        )
        with self.transaction() as connection:
            rows = connection.execute(
                sa.delete(plates).where(plates.c.plate.in_(old)).returning(plates.c.run, plates.c.plate)
            ).all()
            gone = sorted(((run, plate) for run, plate in rows), key=lambda one: one[1])
            connection.execute(sa.delete(events).where(events.c.plate.in_([plate for _, plate in gone])))
            if gone:
                last_gone = gone[-1][1]
                highest = sa.case((upkeep.c.highest_pruned < last_gone, last_gone), else_=upkeep.c.highest_pruned)
                connection.execute(sa.update(upkeep).values(pruned=upkeep.c.pruned + len(gone), highest_pruned=highest))
        return gone

    def check(self) -> None:
        """The database's own quick check of itself. Raises StoreDamagedError where it finds something."""
        with self.transaction(write=False) as connection:
            self._database.check(connection)

    def check_rows(self) -> Rows:
        """Whether each plate with a verdict is as it was written, and none is gone that was not deleted for its age."""
        with self.transaction(write=False) as connection:
            return looked_at(connection)

    def last_plate(self) -> int:
        """Highest number that is stored; 0 where none is."""
        with self.transaction(write=False) as connection:
            return connection.scalar(sa.select(sa.func.max(plates.c.plate))) or 0

    def missing(self, kept: Kept) -> Missing:
        """What the store lacks of what the journal knows."""
        with self.transaction(write=False) as connection:
            return missing(connection, kept)

    def in_use(self) -> bool:
        """Whether a service was at work when the file was last written: the latest plates may be in its log alone."""
        with self.transaction(write=False) as connection:
            there = sa.inspect(connection).has_table(upkeep.name)
            return bool(there and connection.scalar(sa.select(upkeep.c.in_use)))

    @contextmanager
    def transaction(self, *, write: bool = True) -> Iterator[sa.Connection]:
        """One transaction, for this folder's own; what fails comes out as StoreError and leaves no trace."""
        with self._lock:
            self._database.ready()
            try:
                with (self._engine if write else self._reader).connect() as connection:
                    yield connection
                    connection.commit()
                if write:
                    self._database.wrote()
            except (sa.exc.DBAPIError, sqlite3.Error) as error:
                failure = self._database.explained(error)
                if failure.kind == "broken":
                    self._database.afresh()
                raise failure from error
            except (sa.exc.StatementError, OverflowError, ValueError) as error:  # a value that cannot be stored
                raise StoreError("refused", f"{self.path}: {error}") from error

    # --- inside ---

    def _seen(
        self,
        connection: sa.Connection,
        run: str,
        plate: int,
        at: datetime,
        own: RunFacts | None,
        source: dict[str, str | None],
    ) -> None:
        facts = self._facts
        if facts is None or facts.run != run or (own is not None and own.run != run):
            begun = "none" if facts is None else facts.run
            raise StoreError("refused", f"plate {plate} is of run {run}, but the run begun here is {begun}")
        told = asdict(facts if own is None else own) | source
        add(connection, {"plate": plate, "seen_at": at, "uptime_s": self.uptime_s(), **told})
        owner = connection.scalar(sa.select(plates.c.run).where(plates.c.plate == plate))
        if owner != run:
            raise StoreError("refused", f"plate {plate} belongs to run {owner} already; run {run} cannot have it too")


def _opened(path: Path, *, read_only: bool, former: bool) -> Opened:
    """The file, or the server that the note beside it names. Raises StoreError."""
    try:
        url = noted_url(path)
    except OSError as error:
        raise StoreError("broken", f"{note_path(path)}: {error.strerror}: check its owner and permissions") from error
    if url is not None:
        from daemon.store.postgres import open_server  # noqa: PLC0415 - most stores are files

        return open_server(url, read_only=read_only, former=former)
    return opening.open_to_read(path) if read_only else opening.open_to_write(path, former=former)
