"""The recorder on a real store that is locked or full for real: an alarm, and never a lost or invented verdict."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from daemon.store.results import RunFacts, Store, StoreError, store_path
from stages.events import PlateDecided, PlateSeen, StoreFailing, StoreWorks
from stages.plate import Cause, Defect, PlateResult, Verdict
from stages.record import (
    CommitSeen,
    CommitVerdict,
    Event,
    Instruction,
    Recorder,
    StoreFailed,
    StoreSucceeded,
    Tick,
)

RUN = "a" * 32
NOW = datetime(2026, 5, 4, tzinfo=UTC)
HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""


class Record:
    """What the record process does with the recorder's writes, on a clock of its own."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.recorder = Recorder(limit_s=10.0)
        self.now = 0.0
        self.told: list[Instruction] = []

    def send(self, event: Event) -> None:
        todo = self.recorder.handle(event, self.now)
        while todo:
            instruction = todo.pop(0)
            self.told.append(instruction)
            if isinstance(instruction, CommitSeen | CommitVerdict):
                todo += self.recorder.handle(self._write(instruction), self.now)

    def _write(self, write: CommitSeen | CommitVerdict) -> StoreSucceeded | StoreFailed:
        try:
            if isinstance(write, CommitSeen):
                self.store.seen(RUN, write.plate, NOW)
            else:
                self.store.commit_verdict(write.decided.result, decided_at=NOW, event=write.event)
        except StoreError as error:
            return StoreFailed(write.write, error.kind, str(error))
        return StoreSucceeded(write.write)

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.send(Tick())


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Record]:
    with Store.open(store_path(tmp_path)) as store:
        store.begin_run(RunFacts(RUN, "P10B", simulated=True))
        yield Record(store)


@contextmanager
def locked(store: Store) -> Iterator[None]:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(store.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        try:
            yield
        finally:
            holder.communicate()


@contextmanager
def full(store: Store) -> Iterator[None]:
    with store._engine.connect() as connection:  # SQLite's own limit gives the same SQLITE_FULL as a full disk
        pages: int = connection.exec_driver_sql("PRAGMA max_page_count").scalar_one()
        connection.exec_driver_sql("PRAGMA max_page_count = 1")
    yield
    with store._engine.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")


def result(plate: int, verdict: Verdict) -> PlateResult:
    # Enough defects that no free page of the store holds them.
    defects = tuple(Defect(i, 2, 9, 9, 40, 0.9, i + 4, 6, edge=False) for i in range(500))
    return PlateResult(
        RUN,
        plate,
        verdict,
        (),
        "",
        complete=True,
        rows=9,
        columns=9,
        windows=1,
        windows_scored=1,
        coverage=1.0,
        defects=defects,
    )


@pytest.mark.parametrize(("trouble", "kind"), [(locked, "locked"), (full, "full")])
@pytest.mark.parametrize(("seconds", "expected"), [(1.0, Verdict.OK), (11.0, Verdict.INCONCLUSIVE)])
def test_a_store_in_trouble_delays_a_verdict_and_in_the_end_takes_the_ok_away(
    record: Record, trouble: object, kind: str, seconds: float, expected: Verdict
) -> None:
    assert callable(trouble)
    record.send(PlateSeen(1))
    record.send(PlateSeen(2))
    with trouble(record.store):
        record.send(PlateDecided(result(1, Verdict.OK)))
        record.send(PlateDecided(result(2, Verdict.NG)))
        record.wait(seconds)
        assert record.store.open_plates(RUN) == (1, 2)
    record.wait(1.5)
    assert [told.kind for told in record.told if isinstance(told, StoreFailing)] == [kind]
    assert sum(isinstance(told, StoreWorks) for told in record.told) == 1
    first, second = record.store.plate(1), record.store.plate(2)
    assert first is not None
    assert second is not None
    assert (first.verdict, second.verdict) == (expected, Verdict.NG)
    assert (Cause.STORE_FAILED in first.causes) is (expected is Verdict.INCONCLUSIVE)
    assert len(first.defects) == len(second.defects) == 500
    with closing(sqlite3.connect(record.store.path)) as connection:
        (events,) = connection.execute("SELECT count(*) FROM events").fetchone()
    assert events == (2 if expected is Verdict.INCONCLUSIVE else 0)
