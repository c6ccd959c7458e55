"""The record process and what it tells the supervisor of plates that have a verdict."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest

from config.schema import Config, Golden
from daemon.store.evidence import CROP_SIZE
from daemon.store.golden import add_check, checks_of, set_standard
from daemon.store.journal import Journal, journal_path
from daemon.store.opening import set_aside_before
from daemon.store.pictures import plate_directory
from daemon.store.results import Store, store_path
from daemon.wire import messages as m
from daemon.wire.channel import Client
from daemon.wire.plate_memory import Hold, PlateMemory
from stages.events import (
    Abort,
    Aborted,
    ChecksOverdue,
    PlateDecided,
    PlateFinal,
    PlateSeen,
    StoreFailing,
    StoreWorks,
    VerdictCommitted,
)
from stages.golden import Check, Limit, Standard
from stages.plate import Cause, Defect, PlateResult, Verdict
from stages.plc import Part
from tests.daemon.conftest import FACTS, KEY, RUN, Parent

Start = Callable[..., Parent]
NOW = datetime.now(UTC)
DEFECT = Defect(x=1, y=2, width=3, height=4, area=9, score=0.75, peak_x=2, peak_y=3, edge=False)
RESULT = PlateResult(
    run=RUN,
    plate=7,
    verdict=Verdict.NG,
    causes=(Cause.DEFECT,),
    reason="1 defect",
    complete=True,
    rows=100,
    columns=50,
    windows=1,
    windows_scored=1,
    coverage=1.0,
    defects=(DEFECT,),
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(store_path(tmp_path)) as made:
        made.begin_run(FACTS)
        yield made


def test_a_verdict_that_the_supervisor_missed_is_told_when_it_asks_for_the_plate(store: Store, parent: Start) -> None:
    """The record that committed it died before it was heard."""
    store.commit_verdict(RESULT, decided_at=NOW, latency_s=0.25)
    record = parent("record")
    record.tell(PlateSeen(7))
    told = record.hear(VerdictCommitted)
    assert told.latency_s == 0.25
    assert (told.result.plate, told.result.verdict, told.result.defects) == (7, Verdict.NG, (DEFECT,))


def test_a_store_that_is_locked_at_the_start_is_waited_for_and_nothing_is_lost(store: Store, parent: Start) -> None:
    store.commit_verdict(RESULT, decided_at=NOW)
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    record = parent("record", prepare=lambda memory: memory.open(memory.free_places()[0], 7))
    record.tell(PlateSeen(8))
    assert record.hear(StoreFailing).kind == "locked"
    assert record.hear(m.Heartbeat).counters["store_failures_total/locked"] > 0
    assert Hold.RECORD in record.memory.facts(0).holds
    other.execute("COMMIT")
    other.close()
    assert record.hear(VerdictCommitted).result.plate == 7
    assert record.hear(StoreWorks)
    let_go(record)
    until = time.monotonic() + 30
    while store.open_plates(RUN) != (8,):
        assert time.monotonic() < until
        record.link.receive(time.monotonic())
        time.sleep(0.01)


def test_that_the_store_did_not_open_is_told_before_there_is_a_plate(store: Store, parent: Start) -> None:
    """The supervisor takes a new record process for one whose store works."""
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    record = parent("record")
    assert record.hear(StoreFailing).kind == "locked"
    other.close()
    record.tell(PlateSeen(8))
    assert record.hear(StoreWorks)


def test_at_an_abort_open_plates_get_their_cause_and_final_ones_keep_their_verdict(store: Store, parent: Start) -> None:
    store.commit_verdict(RESULT, decided_at=NOW)
    store.seen(RUN, 8, NOW)
    slot = 1
    record = parent("record", prepare=lambda memory: memory.open(memory.free_places()[slot], 8))
    record.tell(Abort(Cause.ROLE_LOST))
    told = record.hear(VerdictCommitted).result
    assert (told.plate, told.verdict, told.causes) == (8, Verdict.INCONCLUSIVE, (Cause.ROLE_LOST,))
    record.hear(Aborted)
    rows = {row.plate: row.verdict for row in store.plates()}
    assert rows == {7: Verdict.NG, 8: Verdict.INCONCLUSIVE}
    assert Hold.RECORD not in record.memory.facts(slot).holds


def test_the_slot_of_a_plate_whose_pictures_a_predecessor_did_not_finish_is_let_go(store: Store, parent: Start) -> None:
    store.commit_verdict(RESULT, decided_at=NOW)
    record = parent("record", prepare=lambda memory: memory.open(memory.free_places()[0], 7))
    record.hear(m.Heartbeat)
    assert Hold.RECORD not in record.memory.facts(0).holds


def test_the_pictures_of_a_plate_that_an_abort_cut_off_show_the_places_of_its_defects(
    tmp_path: Path, parent: Start
) -> None:
    """Its rows are a lower bound then, the first row of the last band of windows: defects may lie below."""

    def fill(memory: PlateMemory) -> None:
        memory.open(memory.free_places()[0], 7)
        memory.pixels(0)[:90] = np.arange(90, dtype=np.uint8)[:, None]
        memory.set_rows(0, 90)

    record = parent("record", prepare=fill)
    deep = replace(DEFECT, peak_x=20, peak_y=80)
    with closing(Client(record.context, m.Sender(RUN, "merge", 0, 1), tmp_path / "record", KEY)) as merge:
        record.tell(PlateSeen(7))
        merge.send(PlateDecided(replace(RESULT, rows=41, complete=False, defects=(deep,))), time.monotonic())
        crop = plate_directory(tmp_path, RUN, 7) / "defect-001.png"
        until = time.monotonic() + 30
        while not crop.is_file():
            assert time.monotonic() < until
            record.link.receive(time.monotonic())
            merge.receive(time.monotonic())
            time.sleep(0.01)
    found = cv2.imread(str(crop), cv2.IMREAD_GRAYSCALE)
    assert found is not None
    assert found[CROP_SIZE // 2, CROP_SIZE // 2] == 80


@pytest.mark.parametrize(("what", "verdict"), [("a text", Verdict.NG), ("every change", Verdict.INCONCLUSIVE)])
def test_a_plate_that_the_store_refuses_has_one_verdict_that_is_told_and_lets_go_of_its_slot(
    store: Store, parent: Start, tmp_path: Path, what: str, verdict: Verdict
) -> None:
    when = "" if what == "every change" else "WHEN NEW.reason LIKE '%defect%'"
    with closing(sqlite3.connect(store.path)) as other:
        other.execute(f"CREATE TRIGGER no BEFORE UPDATE ON plates {when} BEGIN SELECT RAISE(ABORT, 'no'); END")
    record = parent("record", prepare=lambda memory: memory.open(memory.free_places()[0], 7))
    with closing(Client(record.context, m.Sender(RUN, "merge", 0, 1), tmp_path / "record", KEY)) as merge:
        record.tell(PlateSeen(7))
        merge.send(PlateDecided(RESULT), time.monotonic())
        final: list[PlateFinal] = []
        told: list[PlateResult] = []
        until = time.monotonic() + 30
        while not (final and told):
            assert time.monotonic() < until
            now = time.monotonic()
            told += [one.result for _, one in record.link.receive(now) if isinstance(one, VerdictCommitted)]
            final += [one for _, one in merge.receive(now) if isinstance(one, PlateFinal)]
            time.sleep(0.01)
    assert final == [PlateFinal(7)]
    assert [(one.plate, one.verdict) for one in told] == [(7, verdict)]
    let_go(record)
    (row,) = store.plates()
    assert row.verdict == (verdict if what == "a text" else None)


def _overwritten(path: Path, elsewhere: Path) -> None:
    shutil.copy(path, elsewhere)
    with path.open("r+b") as file:
        file.write(b"\xa5" * path.stat().st_size)


def _gone(path: Path, elsewhere: Path) -> None:
    path.rename(elsewhere)


def _replaced(path: Path, elsewhere: Path) -> None:
    with Store.open(elsewhere) as other:
        other.begin_run(FACTS)
        other.seen(RUN, 3, NOW)
        other.end_run()
    elsewhere.rename(path)


@pytest.mark.parametrize(("harm", "others"), [(_overwritten, {}), (_gone, {}), (_replaced, {3: None})])
def test_a_store_that_is_damaged_or_taken_away_at_work_costs_no_verdict(
    store: Store,
    parent: Start,
    tmp_path: Path,
    harm: Callable[[Path, Path], None],
    others: dict[int, Verdict | None],
) -> None:
    """The journal has what was told of this run, and it goes into what is the store from then on."""
    store.commit_verdict(RESULT, decided_at=NOW)
    store.seen(RUN, 8, NOW)
    with closing(Journal(journal_path(tmp_path), FACTS, 6, time.monotonic)) as journal:
        journal.seen(7, NOW)
        journal.seen(8, NOW)
        journal.final(7, Verdict.NG)
    record = parent("record")
    record.hear(m.Heartbeat)
    store.settle()
    harm(store.path, tmp_path / "elsewhere.sqlite")
    record.tell(PlateSeen(9))
    assert record.hear(StoreFailing).kind == "broken"
    assert record.hear(StoreWorks)
    assert len(set_aside_before(store.path)) == (harm is _overwritten)
    with Store.open(store.path, read_only=True) as new:
        rows = {row.plate: row.verdict for row in new.plates()}
    assert rows == {7: Verdict.NG, 8: None, 9: None, **others}


def let_go(record: Parent) -> None:
    """Wait until the plate's slot is not held any more: it is told of first."""
    until = time.monotonic() + 30
    while Hold.RECORD in record.memory.facts(0).holds:
        assert time.monotonic() < until
        time.sleep(0.01)


def verdict_of(
    record: Parent, merge: Client, result: PlateResult, part: Part | None = None, *, seen: bool = False
) -> PlateResult:
    """What is committed of a plate with that result; `seen`: its sight is in the store already."""
    if not seen:
        record.tell(PlateSeen(result.plate, part=part))
    merge.send(PlateDecided(result), time.monotonic())
    return record.hear(VerdictCommitted, lambda: merge.receive(time.monotonic())).result


def test_the_golden_sheet_is_checked_as_it_passes_and_is_told_as_no_product(
    store: Store, parent: Start, tmp_path: Path
) -> None:
    """By the part id that a PLC gives it; also by a record that does not know what its predecessor heard."""
    set_standard(store, "P10B", [1], Standard((), {"missed": Limit(0, 0), "extra": Limit(0, 1)}))
    golden = Part("GOLDEN")
    record = parent("record", config=Config(golden=Golden(every_h=8)))
    assert "was not checked since" in record.hear(ChecksOverdue).recipes["P10B"]
    with closing(Client(record.context, m.Sender(RUN, "merge", 0, 1), tmp_path / "record", KEY)) as merge:
        passed = verdict_of(record, merge, RESULT, golden)
        assert (passed.verdict, passed.causes) == (Verdict.INCONCLUSIVE, (Cause.GOLDEN_SHEET,))
        assert passed.defects == RESULT.defects
        assert record.hear(ChecksOverdue) == ChecksOverdue({})
        assert [one.plate for one in checks_of(store, "P10B")] == [7]
        product = verdict_of(record, merge, replace(RESULT, plate=8), Part("A17"))
        assert (product.verdict, product.causes) == (Verdict.NG, (Cause.DEFECT,))
        two = replace(RESULT, plate=9, defects=(DEFECT, replace(DEFECT, peak_x=40)))
        store.seen(RUN, 9, datetime.now(UTC), part=golden)
        verdict_of(record, merge, two, seen=True)
        failed = record.hear(ChecksOverdue).recipes["P10B"]
        assert "the check standard failed" in failed
    assert [(one.plate, one.check.passed) for one in checks_of(store, "P10B")] == [(7, True), (9, False)]
    row = store.plate(9)
    assert row is not None
    assert row.causes == (Cause.GOLDEN_SHEET,)


def test_while_a_check_is_overdue_no_plate_is_ok_and_one_that_passes_ends_that(
    store: Store, parent: Start, tmp_path: Path
) -> None:
    config = Config(golden=Golden(every_h=8))
    good = replace(RESULT, verdict=Verdict.OK, causes=(), reason="", defects=())
    record = parent("record", config=config)
    with closing(Client(record.context, m.Sender(RUN, "merge", 0, 1), tmp_path / "record", KEY)) as merge:

        def decided(plate: int) -> PlateResult:
            return verdict_of(record, merge, replace(good, plate=plate))

        first = decided(7)
        assert (first.verdict, first.causes) == (Verdict.INCONCLUSIVE, (Cause.CHECK_OVERDUE,))
        assert "no check standard is set: pass the golden sheet" in first.reason
        set_standard(store, "P10B", [7], Standard((), {}))
        add_check(store, "P10B", 8, datetime.now(UTC), Check({}, ()))
        assert decided(9).verdict is Verdict.OK
        add_check(store, "P10B", 10, datetime.now(UTC), Check({}, ("missed 1, allowed 0 to 0",)))
        assert decided(11).causes == (Cause.CHECK_OVERDUE,)
    assert [row.verdict for row in store.plates()] == [Verdict.INCONCLUSIVE, Verdict.OK, Verdict.INCONCLUSIVE]
