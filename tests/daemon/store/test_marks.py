"""Marks in the store: added beside a service at work, never changed or deleted, and no verdict changes by them."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from daemon.store.marks import MarkError, add_mark, said
from daemon.store.results import RunFacts, Store, StoreError, store_path
from daemon.store.seals import Rows
from daemon.store.shared import use_shared
from stages.mark import Mark, MarkKind, Place, Shape
from stages.plate import Cause, Defect, PlateResult, Verdict

RUN = "a" * 32
FACTS = RunFacts(RUN, "P10B", simulated=True)
NOW = datetime(2026, 11, 30, 8, 0, tzinfo=UTC)
CRACK = Defect(100, 200, 12, 80, 500, 0.8, 105, 240, edge=False)
ALARM = Mark(1, MarkKind.FALSE_ALARM, "anna", NOW, defect=2, why="dust")
MISSED = Mark(1, MarkKind.MISSED, "anna", NOW, place=Place(Shape.BOX, 10, 20, 30, 40))


def result(plate: int, defects: int = 2) -> PlateResult:
    found = (CRACK,) * defects
    return PlateResult(RUN, plate, Verdict.NG, (Cause.DEFECT,), "", True, 900, 800, 1, 1, 1.0, defects=found)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Plate 1 has two defects, plate 2 one, plate 3 none, and plate 4 no verdict."""
    with Store.open(store_path(tmp_path)) as opened:
        opened.begin_run(FACTS)
        for plate, count in ((1, 2), (2, 1), (3, 0)):
            opened.commit_verdict(result(plate, count), decided_at=NOW)
        opened.seen(RUN, 4, NOW)
        yield opened


def marks(store: Store, plate: int = 1) -> tuple[Mark, ...]:
    row = store.plate(plate)
    assert row is not None
    return row.marks


def rows(store: Store) -> list[str]:
    with closing(sqlite3.connect(store.path)) as connection:
        return [kind for (kind,) in connection.execute("SELECT kind FROM marks ORDER BY id")]


def test_a_mark_stands_with_its_plate_and_its_verdict_stays(store: Store) -> None:
    before = store.plate(1)
    assert before is not None
    for mark in (MISSED, ALARM):
        assert add_mark(store, mark) == mark
    assert marks(store) == (ALARM, MISSED)
    assert marks(store, 2) == ()
    after = store.plate(1)
    assert after is not None
    assert replace(after, marks=()) == before
    assert store.check_rows() == Rows(changed=(), without_checksum=0, gone=0)


def test_what_is_said_later_holds_and_what_was_said_before_stays_in_the_table(store: Store) -> None:
    add_mark(store, ALARM)
    add_mark(store, replace(ALARM, kind=MarkKind.CONFIRMED, who="bert", why=None))
    assert [(mark.kind, mark.who) for mark in marks(store)] == [(MarkKind.CONFIRMED, "bert")]
    add_mark(store, replace(ALARM, kind=MarkKind.WITHDRAWN, why=None))
    assert marks(store) == ()
    assert rows(store) == ["false alarm", "confirmed", "withdrawn"]


def test_the_one_missed_crack_need_not_be_named_to_be_withdrawn(store: Store) -> None:
    withdrawn = Mark(1, MarkKind.WITHDRAWN, "anna", NOW)
    with pytest.raises(MarkError, match="no missed crack"):
        add_mark(store, withdrawn)
    other = Place(Shape.LINE, 1, 2, 3, 4)
    add_mark(store, MISSED)
    add_mark(store, replace(MISSED, place=other))
    with pytest.raises(MarkError, match="2 missed cracks: name one, or a defect: box 10,20,30,40; line 1,2,3,4"):
        add_mark(store, withdrawn)
    add_mark(store, replace(withdrawn, place=other))
    assert add_mark(store, withdrawn).place == MISSED.place
    assert marks(store) == ()


@pytest.mark.parametrize(
    ("mark", "why"),
    [
        (replace(ALARM, plate=9), "the store has no plate 9: `linesentry results` lists"),
        (replace(ALARM, plate=4), "plate 4 has no verdict yet"),
        (replace(ALARM, defect=3), "plate 1 has defects 1 to 2, and no 3"),
        (replace(ALARM, plate=2), "plate 2 has one defect, and no 2"),
        (replace(ALARM, plate=3), "plate 3 has no defect, and no 2"),
        (replace(MISSED, place=Place(Shape.BOX, 0, 0, 801, 9)), "the plate is 800 x 900 px"),
        (replace(ALARM, kind=MarkKind.WITHDRAWN, why=None), "plate 1, defect 2 has no mark that could be withdrawn"),
    ],
)
def test_a_mark_that_fits_nothing_is_refused_and_says_why(store: Store, mark: Mark, why: str) -> None:
    with pytest.raises(MarkError, match=why):
        add_mark(store, mark)
    assert rows(store) == []


def test_a_name_is_text_and_nothing_else(store: Store) -> None:
    hostile = "=cmd|' /c calc'!A1'); DROP TABLE marks; --\x1b[31m\n<b>\x00"
    add_mark(store, replace(ALARM, who=hostile))
    assert marks(store)[0].who == hostile
    assert "\x1b" not in said(marks(store)[0])
    with pytest.raises(StoreError, match="surrogates not allowed") as caught:
        add_mark(store, replace(ALARM, who="\udcff"))
    assert caught.value.kind == "refused"
    with pytest.raises(StoreError, match="too large"):
        add_mark(store, replace(ALARM, plate=1 << 70))
    assert len(rows(store)) == 1


def test_marks_outlive_plates_that_are_deleted_for_their_age(tmp_path: Path) -> None:
    worked = 0.0
    with Store.open(store_path(tmp_path), clock=lambda: worked) as store:
        store.begin_run(FACTS)
        store.commit_verdict(result(1), decided_at=NOW)
        add_mark(store, ALARM)
        worked = 91 * 86_400.0
        store.commit_verdict(result(2), decided_at=NOW)
        assert store.prune(90) == [(RUN, 1)]
        assert rows(store) == ["false alarm"]


def test_a_service_at_work_and_who_marks_lose_nothing_to_each_other(tmp_path: Path) -> None:
    failed: list[StoreError] = []
    marking = threading.Event()

    def work(service: Store) -> None:
        for plate in range(2, 62):
            try:
                service.commit_verdict(result(plate), decided_at=NOW)
            except StoreError as error:
                failed.append(error)
            if plate == 5:
                marking.set()

    with Store.open(store_path(tmp_path)) as service:
        service.begin_run(FACTS)
        service.commit_verdict(result(1), decided_at=NOW)
        worker = threading.Thread(target=work, args=(service,))
        worker.start()
        marking.wait(10)
        for number in range(10):
            use_shared(tmp_path, partial(add_mark, mark=replace(ALARM, who=f"anna {number}")))
        worker.join()
        assert failed == []
        assert len(rows(service)) == 10
        assert service.ledger().ng == 61
        assert marks(service) == (replace(ALARM, who="anna 9"),)


def test_a_store_that_is_held_is_waited_for(store: Store) -> None:
    with closing(sqlite3.connect(store.path, isolation_level=None, check_same_thread=False)) as service:
        service.execute("BEGIN IMMEDIATE")
        threading.Timer(0.6, service.rollback).start()
        use_shared(store.path.parent, lambda opened: add_mark(opened, ALARM))
    assert marks(store) == (ALARM,)
