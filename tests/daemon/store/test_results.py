"""The result store: one verdict a plate, a ledger that adds up, and failures that lose and invent nothing."""

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.store.results import Begun, RunFacts, Store, StoreError, store_path
from daemon.store.seals import Rows
from models.detector.findings import Quality
from stages.plate import Cause, Defect, Heat, PlateResult, Verdict
from stages.plc import Part

RUN = "a" * 32
OTHER = "b" * 32
NOW = datetime(2026, 5, 4, 3, 2, 1, 654321, tzinfo=UTC)
FACTS = RunFacts(RUN, "P10B", simulated=True, product="P10B", batch_id="7", recipe_sha256="12" * 32)


def result(plate: int, verdict: Verdict = Verdict.OK, *defects: Defect, run: str = RUN) -> PlateResult:
    causes = {Verdict.OK: (), Verdict.NG: (Cause.DEFECT,), Verdict.INCONCLUSIVE: (Cause.FOCUS, Cause.COVERAGE)}
    return PlateResult(
        run, plate, verdict, causes[verdict], " ".join(causes[verdict]), True, 900, 700, 4, 4, 0.99, defects=defects
    )


def defect(score: float, x: int = 5) -> Defect:
    return Defect(x, 6, 21, 90, 800, score, x + 10, 50, edge=False, x_mm=0.21, width_mm=0.875)


def events_in(path: Path) -> list[tuple[str, str, str | None, int | None]]:
    """What lies in the table of events, as whoever opens the file sees it."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT kind, text, run, plate FROM events ORDER BY id").fetchall()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(store_path(tmp_path)) as opened:
        opened.begin_run(FACTS)
        yield opened


def test_a_verdict_comes_back_as_it_went_in(store: Store) -> None:
    quality = Quality(unmasked=1000, judged=900, clipped=10, total=90_000.0, squares=9_090_000.0, lit=900)
    given_result = replace(result(3, Verdict.NG, defect(0.6), defect(0.9, x=70)), quality=quality, warnings=("dim",))
    given_result = replace(given_result, losses={"strip missing": 2, "strip lost": 1})
    store.seen(RUN, 3, NOW, part=Part("p-3"))
    assert store.commit_verdict(given_result, decided_at=NOW, latency_s=0.123)
    row = store.plate(3)
    assert row is not None
    assert (row.verdict, row.causes, row.warnings) == (Verdict.NG, (Cause.DEFECT,), ("dim",))
    assert row.losses == {"strip missing": 2, "strip lost": 1}
    assert (row.rows, row.columns, row.windows, row.windows_scored, row.coverage) == (900, 700, 4, 4, 0.99)
    assert (row.decided_at, row.latency_s, row.part_id) == (NOW, 0.123, "p-3")
    assert (row.recipe, row.batch_id, row.simulated, row.recipe_sha256) == ("P10B", "7", True, "12" * 32)
    assert (row.brightness, row.contrast, row.saturation, row.focus) == (100.0, 10.0, 0.01, 0.0)
    assert row.defects == (defect(0.9, x=70), defect(0.6))  # worst first


def test_the_first_verdict_wins_and_later_ones_are_counted(store: Store) -> None:
    assert store.commit_verdict(result(1, Verdict.NG, defect(0.8)), decided_at=NOW)
    assert not store.commit_verdict(result(1), decided_at=NOW)
    assert not store.commit_verdict(result(1, Verdict.NG, defect(0.8), defect(0.7)), decided_at=NOW)
    row = store.plate(1)
    assert row is not None
    assert row.verdict is Verdict.NG
    assert len(row.defects) == 1


def test_seen_again_changes_nothing(store: Store) -> None:
    store.seen(RUN, 1, NOW)
    store.seen(RUN, 1, NOW + timedelta(hours=1))
    row = store.plate(1)
    assert row is not None
    assert (row.seen_at, row.verdict, row.causes) == (NOW, None, ())


def test_plates_of_a_run_that_died_end_inconclusive_and_numbers_go_on(tmp_path: Path) -> None:
    path = store_path(tmp_path)
    with Store.open(path) as first:
        assert first.begin_run(FACTS) == Begun(1, closed=())
        first.seen(RUN, 1, NOW)
        first.commit_verdict(result(2), decided_at=NOW)
    with Store.open(path) as second:
        assert second.begin_run(replace(FACTS, run=OTHER)) == Begun(3, closed=(1,), last_stored=2)
        row = second.plate(1)
        assert row is not None
        assert (row.verdict, row.causes, row.complete) == (Verdict.INCONCLUSIVE, (Cause.SERVICE_DIED,), False)
        kept = second.plate(2)
        assert kept is not None
        assert kept.verdict is Verdict.OK


def test_a_process_that_is_restarted_within_a_run_closes_nothing(store: Store) -> None:
    store.seen(RUN, 1, NOW)
    assert store.begin_run(FACTS) == Begun(2, closed=(), last_stored=1)
    assert store.open_plates(RUN) == (1,)


def test_a_plate_number_of_another_run_is_refused(store: Store) -> None:
    store.seen(RUN, 1, NOW)
    store.begin_run(replace(FACTS, run=OTHER))
    with pytest.raises(StoreError, match="belongs to run a") as caught:
        store.commit_verdict(result(1, run=OTHER), decided_at=NOW)
    assert caught.value.kind == "refused"
    with pytest.raises(StoreError, match="the run begun here is b"):
        store.seen(RUN, 2, NOW)


def test_final_and_open_plates_are_told_apart(store: Store) -> None:
    for plate in range(1, 6):
        store.seen(RUN, plate, NOW)
    store.commit_verdict(result(2), decided_at=NOW)
    store.commit_verdict(result(4, Verdict.NG, defect(0.9)), decided_at=NOW)
    assert store.open_plates(RUN) == (1, 3, 5)
    assert store.close_open(RUN, Cause.SHUTDOWN) == (1, 3, 5)
    assert store.open_plates(RUN) == ()
    assert not store.commit_verdict(result(3), decided_at=NOW)


def test_what_cannot_be_stored_is_refused_and_leaves_no_trace(store: Store) -> None:
    unfit = replace(defect(0.5), x=1 << 70)
    with pytest.raises(StoreError) as caught:
        store.commit_verdict(result(1, Verdict.NG, defect(0.9), unfit), decided_at=NOW)
    assert caught.value.kind == "refused"
    with pytest.raises(StoreError, match="zone"):
        store.seen(RUN, 1, datetime(2026, 1, 1))  # noqa: DTZ001 - the naive time is what is tested
    assert store.plate(1) is None


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from(["seen", "OK", "NG", "INCONCLUSIVE", "close", "restart"]), st.integers(1, 8)),
        max_size=25,
    )
)
def test_the_ledger_always_adds_up(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]) -> None:
    first: dict[int, str] = {}
    seen: set[int] = set()
    with Store.open(store_path(tmp_path_factory.mktemp("ledger"))) as store:
        store.begin_run(FACTS)
        for step, plate in steps:
            if step == "seen":
                store.seen(RUN, plate, NOW)
                seen.add(plate)
            elif step == "close":
                store.close_open(RUN, Cause.ROLE_LOST)
                first |= dict.fromkeys(seen - set(first), "INCONCLUSIVE")
            elif step == "restart":
                assert store.begin_run(FACTS) == Begun((last := max(seen, default=0)) + 1, closed=(), last_stored=last)
            else:
                store.commit_verdict(result(plate, Verdict(step)), decided_at=NOW)
                seen.add(plate)
                first.setdefault(plate, step)
            ledger = store.ledger(RUN)
            assert ledger.seen == ledger.ok + ledger.ng + ledger.inconclusive + ledger.open
        counts = [list(first.values()).count(verdict.value) for verdict in Verdict]
        assert store.ledger() == store.ledger(RUN)
        assert (len(seen), *counts, len(seen) - len(first)) == tuple(
            getattr(store.ledger(RUN), name) for name in ("seen", "ok", "ng", "inconclusive", "open")
        )


# --- failures ---


def test_a_full_disk_fails_the_whole_verdict_and_a_retry_succeeds(store: Store) -> None:
    store.seen(RUN, 1, NOW)
    with store._engine.connect() as connection:  # SQLite's own limit gives the same SQLITE_FULL as a full disk
        connection.exec_driver_sql("PRAGMA max_page_count = 1")
    many = result(1, Verdict.NG, *(defect(0.5 + i / 10_000, x=i) for i in range(3000)))
    with pytest.raises(StoreError, match="make room") as caught:
        store.commit_verdict(many, decided_at=NOW)
    assert caught.value.kind == "full"
    row = store.plate(1)
    assert row is not None
    assert (row.verdict, row.defects) == (None, ())
    with store._engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 100000")
    assert store.commit_verdict(many, decided_at=NOW)
    row = store.plate(1)
    assert row is not None
    assert len(row.defects) == 3000


HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""


def test_a_database_locked_by_another_process_fails_soon_and_works_when_let_go(store: Store) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(store.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(StoreError, match="another program") as caught:
            store.commit_verdict(result(1), decided_at=NOW)
        assert caught.value.kind == "locked"
        assert store.plate(1) is None  # reading goes on
        holder.communicate()
    assert store.commit_verdict(result(1), decided_at=NOW)


def test_a_store_that_was_removed_or_replaced_is_broken_rather_than_written_into_nothing(store: Store) -> None:
    away = store.path.with_name("away.sqlite")
    store.path.rename(away)
    with pytest.raises(StoreError, match="is gone") as caught:
        store.seen(RUN, 1, NOW)
    assert caught.value.kind == "broken"
    store.path.write_bytes(b"")
    with pytest.raises(StoreError, match="replaced"):
        store.seen(RUN, 1, NOW)
    away.rename(store.path)
    store.seen(RUN, 1, NOW)


def test_a_damaged_store_is_broken(tmp_path: Path) -> None:
    path = store_path(tmp_path)
    with Store.open(path) as opened:
        opened.begin_run(FACTS)
        for plate in range(1, 60):
            opened.commit_verdict(result(plate, Verdict.NG, defect(0.9)), decided_at=NOW)
        with opened.transaction(write=False) as connection:
            query = "SELECT rootpage FROM sqlite_master WHERE name = 'plates_verdict'"
            root: int = connection.exec_driver_sql(query).scalar_one()
    content = bytearray(path.read_bytes())
    content[4096 * (root - 1) : 4096 * root] = b"\xa5" * 4096
    path.write_bytes(content)
    with Store.open(path) as opened:
        with pytest.raises(StoreError, match="it is damaged: the next start of the service sets it aside") as caught:
            opened.ledger()
        assert caught.value.kind == "broken"


def test_files_that_are_no_store_are_named(tmp_path: Path) -> None:
    text = tmp_path / "text.sqlite"
    text.write_text("this is not a database at all, but it is long enough to be looked at" * 20)
    with pytest.raises(StoreError, match="no SQLite database"):
        Store.open(text)
    foreign = tmp_path / "foreign.sqlite"
    _sql(foreign, "CREATE TABLE other (x)")
    with pytest.raises(StoreError, match="not a result store of linesentry"):
        Store.open(foreign)
    newer = tmp_path / "newer.sqlite"
    Store.open(newer).close()
    _sql(newer, "PRAGMA user_version = 99")
    with pytest.raises(StoreError, match=r"version 99, this program knows \d+: update"):
        Store.open(newer)
    with pytest.raises(StoreError, match="cannot be opened"):
        Store.open(tmp_path / "nowhere" / "results.sqlite")


def _sql(path: Path, statement: str) -> None:
    import sqlite3  # noqa: PLC0415 - only to make files that are none of ours

    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.close()


def test_what_a_classifier_said_of_a_defect_is_kept_but_its_map(store: Store) -> None:
    judged = replace(defect(0.8), probability=0.25, unanswered=2, vetoed=True, heat=Heat(1, 2, bytes(49)))
    store.commit_verdict(result(2, Verdict.NG, judged), decided_at=NOW)
    row = store.plate(2)
    assert row is not None
    # The map is in the picture, not in the store.
    assert row.defects == (replace(judged, heat=None),)


def test_the_image_of_a_plate_is_noted_by_its_sight_or_with_its_verdict(store: Store) -> None:
    store.seen(RUN, 1, NOW, "1.png")
    store.commit_verdict(replace(result(1), image="other.png"), decided_at=NOW)
    store.seen(RUN, 2, NOW)
    store.commit_verdict(replace(result(2), image="2.png"), decided_at=NOW)
    store.seen(RUN, 3, NOW, "\x1b[31m\n.png")
    assert [row.image for row in store.plates()] == ["\x1b[31m\n.png", "2.png", "1.png"]


def test_the_camera_of_a_plate_is_noted_by_its_sight_whatever_it_calls_itself(store: Store) -> None:
    hostile = "=cmd|'/c calc'!A1<b>\x1b[31m\n"
    for plate, camera in enumerate((None, "24812", hostile), start=1):
        store.seen(RUN, plate, NOW, camera=camera)
        store.commit_verdict(result(plate), decided_at=NOW, facts=FACTS)
    assert [row.camera for row in store.plates()] == [hostile, "24812", None]
    assert store.check_rows().changed == ()


def test_the_ids_of_a_plate_are_noted_by_its_sight_and_an_unknown_one_says_why_and_has_no_batch(store: Store) -> None:
    parts = [None, Part("A2", "B2"), Part("A3"), Part(None, "B4"), Part(unknown="the PLC gave none")]
    for plate, part in enumerate(parts, start=1):
        store.seen(RUN, plate, NOW, part=part)
        store.commit_verdict(result(plate), decided_at=NOW, facts=FACTS, named=part is not None)
    found = [(row.part_id, row.batch_id, row.part_unknown) for row in reversed(store.plates())]
    assert found == [
        (None, "7", None),
        ("A2", "B2", None),
        ("A3", "7", None),
        (None, "B4", None),
        (None, None, "the PLC gave none"),
    ]
    assert store.check_rows().changed == ()


def test_a_reader_sees_what_is_committed_and_writes_nothing(store: Store) -> None:
    store.commit_verdict(result(1), decided_at=NOW)
    with Store.open(store.path, read_only=True) as reader:
        assert [row.plate for row in reader.plates()] == [1]
        store.commit_verdict(result(2, Verdict.NG, defect(0.7)), decided_at=NOW)
        assert [row.plate for row in reader.plates()] == [2, 1]
        assert [row.plate for row in reader.plates(1)] == [2]
        with pytest.raises(StoreError, match="cannot be written"):
            reader.set_pictures(1, store.path.parent)
    with pytest.raises(StoreError, match="cannot be opened"):
        Store.open(store.path.with_name("none.sqlite"), read_only=True)


def test_many_threads_may_commit_the_same_plates(store: Store) -> None:
    won: list[int] = []
    lost: list[int] = []

    def commit() -> None:
        for plate in range(1, 21):
            (won if store.commit_verdict(result(plate), decided_at=NOW) else lost).append(plate)

    threads = [threading.Thread(target=commit) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == list(range(1, 21))
    assert len(lost) == 60


# --- upkeep ---


def test_old_plates_go_but_open_ones_and_the_last_number_stay(tmp_path: Path) -> None:
    worked = 0.0
    with Store.open(store_path(tmp_path), clock=lambda: worked) as store:
        store.begin_run(FACTS)
        for plate, at in ((1, 0.0), (2, 0.0), (4, 0.0), (3, 91 * 86_400.0)):
            worked = at
            store.seen(RUN, plate, NOW)
        for plate in (1, 3, 4):
            store.commit_verdict(result(plate, Verdict.NG, defect(0.9)), decided_at=NOW, event="late")
        assert store.prune(90) == [(RUN, 1)]
        assert store.prune(90) == []
        assert [row.plate for row in store.plates()] == [4, 3, 2]
        assert [plate for *_, plate in events_in(store.path)] == [3, 4]
        assert store.begin_run(replace(FACTS, run=OTHER)) == Begun(5, closed=(2,), last_stored=4)


def test_what_befell_a_verdict_is_kept_with_it(store: Store) -> None:
    store.commit_verdict(result(1), decided_at=NOW, event="late")
    assert not store.commit_verdict(result(1), decided_at=NOW, event="again")
    assert events_in(store.path) == [("store", "late", RUN, 1)]


def test_the_check_finds_nothing_in_a_sound_store_and_leaves_nothing(store: Store) -> None:
    store.check()
    assert store.check_rows() == Rows(changed=(), without_checksum=0, gone=0)
    assert events_in(store.path) == []


def test_the_store_does_not_import_torch() -> None:
    code = "import sys, daemon.store.results, daemon.store.view; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
