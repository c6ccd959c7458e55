"""What the outputs said of the plates is in the store with them, and what they have yet to say is found there."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from daemon.store.results import RunFacts, Store, store_path
from daemon.store.rows import Telling
from daemon.store.tellings import Tellings
from daemon.store.view import results_json, results_table
from stages.events import VerdictDue
from stages.plate import Cause, Defect, Verdict, without_windows
from stages.plc import Part

RUN = "a" * 32
NOW = datetime(2026, 11, 30, 8, 0, tzinfo=UTC)
DEFECT = Defect(x=1, y=2, width=3, height=4, area=9, score=0.75, peak_x=2, peak_y=3, edge=False)
SAID = Telling(
    "gate", "acknowledged", divert=True, times=2, said_at=NOW, answered_at=NOW + timedelta(seconds=1), answer="echo 1"
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(store_path(tmp_path)) as made:
        made.begin_run(RunFacts(run=RUN, recipe="P10B", simulated=True))
        yield made


def commit(store: Store, plate: int, verdict: Verdict = Verdict.NG) -> None:
    result = without_windows(RUN, plate, verdict, () if verdict is Verdict.OK else (Cause.DEFECT,), "because")
    vetoed = replace(DEFECT, vetoed=True)
    store.commit_verdict(replace(result, defects=(DEFECT, vetoed)), decided_at=NOW, latency_s=0.25)


def owed(tellings: Tellings, name: str = "gate", most: int = 99) -> list[int]:
    return [due.plate for due in tellings.owed(name, most, ())]


def test_an_output_is_owed_the_plates_that_come_after_it_was_configured(store: Store) -> None:
    commit(store, 1)
    tellings = Tellings(store)
    tellings.begin(["gate"])
    assert owed(tellings) == []
    store.seen(RUN, 2, NOW, part=Part("A2", "B2"))
    commit(store, 2)
    store.seen(RUN, 3, NOW)
    (due,) = tellings.owed("gate", 99, ())
    assert due == VerdictDue(2, Verdict.NG, (Cause.DEFECT,), "because", 1, "A2", "B2", 0.25, None, True, "P10B")


def test_what_is_told_is_owed_no_more_and_to_each_output_by_itself(store: Store) -> None:
    tellings = Tellings(store)
    tellings.begin(["gate", "mes"])
    for plate in (1, 2, 3):
        commit(store, plate)
    assert [due.plate for due in tellings.owed("gate", 99, [2])] == [1, 3]
    assert owed(tellings, most=2) == [1, 2]
    assert tellings.store([(1, SAID)]) == [(1, SAID)]
    assert (owed(tellings), owed(tellings, "mes")) == ([2, 3], [1, 2, 3])


def test_what_was_stored_first_stays_and_what_is_not_there_is_passed_over(store: Store) -> None:
    tellings = Tellings(store)
    tellings.begin(["gate"])
    commit(store, 1)
    assert tellings.store([(1, SAID), (1, replace(SAID, outcome="late")), (9, SAID)]) == [(1, SAID)]
    row = store.plate(1)
    assert row is not None
    assert row.told == (SAID,)


def test_after_a_restart_what_is_owed_is_found_and_an_output_that_was_away_is_new(store: Store) -> None:
    tellings = Tellings(store)
    tellings.begin(["gate"])
    commit(store, 1)
    commit(store, 2)
    tellings.store([(1, SAID)])
    tellings.begin(["gate", "mes"])
    assert (owed(tellings), owed(tellings, "mes")) == ([2], [])
    tellings.begin(["mes"])
    tellings.begin(["gate", "mes"])
    assert owed(tellings) == []


def test_a_plate_that_is_deleted_takes_its_tellings_along(store: Store, tmp_path: Path) -> None:
    tellings = Tellings(store)
    tellings.begin(["gate"])
    commit(store, 1)
    commit(store, 2)
    tellings.store([(1, SAID), (2, SAID)])
    with store.transaction() as connection:
        connection.exec_driver_sql("UPDATE plates SET uptime_s = -90000")
    assert store.prune(1.0) == [(RUN, 1)]
    with closing(sqlite3.connect(store_path(tmp_path))) as other:
        assert other.execute("SELECT plate FROM tellings").fetchall() == [(2,)]


def test_people_read_what_was_told(store: Store) -> None:
    tellings = Tellings(store)
    tellings.begin(["gate"])
    commit(store, 1)
    tellings.store([(1, SAID)])
    row = store.plate(1)
    assert row is not None
    (told,) = results_json(row)["told"]
    assert told["answered_at"] == "2026-11-30T08:00:01+00:00"
    console = Console(width=200)
    with console.capture() as said:
        console.print(results_table([row]))
    assert "gate acknowledged" in said.get()
