"""The plates of a run as the supervisor counts them."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog

from config.schema import Pitch
from daemon.service.ledger import RunLedger
from daemon.store.journal import journal_path, read_journal
from daemon.store.opening import set_aside_before
from daemon.store.results import Store, store_path
from daemon.store.rows import RunFacts
from daemon.store.state import RunEnd
from daemon.telemetry.metrics import Metrics
from stages.events import VerdictCommitted
from stages.plate import Cause, Defect, PlateResult, Verdict
from stages.plc import Part

CRACK = Defect(100, 200, 12, 80, 500, 0.8, 105, 240, edge=False)
RESULT = PlateResult(
    run="a" * 32,
    plate=7,
    verdict=Verdict.NG,
    causes=(Cause.DEFECT,),
    reason="",
    complete=True,
    rows=1000,
    columns=500,
    windows=4,
    windows_scored=3,
    coverage=1.0,
    defects=(CRACK, replace(CRACK, vetoed=True)),
)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics("1", "small")


FACTS = RunFacts(run="a" * 32, recipe="small", simulated=True)


@pytest.fixture
def ledger(metrics: Metrics, tmp_path: Path) -> RunLedger:
    begun = RunLedger(metrics, lambda _: Pitch(row_mm=0.05, column_mm=0.04), structlog.get_logger())
    assert begun.begin_in_store(tmp_path, FACTS, RunEnd.UNKNOWN) == 1
    return begun


def test_part_ids_of_earlier_runs_are_known_at_the_start(ledger: RunLedger, tmp_path: Path) -> None:
    assert ledger.part_ids == {}
    with Store.open(store_path(tmp_path)) as store:
        store.begin_run(FACTS)
        old, late = Part("A0"), Part(unknown="too late")
        for plate, part in ((5003, Part("A3")), (1, old), (5001, Part("A1")), (5002, late)):
            store.seen(FACTS.run, plate, datetime.now(UTC), part=part)
    following = RunLedger(Metrics("1", "small"), lambda _: None, structlog.get_logger())
    following.begin_in_store(tmp_path, replace(FACTS, run="b" * 32), RunEnd.STOPPED)
    assert list(following.part_ids.items()) == [("A1", 5001), ("A3", 5003)]


def test_seen_is_verdicts_and_open_and_the_metrics_say_the_same(ledger: RunLedger, metrics: Metrics) -> None:
    for plate in (7, 8):
        ledger.saw(plate)
    assert ledger.committed(VerdictCommitted(RESULT, None))
    assert str(ledger) == "2 plates seen: 0 OK, 1 NG, 0 INCONCLUSIVE, 1 open"
    assert ledger.last == 8
    assert metrics.total("plates_seen_total") == 2
    assert metrics.registry.get_sample_value("linesentry_open_plates") == 1
    assert metrics.total("plates_total", "NG") == metrics.total("plate_causes_total", Cause.DEFECT) == 1


def test_pixels_and_area_count_what_was_scored_and_a_vetoed_defect_is_none(ledger: RunLedger, metrics: Metrics) -> None:
    ledger.saw(7)
    ledger.committed(VerdictCommitted(RESULT, None))
    assert metrics.total("pixels_total") == 375_000
    assert metrics.total("inspected_area_mm2_total") == pytest.approx(750.0)
    assert (metrics.total("defects_total"), metrics.total("defects_vetoed_total")) == (1, 1)


def test_a_verdict_on_a_plate_that_is_not_open_counts_nothing(ledger: RunLedger, metrics: Metrics) -> None:
    ledger.saw(7)
    assert ledger.committed(VerdictCommitted(RESULT, None))
    assert not ledger.committed(VerdictCommitted(RESULT, None))
    assert metrics.total("plates_total", "NG") == 1


def test_open_plates_that_no_process_is_left_to_end_get_their_verdict_in_the_store(
    ledger: RunLedger, tmp_path: Path
) -> None:
    for plate in (7, 8):
        ledger.saw(plate)
    ledger.end_in_store(tmp_path, FACTS, Cause.SHUTDOWN)
    with Store.open(store_path(tmp_path)) as store:
        rows = store.plates(limit=None)
    assert [(row.plate, row.verdict, row.causes) for row in rows] == [
        (plate, Verdict.INCONCLUSIVE, (Cause.SHUTDOWN,)) for plate in (8, 7)
    ]
    assert not ledger.open


def test_at_the_end_the_counts_are_those_of_the_store(ledger: RunLedger, tmp_path: Path) -> None:
    for plate in (7, 8):
        ledger.saw(plate)
    with Store.open(store_path(tmp_path)) as store:  # a record process that was not heard any more
        store.begin_run(FACTS)
        store.commit_verdict(RESULT, decided_at=datetime.now(UTC))
    ledger.end_in_store(tmp_path, FACTS, Cause.SHUTDOWN)
    assert str(ledger) == "2 plates seen: 0 OK, 1 NG, 1 INCONCLUSIVE, 0 open"
    assert ledger.cut_short == (8,)


def test_a_store_that_cannot_be_used_leaves_its_plates_to_the_next_start_and_no_number_is_given_twice(
    metrics: Metrics, ledger: RunLedger, tmp_path: Path
) -> None:
    for plate in (1, 2, 3):
        ledger.saw(plate)
    ledger.committed(VerdictCommitted(replace(RESULT, plate=2), None))
    with closing(sqlite3.connect(store_path(tmp_path), isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        ledger.end_in_store(tmp_path, FACTS, Cause.SHUTDOWN)
    assert ledger.open == {1, 3}
    following = RunLedger(metrics, lambda _: None, structlog.get_logger())
    assert following.begin_in_store(tmp_path, replace(FACTS, run="b" * 32), RunEnd.STOPPED) == 4
    with Store.open(store_path(tmp_path), read_only=True) as store:
        rows = {row.plate: (row.run, row.verdict, row.causes) for row in store.plates()}
    died = ("a" * 32, Verdict.INCONCLUSIVE, (Cause.SERVICE_DIED,))
    assert rows == {1: died, 2: ("a" * 32, Verdict.NG, ()), 3: died}


def test_a_damaged_store_is_set_aside_and_the_journal_gives_back_what_it_knows(
    ledger: RunLedger, tmp_path: Path
) -> None:
    ledger.saw(1)
    ledger.committed(VerdictCommitted(replace(RESULT, plate=1), None))
    ledger.end_in_store(tmp_path, FACTS, Cause.SHUTDOWN)
    damaged = b"this is no database" * 100
    store_path(tmp_path).write_bytes(damaged)
    metrics = Metrics("1", "small")
    following = RunLedger(metrics, lambda _: None, structlog.get_logger())
    assert following.begin_in_store(tmp_path, replace(FACTS, run="b" * 32), RunEnd.STOPPED) == 2
    assert [aside.read_bytes() for aside in set_aside_before(store_path(tmp_path))] == [damaged]
    with Store.open(store_path(tmp_path), read_only=True) as store:
        (row,) = store.plates()
    assert (row.plate, row.verdict) == (1, Verdict.NG)
    assert row.reason is not None
    assert row.reason.startswith("told as NG")
    assert metrics.total("store_failures_total", "lost") == 1


def test_a_journal_that_cannot_be_written_is_told_once_and_so_is_that_it_can_again(
    ledger: RunLedger, metrics: Metrics, tmp_path: Path
) -> None:
    (tmp_path / "plates.journal").unlink()
    (tmp_path / "plates.journal.new").mkdir()  # in the way of a new one
    ledger.saw(1)
    for _ in range(3):
        time.sleep(0.6)
        ledger.tick()
    assert ledger.journal_failure is not None
    assert "Is a directory" in ledger.journal_failure
    assert metrics.total("store_failures_total", "journal") == 1
    (tmp_path / "plates.journal.new").rmdir()
    time.sleep(1.1)
    ledger.tick()
    assert ledger.journal_failure is None
    assert [one.plate for one in read_journal(journal_path(tmp_path)).plates] == [1]


def test_a_store_that_is_damaged_at_the_end_is_told_and_the_next_start_has_its_plates(
    ledger: RunLedger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger.saw(1)
    ledger.committed(VerdictCommitted(replace(RESULT, plate=1), None))
    data = store_path(tmp_path).read_bytes()
    store_path(tmp_path).write_bytes(data[: len(data) // 2])
    ledger.end_in_store(tmp_path, FACTS, Cause.SHUTDOWN)
    assert str(ledger) == "1 plates seen: 0 OK, 1 NG, 0 INCONCLUSIVE, 0 open"
    assert "the next start sees to it" in capsys.readouterr().out
    following = RunLedger(Metrics("1", "small"), lambda _: None, structlog.get_logger())
    assert following.begin_in_store(tmp_path, replace(FACTS, run="b" * 32), RunEnd.STOPPED) == 2
    with Store.open(store_path(tmp_path), read_only=True) as store:
        assert [(row.plate, row.verdict) for row in store.plates()] == [(1, Verdict.NG)]
