"""The result store: plates, their defects and events in one SQLite file, and the ledger computed from it."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from daemon.store.rows import Begun, Ledger, PlateRow, RunFacts, defects_of, means, plate_row, stored
from daemon.store.schema import StoreError, defects, events, explained, open_engine, plates, prepare
from stages.plate import Cause, PlateResult, Verdict, worst_first

__all__ = ["Begun", "Ledger", "PlateRow", "RunFacts", "Store", "StoreError", "store_path"]


def store_path(state_directory: Path) -> Path:
    """Where the result store of a state directory lies."""
    return state_directory / "results.sqlite"


class Store:
    """The result store. Every method that touches the file raises StoreError when it cannot; nothing is then written.

    Methods may be called from several threads; each is one transaction.
    """

    def __init__(self, path: Path, engine: sa.Engine, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self._engine = engine
        self._reader = engine.execution_options(reads=True)
        self._told = _told(engine)
        self._lock = threading.Lock()
        self._facts: RunFacts | None = None
        self._clock = clock
        self._uptime: tuple[float, float] | None = None
        """Uptime as stored when the run began, and the clock then, s."""
        status = path.stat()
        self._file = (status.st_dev, status.st_ino)

    @classmethod
    def open(cls, path: Path, *, read_only: bool = False, clock: Callable[[], float] = time.monotonic) -> Self:
        """Open the store, creating the file where it may; raises StoreError for a file that is not one of ours.

        `clock` counts seconds that a service works; nobody may be able to set it.
        """
        engine = open_engine(path, read_only=read_only)
        try:
            prepare(engine, path, read_only=read_only)
            return cls(path, engine, clock)
        except (sa.exc.DBAPIError, sqlite3.Error) as error:
            engine.dispose()
            raise explained(error, path) from error
        except BaseException:
            engine.dispose()
            raise

    def close(self) -> None:
        """Close the file."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    # --- a run ---

    def begin_run(self, facts: RunFacts) -> Begun:
        """Make the facts those of the plates to come; give the number of the run's next plate.

        Plates of other runs that have no verdict become INCONCLUSIVE (service died). May be called again for the same
        run, by a process that was restarted: it closes none of its own.
        """
        with self._transaction() as connection:
            closed = _close(connection, plates.c.run != facts.run, Cause.SERVICE_DIED)
            last: int | None = connection.scalar(sa.select(sa.func.max(plates.c.plate)))
            uptime: float | None = connection.scalar(sa.select(sa.func.max(plates.c.uptime_s)))
        self._facts = facts
        self._uptime = (uptime or 0.0, self._clock())
        return Begun(1 if last is None else last + 1, closed)

    def seen(self, run: str, plate: int, at: datetime, image: str | None = None) -> None:
        """Commit that the switch saw a plate, and the image file that a replay showed; again is no harm."""
        with self._transaction() as connection:
            self._seen(connection, run, plate, at, image)

    def commit_verdict(
        self,
        result: PlateResult,
        *,
        decided_at: datetime,
        latency_s: float | None = None,
        part_id: str | None = None,
        event: str | None = None,
    ) -> bool:
        """Commit a plate's verdict and defects in one transaction; False if it has a verdict, which then stays.

        A plate not yet seen is written as seen. `event` is the text of an event to be stored with the verdict.
        """
        with self._transaction() as connection:
            self._seen(connection, result.run, result.plate, decided_at, result.image)
            written = connection.execute(
                sa.update(plates)
                .where(plates.c.plate == result.plate, plates.c.verdict.is_(None))
                .values(
                    verdict=result.verdict.value,
                    causes=[cause.value for cause in result.causes],
                    reason=result.reason,
                    complete=result.complete,
                    rows=result.rows,
                    columns=result.columns,
                    windows=result.windows,
                    windows_scored=result.windows_scored,
                    coverage=result.coverage,
                    warnings=list(result.warnings),
                    classifier=result.classifier,
                    latency_s=latency_s,
                    part_id=part_id,
                    decided_at=decided_at,
                    **means(result.quality),
                )
            ).rowcount
            if written and result.defects:
                connection.execute(
                    sa.insert(defects),
                    [
                        {"plate": result.plate, "number": number, **stored(defect)}
                        for number, defect in enumerate(worst_first(result.defects), start=1)
                    ],
                )
            if written and event is not None:
                _event(connection, decided_at, result.run, kind="store", text=event, plate=result.plate)
        return bool(written)

    def close_open(self, run: str, cause: Cause) -> tuple[int, ...]:
        """Give the run's plates without a verdict INCONCLUSIVE for this cause; their numbers."""
        with self._transaction() as connection:
            return _close(connection, plates.c.run == run, cause)

    def set_pictures(self, plate: int, directory: Path) -> None:
        """Note where a plate's pictures are; a directory below that of the store is noted relative to it."""
        base = self.path.parent
        noted = directory.relative_to(base) if directory.is_relative_to(base) else directory.absolute()
        with self._transaction() as connection:
            connection.execute(sa.update(plates).where(plates.c.plate == plate).values(pictures=str(noted)))

    # --- questions ---

    def open_plates(self, run: str) -> tuple[int, ...]:
        """The run's plates that were seen and have no verdict, oldest first."""
        query = (
            sa.select(plates.c.plate).where(plates.c.run == run, plates.c.verdict.is_(None)).order_by(plates.c.plate)
        )
        with self._transaction(write=False) as connection:
            return tuple(connection.scalars(query))

    def ledger(self, run: str | None = None) -> Ledger:
        """The plates of a run, or of the whole store, counted."""
        query = sa.select(plates.c.verdict, sa.func.count()).group_by(plates.c.verdict)
        if run is not None:
            query = query.where(plates.c.run == run)
        with self._transaction(write=False) as connection:
            counts: dict[str | None, int] = {row[0]: row[1] for row in connection.execute(query)}
        ok, ng, unsure = (counts.get(verdict.value, 0) for verdict in (Verdict.OK, Verdict.NG, Verdict.INCONCLUSIVE))
        return Ledger(sum(counts.values()), ok, ng, unsure, counts.get(None, 0))

    def plates(
        self, limit: int | None = 20, *, verdict: Verdict | None = None, run: str | None = None
    ) -> list[PlateRow]:
        """The latest plates with their defects, latest first."""
        query = sa.select(*self._told).order_by(plates.c.plate.desc()).limit(limit)
        if verdict is not None:
            query = query.where(plates.c.verdict == verdict.value)
        if run is not None:
            query = query.where(plates.c.run == run)
        with self._transaction(write=False) as connection:
            found = connection.execute(query).mappings().all()
            return [plate_row(dict(row), defects_of(connection, row["plate"])) for row in found]

    def plate(self, number: int) -> PlateRow | None:
        """One plate, or None if there is none of that number."""
        with self._transaction(write=False) as connection:
            row = connection.execute(sa.select(*self._told).where(plates.c.plate == number)).mappings().one_or_none()
            return None if row is None else plate_row(dict(row), defects_of(connection, number))

    # --- upkeep ---

    def knows(self, prefix: str) -> bool:
        """Whether the store has plates of a run whose id begins so."""
        query = sa.select(plates.c.run).where(plates.c.run >= prefix, plates.c.run < f"{prefix}g").limit(1)
        with self._transaction(write=False) as connection:
            return connection.scalar(query) is not None

    def prune(self, days: float, most: int = 100) -> list[tuple[str, int]]:
        """Delete plates since which services have worked more than so many days; run and number of each.

        No wall clock has a say in it. Open plates stay, and so does the one of the highest number: numbers never
        repeat. At most so many go in the one transaction, so that a verdict never waits long for the lock; ask again
        until there are none.
        """
        limit = self._uptime_s() - days * 86_400
        highest = sa.select(sa.func.max(plates.c.plate)).scalar_subquery()
        old = (
            sa.select(plates.c.plate)
            .where(plates.c.uptime_s < limit, plates.c.verdict.is_not(None), plates.c.plate != highest)
            .limit(most)
        )
        with self._transaction() as connection:
            rows = connection.execute(
                sa.delete(plates).where(plates.c.plate.in_(old)).returning(plates.c.run, plates.c.plate)
            ).all()
            gone = sorted(((run, plate) for run, plate in rows), key=lambda one: one[1])
            connection.execute(sa.delete(events).where(events.c.plate.in_([plate for _, plate in gone])))
        return gone

    def check(self) -> list[str]:
        """SQLite's own quick check, and a write that is rolled back; what is wrong, empty when nothing is."""
        with self._transaction() as connection:
            found: Sequence[str] = connection.exec_driver_sql("PRAGMA quick_check").scalars().all()
            _event(connection, datetime.now(UTC), None, kind="check", text="written and rolled back", plate=None)
            connection.rollback()
        return [line for line in found if line != "ok"]

    # --- inside ---

    @contextmanager
    def _transaction(self, *, write: bool = True) -> Iterator[sa.Connection]:
        """One transaction on the file that was opened; what fails comes out as StoreError and leaves no trace."""
        with self._lock:
            self._same_file()
            try:
                with (self._engine if write else self._reader).connect() as connection:
                    yield connection
                    connection.commit()
            except (sa.exc.DBAPIError, sqlite3.Error) as error:
                failure = explained(error, self.path)
                if failure.kind == "broken":
                    self._engine.dispose()  # whatever state the connection is in, the next try begins afresh
                raise failure from error
            except (sa.exc.StatementError, OverflowError, ValueError) as error:  # a value that cannot be stored
                raise StoreError("refused", f"{self.path}: {error}") from error

    def _uptime_s(self) -> float:
        """How long services have worked on this store up to now, s; 0 before a run has begun."""
        if self._uptime is None:
            return 0.0
        stored, at = self._uptime
        return stored + self._clock() - at

    def _same_file(self) -> None:
        """SQLite goes on writing to a file that was deleted; what it writes then would be lost."""
        try:
            status = self.path.stat()
        except OSError as error:
            raise StoreError("broken", f"{self.path} is gone ({error.strerror}): put it back, or restart") from error
        if (status.st_dev, status.st_ino) != self._file:
            raise StoreError("broken", f"{self.path} was replaced by another file: put it back, or restart")

    def _seen(self, connection: sa.Connection, run: str, plate: int, at: datetime, image: str | None) -> None:
        facts = self._facts
        if facts is None or facts.run != run:
            begun = "none" if facts is None else facts.run
            raise StoreError("refused", f"plate {plate} is of run {run}, but the run begun here is {begun}")
        connection.execute(
            insert(plates)
            .values(plate=plate, seen_at=at, uptime_s=self._uptime_s(), image=image, **asdict(facts))
            .on_conflict_do_nothing(["plate"])
        )
        owner, noted = connection.execute(sa.select(plates.c.run, plates.c.image).where(plates.c.plate == plate)).one()
        if owner == run and noted is None and image is not None:
            connection.execute(sa.update(plates).where(plates.c.plate == plate).values(image=image))
        if owner != run:
            raise StoreError("refused", f"plate {plate} belongs to run {owner} already; run {run} cannot have it too")


def _told(engine: sa.Engine) -> list[sa.ColumnElement[Any]]:
    """What is told of a plate; what an older store lacks, which is read as it is, is None."""
    with engine.execution_options(reads=True).connect() as connection:
        there = {column["name"] for column in sa.inspect(connection).get_columns("plates")}
    told = [column for column in plates.c if column is not plates.c.uptime_s]
    return [column if column.name in there else sa.null().label(column.name) for column in told]


def _event(
    connection: sa.Connection, at: datetime, run: str | None, *, kind: str, text: str, plate: int | None
) -> None:
    connection.execute(sa.insert(events).values(at=at, run=run, kind=kind, text=text, plate=plate))


def _close(connection: sa.Connection, which: sa.ColumnElement[bool], cause: Cause) -> tuple[int, ...]:
    """INCONCLUSIVE for the open plates among these; their numbers, oldest first."""
    closed = connection.execute(
        sa.update(plates)
        .where(which, plates.c.verdict.is_(None))
        .values(
            verdict=Verdict.INCONCLUSIVE.value,
            causes=[cause.value],
            reason=f"{cause.value}: the plate was seen, but no verdict was reached",
            complete=False,
            warnings=[],
            classifier="none",
            decided_at=datetime.now(UTC),
        )
        .returning(plates.c.plate)
    ).scalars()
    return tuple(sorted(closed))
