"""The store in PostgreSQL: what a file does, a server does, and what a server alone can do to it."""

from __future__ import annotations

import threading
import time as clock
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from functools import partial
from pathlib import Path
from threading import Timer

import pytest
import sqlalchemy as sa
import structlog

from config.schema import Store as Where
from daemon.service import doctor
from daemon.service.ledger import RunLedger
from daemon.store.backup import backup
from daemon.store.golden import add_check, checks_of, set_standard
from daemon.store.history import Box, Selection, causes, page, totals
from daemon.store.marks import add_mark
from daemon.store.optics import keep_optics, kept_optics
from daemon.store.period import read_period
from daemon.store.reading import read_results, reader
from daemon.store.results import Begun, RunFacts, Store, StoreError, store_path
from daemon.store.rows import Telling
from daemon.store.schema import StoreAwayError
from daemon.store.seals import Rows
from daemon.store.shared import use_shared, when_free
from daemon.store.shifts import Shift
from daemon.store.state import RunEnd
from daemon.store.tellings import Tellings
from daemon.store.where import note_url
from daemon.telemetry.metrics import Metrics
from stages.golden import Check, Standard
from stages.mark import Mark, MarkKind
from stages.plate import Cause, Defect, PlateResult, Verdict
from stages.plc import Part
from tests.postgres_server import PostgresServer, needs_postgres, postgres_server

pytestmark = [pytest.mark.debian, needs_postgres]
RUN, OTHER = "a" * 32, "b" * 32
FACTS = RunFacts(RUN, "P10B", simulated=True, product="P10B", batch_id="7")
NOW = datetime(2026, 11, 30, 8, 0, tzinfo=UTC)
CRACK = Defect(100, 200, 12, 80, 500, 0.8, 105, 240, edge=False, x_mm=0.1)
_COLUMNS = (
    "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns "
    "WHERE table_schema = 'public' ORDER BY 1, 2"
)
_INDICES = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres_server() as running:
        yield running


@pytest.fixture
def state(server: PostgresServer, tmp_path: Path) -> Path:
    """A state directory whose store is the server's database, which is empty."""
    server.run("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    note_url(store_path(tmp_path), server.url())
    return tmp_path


@pytest.fixture
def store(state: Path) -> Iterator[Store]:
    with Store.open(store_path(state)) as opened:
        opened.begin_run(FACTS)
        yield opened


def result(plate: int, verdict: Verdict = Verdict.NG) -> PlateResult:
    why = {Verdict.OK: (), Verdict.NG: (Cause.DEFECT,), Verdict.INCONCLUSIVE: (Cause.FOCUS,)}[verdict]
    found = (CRACK, CRACK) if verdict is Verdict.NG else ()
    return PlateResult(RUN, plate, verdict, why, "why", True, 900, 800, 1, 1, 0.1 + 0.2, ("dim",), defects=found)


def test_a_plate_is_read_as_it_was_stored_and_no_file_is_made(store: Store) -> None:
    store.seen(RUN, 1, NOW, "1.png", part=Part("A1", "B'; DROP TABLE plates; --"), camera="24812")
    assert store.commit_verdict(result(1), decided_at=NOW, latency_s=0.25, event="late", optics=["dust"], named=True)
    assert not store.commit_verdict(result(1, Verdict.OK), decided_at=NOW)
    state = store.path.parent
    (row,) = read_results(state).plates
    assert (row.verdict, row.causes, row.coverage) == (Verdict.NG, (Cause.DEFECT,), 0.1 + 0.2)
    assert row.defects == (CRACK, CRACK)
    assert (row.image, row.camera, row.part_id, row.batch_id) == ("1.png", "24812", "A1", "B'; DROP TABLE plates; --")
    assert (row.seen_at, row.warnings, row.optics) == (NOW, ("dim",), ("dust",))
    assert [path.name for path in state.iterdir()] == ["store.url"]
    assert doctor.database(state).ok is True


def test_all_that_a_file_keeps_a_server_keeps(store: Store) -> None:
    for plate in (1, 2, 3):
        store.seen(RUN, plate, NOW + timedelta(minutes=plate))
    store.commit_verdict(result(1), decided_at=NOW)
    store.commit_verdict(result(2, Verdict.INCONCLUSIVE), decided_at=NOW)
    tellings = Tellings(store)
    tellings.begin(["gate"])
    assert [due.plate for due in tellings.owed("gate", 9, ())] == []
    telling = Telling("gate", "acknowledged", True, 1, NOW, NOW, "taken")
    assert tellings.store([(1, telling), (9, telling)]) == [(1, telling)]
    assert tellings.store([(1, telling)]) == []
    for kept in (b"first", b"second\x00"):
        keep_optics(store, "P10B", kept)
    assert kept_optics(store, "P10B") == b"second\x00"
    standard = Standard((), {})
    set_standard(store, "P10B", [1], standard)
    set_standard(store, "P10B", [2], standard)
    check = Check({"brightness": 80.0}, ("too dark",))
    add_check(store, "P10B", 2, NOW, check)
    assert [one.check for one in checks_of(store, "P10B")] == [check]
    mark = Mark(1, MarkKind.FALSE_ALARM, "anna", NOW, defect=2)
    use_shared(store.path.parent, lambda opened: add_mark(opened, mark))
    assert [(row.plate, row.marks, row.told) for row in store.plates(1, run=RUN)] == [(3, (), ())]
    row = store.plate(1)
    assert row is not None
    assert (row.marks, row.told) == ((mark,), (telling,))
    assert store.open_plates(RUN) == (3,)
    assert store.knows("aaa")
    assert not store.knows("ab")
    store.set_pictures(1, store.path.parent / "pictures" / "1")
    assert store.check_rows() == Rows(changed=(), without_checksum=0, gone=0)
    assert causes(store, Selection(since=NOW)) == {Cause.DEFECT: 1, Cause.FOCUS: 1}
    with reader(store.path.parent) as opened:
        period = read_period(opened, Selection(since=NOW))
    assert (period.plates.number.tolist(), period.marks, len(period.checks)) == ([1, 2, 3], (mark,), 1)
    assert list(zip(period.found.plate.tolist(), period.found.y.tolist(), strict=True)) == [(0, CRACK.peak_y)] * 2
    assert period.causes == {(Verdict.NG, Cause.DEFECT): 1, (Verdict.INCONCLUSIVE, Cause.FOCUS): 1}
    assert [one.plate for one in page(store, Selection(cause=Cause.FOCUS), 9)] == [2]
    assert [one.plate for one in page(store, Selection(place=Box(100, 200, 110, 250)), 9)] == [1]
    assert totals(store, Selection(batch="7")).seen == 3
    assert totals(store, Selection(shift=Shift(time(0), time(0)), recipe="P10B")).seen == 3
    assert store.begin_run(replace(FACTS, run=OTHER)) == Begun(4, closed=(3,), last_stored=3)


def test_the_plates_of_a_shift_are_those_that_it_holds_whatever_the_clock_does_that_night(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    clock.tzset()
    try:
        began = datetime(2026, 3, 27, tzinfo=UTC)
        # Two changes of the clock: one hour less, and one more.
        days = [(began + timedelta(days=more), minutes) for more in (0, 210) for minutes in range(0, 4500, 53)]
        seen = {plate: begin + timedelta(minutes=minutes) for plate, (begin, minutes) in enumerate(days, 1)}
        for plate, at in seen.items():
            store.seen(RUN, plate, at)
        times = (time(22), time(6)), (time(6), time(22)), (time(6), time(6)), (time(2, 45), time(2, 30))
        for shift in (Shift(*one) for one in (*times, (time(2, 50), time(3, 5)))):
            held = [plate for plate, at in seen.items() if shift.holds(at)]
            assert [row.plate for row in page(store, Selection(shift=shift), None)] == held[::-1]
            assert totals(store, Selection(since=began + timedelta(days=1), shift=shift)).seen == sum(
                seen[plate] >= began + timedelta(days=1) for plate in held
            )
    finally:
        monkeypatch.undo()
        clock.tzset()


def test_old_plates_go_with_what_belongs_to_them(state: Path) -> None:
    worked = 0.0
    with Store.open(store_path(state), clock=lambda: worked) as store:
        store.begin_run(FACTS)
        store.commit_verdict(result(1), decided_at=NOW, event="late")
        worked = 91 * 86_400.0
        store.commit_verdict(result(2), decided_at=NOW)
        assert store.prune(90) == [(RUN, 1)]
        assert store.prune(90) == []
        assert store.check_rows() == Rows(changed=(), without_checksum=0, gone=0)


def test_a_changed_row_breaks_its_checksum(store: Store, server: PostgresServer) -> None:
    for plate in (1, 2):
        store.commit_verdict(result(plate), decided_at=NOW)
    server.run("UPDATE defects SET score = 0.1 WHERE plate = 2 AND number = 1")
    server.run("DELETE FROM plates WHERE plate = 1")
    assert store.check_rows() == Rows(changed=(2,), without_checksum=0, gone=1)


def test_what_the_server_cannot_take_is_refused_alone(store: Store) -> None:
    with pytest.raises(StoreError, match="does not fit the store") as caught:
        store.commit_verdict(replace(result(1), reason="no\x00text"), decided_at=NOW)
    assert caught.value.kind == "refused"
    with pytest.raises(StoreError) as caught:
        store.seen(RUN, 1 << 40, NOW)
    assert caught.value.kind == "refused"
    assert store.commit_verdict(result(1), decided_at=NOW)


def test_a_reader_writes_nothing(store: Store) -> None:
    store.commit_verdict(result(1), decided_at=NOW)
    with Store.open(store.path, read_only=True) as reader:
        assert [row.plate for row in reader.plates()] == [1]
        with pytest.raises(StoreError, match="read-only transaction"):
            reader.set_pictures(1, store.path.parent)


def test_writers_follow_each_other_and_one_that_holds_on_is_told_to_others(store: Store) -> None:
    with Store.open(store.path) as other, other.transaction() as held:
        held.execute(sa.text("SELECT 1"))
        with pytest.raises(StoreError) as caught:
            store.seen(RUN, 1, NOW)
        assert caught.value.kind == "locked"
    won: list[int] = []

    def commit() -> None:
        with when_free(partial(Store.open, store.path), 20.0) as mine:
            when_free(partial(mine.begin_run, FACTS), 20.0)
            commits = {plate: partial(mine.commit_verdict, result(plate), decided_at=NOW) for plate in range(1, 16)}
            won.extend(plate for plate, commit_it in commits.items() if when_free(commit_it, 20.0))

    threads = [threading.Thread(target=commit) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == list(range(1, 16))


def test_a_server_that_was_killed_is_waited_for_and_has_all_that_was_committed(
    store: Store, server: PostgresServer
) -> None:
    store.commit_verdict(result(1), decided_at=NOW)
    server.kill()
    try:
        for _ in range(2):
            with pytest.raises(StoreAwayError, match="start the server") as caught:
                store.commit_verdict(result(2), decided_at=NOW)
            assert caught.value.kind == "broken"
        with pytest.raises(StoreAwayError):
            read_results(store.path.parent)
        assert doctor.database(store.path.parent).ok is False
        Timer(0.5, server.start).start()
        with when_free(lambda: Store.open(store.path), 20.0):
            pass
    finally:
        server.start()
    assert store.commit_verdict(result(2), decided_at=NOW)
    assert [row.plate for row in read_results(store.path.parent).plates] == [2, 1]


def test_what_is_no_store_of_ours_is_left_alone(state: Path, server: PostgresServer) -> None:
    url = sa.make_url(server.url("x"))
    with pytest.raises(StoreError, match="is empty: the next start of the service fills it"):
        read_results(state)
    server.run("CREATE TABLE other (x int)")
    for read_only in (True, False):
        with pytest.raises(StoreError, match="tables of another program"):
            Store.open(store_path(state), read_only=read_only)
    server.run("DROP TABLE other")
    Store.open(store_path(state)).close()
    server.run("UPDATE alembic_version SET version_num = '0099'")
    for read_only in (True, False):
        with pytest.raises(StoreError, match=r"schema version 99, this program knows .*: update linesentry"):
            Store.open(store_path(state), read_only=read_only)
    note_url(store_path(state), str(url))
    with pytest.raises(StoreError, match=r"does not exist.*\(createdb\)"):
        read_results(state)


def test_a_store_of_the_version_before_is_brought_up_by_a_service_and_by_nobody_else(
    state: Path, server: PostgresServer
) -> None:
    with Store.open(store_path(state)) as store:
        store.begin_run(FACTS)
        store.commit_verdict(result(1), decided_at=NOW)
        described = server.run(_COLUMNS), server.run(_INDICES)
    server.run("DROP TABLE archive; DROP TABLE challenges; DROP INDEX plates_verdict_causes")
    server.run("CREATE INDEX plates_verdict_seen ON plates (verdict, seen_at)")
    server.run("ALTER TABLE marks DROP COLUMN checksum")
    server.run("UPDATE alembic_version SET version_num = '0009'")
    with pytest.raises(StoreError, match="start the service once"):
        Store.open(store_path(state), former=False)
    with Store.open(store_path(state)) as store:
        assert store.carried_over is not None
        assert (store.carried_over.version, store.carried_over.copy) == (9, None)
        assert store.check_rows() == Rows(changed=(), without_checksum=0, gone=0)
    assert (server.run(_COLUMNS), server.run(_INDICES)) == described


def test_a_backup_is_the_servers_own(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="pg_dump"):
        backup(store.path.parent, tmp_path / "copy")


def test_the_service_notes_where_its_store_is_and_forgets_it_with_its_configuration(state: Path) -> None:
    url = (state / "store.url").read_text().strip()
    (state / "store.url").unlink()
    for where, there in (
        (Where(url=url), ["plates.journal", "store.url"]),
        (Where(), ["plates.journal", "results.sqlite"]),
    ):
        ledger = RunLedger(Metrics("1", "small"), lambda _: None, structlog.get_logger())
        ledger.begin_in_store(state, FACTS, RunEnd.UNKNOWN, where)
        assert sorted(path.name for path in state.iterdir()) == there
