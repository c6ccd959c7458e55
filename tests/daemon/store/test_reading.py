"""What a reader is told of the results, and of what is missing or wrong with them."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import pytest

from daemon.store.history import Selection
from daemon.store.journal import Journal, journal_path
from daemon.store.reading import numbers, read_results
from daemon.store.results import RunFacts, Store, store_path
from daemon.store.rows import Ledger
from stages.plate import Cause, PlateResult, Verdict

RUN = "a" * 32
FACTS = RunFacts(RUN, "P10B", simulated=True, batch_id="7")
NOW = datetime.now(UTC)


def result(plate: int) -> PlateResult:
    return PlateResult(RUN, plate, Verdict.INCONCLUSIVE, (Cause.FOCUS,), "", True, 9, 9, 1, 1, 1.0)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Plates 1 to 3 are stored, 3 without a verdict; the journal knows of 4 and 5 too, which are not stored yet."""
    with (
        Store.open(store_path(tmp_path)) as store,
        closing(Journal(journal_path(tmp_path), FACTS, 0, time.monotonic)) as j,
    ):
        store.begin_run(FACTS)
        for plate in range(1, 6):
            j.seen(plate, NOW)
        for plate in (1, 2):
            store.commit_verdict(result(plate), decided_at=NOW)
            j.final(plate, Verdict.INCONCLUSIVE)
        store.seen(RUN, 3, NOW)
    return tmp_path


def change(state: Path, statement: str) -> None:
    with closing(sqlite3.connect(store_path(state))) as connection:
        connection.execute(statement)
        connection.commit()


def test_plates_that_only_the_journal_knows_are_open(state: Path) -> None:
    found = read_results(state)
    assert [row.plate for row in found.plates] == [5, 4, 3, 2, 1]
    assert found.ledger == Ledger(5, 0, 0, 2, 3)
    assert found.notes == []
    first = found.plates[0]
    assert (first.run, first.recipe, first.batch_id, first.verdict, first.defects) == (RUN, "P10B", "7", None, ())
    assert [row.plate for row in read_results(state, 2).plates] == [5, 4]
    assert [row.plate for row in read_results(state, selection=Selection(verdict=Verdict.INCONCLUSIVE)).plates] == [
        2,
        1,
    ]


def test_what_is_a_list_of_a_stored_plate_is_one_of_a_plate_that_only_the_journal_knows(state: Path) -> None:
    in_journal, _, in_store, *_ = (asdict(row) for row in read_results(state).plates)
    lists = {name for name, value in in_store.items() if isinstance(value, tuple)}
    assert "optics" in lists
    assert {name for name, value in in_journal.items() if isinstance(value, tuple)} == lists


def test_a_verdict_that_the_store_has_lost_or_has_otherwise_is_told(state: Path) -> None:
    change(state, "UPDATE plates SET verdict = 'OK' WHERE plate = 2")
    change(state, "DELETE FROM plates WHERE plate = 1")
    lost, other = read_results(state).notes
    assert "has lost the verdicts of plate 1:" in lost
    assert other == "the store has other verdicts than were told: 2 was told as INCONCLUSIVE"


@pytest.mark.parametrize(
    "harm", ["causes = 'no json'", "causes = '[\"no cause\"]'", "seen_at = 'never'", "reason = CAST(x'ff41' AS TEXT)"]
)
def test_a_row_that_nobody_can_read_hides_no_other(state: Path, harm: str) -> None:
    change(state, f"UPDATE plates SET {harm} WHERE plate = 2")
    found = read_results(state)
    assert [row.plate for row in found.plates] == [5, 4, 3, 1]
    assert found.notes == ["the store has rows that somebody changed and nobody can read: plate 2"]


def test_a_damaged_journal_hides_no_result(state: Path) -> None:
    journal_path(state).write_bytes(b"rubbish\n" * 3)
    found = read_results(state)
    assert [row.plate for row in found.plates] == [3, 2, 1]
    (note,) = found.notes
    assert "3 lines of the journal of plates cannot be read" in note
    journal_path(state).unlink()
    journal_path(state).mkdir()
    (note,) = read_results(state).notes
    assert "cannot read the journal" in note


def test_an_older_copy_of_the_store_is_told(state: Path) -> None:
    Journal(journal_path(state), FACTS, 90, time.monotonic).close()
    (note,) = read_results(state).notes
    assert "the store ends at plate 3, but numbers up to 90 were given" in note


def test_many_plates_are_named_shortly() -> None:
    assert numbers([7]) == "plate 7"
    assert numbers(range(1, 31)).endswith("11, 12 and 18 more")
