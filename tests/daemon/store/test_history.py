"""Questions over years of plates: they find what is meant, page by page, and go through an index."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from daemon.store import rows
from daemon.store.archive import enter
from daemon.store.challenges import enter_challenge
from daemon.store.history import Box, Circle, Position, Selection, causes, names, page, totals
from daemon.store.marks import add_mark
from daemon.store.results import RunFacts, Store, store_path
from daemon.store.rows import PlateRow, Telling
from daemon.store.shifts import Shift
from daemon.store.tellings import Tellings
from stages.challenge import Challenge, Kind
from stages.mark import Mark, MarkKind
from stages.plate import Cause, Defect, PlateResult, Verdict
from stages.plc import Part

RUN = "a" * 32
FACTS = RunFacts(RUN, "P10B", simulated=True, product="P10B", batch_id="B0")
BEGAN = datetime(2026, 11, 30, tzinfo=UTC)
HOSTILE = "50%_'); DROP TABLE plates; --\x1b[2J"
COUNT = 60
WHY = {
    Verdict.OK: ((),),
    Verdict.NG: ((Cause.DEFECT,), (Cause.DEFECT, Cause.FOCUS)),
    Verdict.INCONCLUSIVE: ((Cause.FOCUS,), (Cause.OVERLOAD, Cause.FOCUS)),
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Plates of several products, batches, verdicts and causes; the clock went back an hour in their midst."""
    with Store.open(store_path(tmp_path_factory.mktemp("state"))) as opened:
        opened.begin_run(FACTS)
        for plate in range(1, COUNT + 1):
            at = BEGAN + timedelta(minutes=plate - (60 if plate > 40 else 0))
            facts = replace(FACTS, product=f"P{plate % 3}")
            batch = HOSTILE if plate % 7 == 0 else f"B{plate // 10}"
            opened.seen(RUN, plate, at, facts=facts, part=Part(f"S{plate}", batch))
            if plate % 11:
                verdict = list(Verdict)[plate % 3]
                found = (Defect(0, 0, 9, 9, 9, 0.8, plate * 10, plate * 20, edge=False),)
                why = WHY[verdict][plate % len(WHY[verdict])]
                opened.commit_verdict(
                    PlateResult(RUN, plate, verdict, why, "", True, 2000, 900, 1, 1, 1.0, defects=found), decided_at=at
                )
        yield opened


def lies(defect: Defect, place: Box | Circle) -> bool:
    if isinstance(place, Box):
        return place.x0 <= defect.peak_x < place.x1 and place.y0 <= defect.peak_y < place.y1
    return math.hypot(defect.peak_x - place.x, defect.peak_y - place.y) <= place.radius


def in_hours(row: PlateRow, shift: Shift) -> bool:
    at = row.seen_at.astimezone().time()
    over = shift.end <= shift.begin
    return (at >= shift.begin or at < shift.end) if over else shift.begin <= at < shift.end


def meant(row: PlateRow, selection: Selection) -> bool:
    """Whether the selection means the plate, said plainly."""
    return (
        (selection.since is None or row.seen_at >= selection.since)
        and (selection.until is None or row.seen_at < selection.until)
        and selection.product in (None, row.product)
        and selection.batch in (None, row.batch_id)
        and selection.part in (None, row.part_id)
        and selection.verdict in (None, row.verdict)
        and (selection.cause is None or selection.cause in row.causes)
        and (selection.place is None or any(lies(one, selection.place) for one in row.defects))
        and selection.recipe in (None, row.recipe)
        and (selection.shift is None or in_hours(row, selection.shift))
    )


MOMENTS = st.none() | st.integers(-30, 70).map(lambda minute: BEGAN + timedelta(minutes=minute))
SELECTIONS = st.builds(
    Selection,
    since=MOMENTS,
    until=MOMENTS,
    product=st.sampled_from([None, None, "P0", "P1", "P", "p0"]),
    batch=st.sampled_from([None, None, "B1", HOSTILE, "50%_", ""]),
    part=st.sampled_from([None, None, None, "S7", "S%", HOSTILE]),
    verdict=st.sampled_from([None, *Verdict]),
    cause=st.sampled_from([None, None, Cause.DEFECT, Cause.FOCUS, Cause.OVERLOAD, Cause.LATE]),
    place=st.sampled_from(
        [
            None,
            None,
            Box(100, 0, 300, 2000),
            Box(0, 0, 900, 2000),
            Box(5, 5, 5, 5),
            Circle(200, 400, 45),
            Circle(200, 400, 0),
        ]
    ),
    recipe=st.sampled_from([None, None, "P10B", "p10b"]),
    shift=st.none() | st.builds(Shift, *[st.times().map(lambda at: at.replace(microsecond=0))] * 2),
)


@given(SELECTIONS)
def test_a_selection_finds_what_it_means_and_counts_it(store: Store, selection: Selection) -> None:
    wanted = [row for row in store.plates(None) if meant(row, selection)]
    found = page(store, selection, None)
    assert sorted(row.plate for row in found) == sorted(row.plate for row in wanted)
    assert {row.plate: row for row in found} == {row.plate: row for row in wanted}
    order = [(row.seen_at, row.plate) for row in found]
    assert order == sorted(order, reverse=True)
    assert totals(store, selection).seen == len(wanted)
    assert causes(store, selection) == Counter(cause for row in wanted for cause in row.causes)


@given(SELECTIONS, st.integers(1, 25))
def test_pages_follow_each_other_without_gap_or_repetition(store: Store, selection: Selection, size: int) -> None:
    turned: list[PlateRow] = []
    while part := page(
        store, selection, size, before=Position(turned[-1].seen_at, turned[-1].plate) if turned else None
    ):
        turned += part
    assert turned == page(store, selection, None)


def test_a_page_has_of_each_plate_what_the_plate_alone_has_and_asks_each_table_once_for_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "_AT_ONCE", 4)
    asked: Counter[str] = Counter()
    with Store.open(store_path(tmp_path)) as own:
        own.begin_run(FACTS)
        Tellings(own).begin(["gate", "line"])
        for plate in range(1, 8):
            found = tuple(
                Defect(plate, one, 9, 9, 9, 0.9 - one / 9, plate, one, edge=False) for one in range(1 + plate % 3)
            )
            done = PlateResult(RUN, plate, Verdict.NG, (Cause.DEFECT,), "", True, 9, 9, 1, 1, 1.0, defects=found)
            own.commit_verdict(done, decided_at=BEGAN)
            for output in ("line", "gate")[: plate % 3]:
                Tellings(own).store([(plate, Telling(output, "acknowledged", True, plate, BEGAN, BEGAN, "taken"))])
            for number in range(1, 1 + plate % 2):
                add_mark(own, Mark(plate, MarkKind.FALSE_ALARM, f"who {plate}", BEGAN, number))
            if plate % 2:
                enter(own, plate, tmp_path / str(plate), plate, "d" * 64)
            for candidate in ("a", "b")[: plate % 3]:
                enter_challenge(own, plate, Challenge(candidate * 64, "next", Kind.SAME, Verdict.NG, (), ()))
        listed = page(own, Selection(), None)
        assert listed == own.plates(None) == [own.plate(plate) for plate in range(7, 0, -1)]
        assert [len(row.defects) for row in listed] == [2, 1, 3, 2, 1, 3, 2]
        assert [[one.output for one in row.told] for row in listed][-2:] == [["gate", "line"], ["line"]]
        assert [len(row.marks) for row in listed] == [row.archive is not None for row in listed] == [1, 0] * 3 + [1]
        assert [row.challenge and row.challenge.candidate[0] for row in listed] == ["a", None, "b", "a", None, "b", "a"]

        @sa.event.listens_for(own._opened.reader, "before_cursor_execute")
        def _asks(*told: Any) -> None:
            if told[2].startswith("SELECT"):
                asked[told[2].split()[1].partition(".")[0]] += 1

        page(own, Selection(), 4)
    assert asked == dict.fromkeys(("plates", "defects", "tellings", "marks", "archive", "challenges"), 1)


ASKED = {
    "verdict": Selection(verdict=Verdict.OK),
    "verdict and time": Selection(since=BEGAN, verdict=Verdict.NG),
    "time": Selection(since=BEGAN, until=BEGAN + timedelta(hours=8)),
    "product": Selection(product="P1"),
    "batch": Selection(batch="B1"),
    "part": Selection(part="S7"),
    "cause": Selection(cause=Cause.FOCUS),
    "recipe": Selection(recipe="P10B"),
    "shift": Selection(shift=Shift(time(22), time(6))),
    "marked": Selection(marked=True),
    "circle": Selection(place=Circle(9, 9, 5)),
    "place": Selection(place=Box(0, 0, 9, 9)),
    "all": Selection(),
}


@pytest.mark.parametrize("name", ASKED)
def test_no_question_reads_through_all_rows(store: Store, name: str) -> None:
    asked: list[tuple[str, object]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        if statement.startswith("SELECT") and "sqlite_master" not in statement:
            asked.append((statement, parameters))

    engine = store._engine
    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        page(store, ASKED[name], 50)
        totals(store, ASKED[name])
        causes(store, ASKED[name])
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)
    assert len(asked) >= 3
    with store.transaction(write=False) as connection:
        for statement, parameters in asked:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()  # type: ignore[arg-type]
            steps = [str(row[-1]) for row in plan]
            whole = [step for step in steps if step.startswith("SCAN") and "COVERING INDEX" not in step]
            # The days of a shift are few.
            whole = [
                step for step in whole if step != "SCAN shifts" and not step.endswith(("CONSTANT ROWS", "CONSTANT ROW"))
            ]
            assert all(step == "SCAN plates" and "LIMIT" in statement for step in whole), (statement, steps)


def test_products_and_recipes_are_named_once_each(store: Store) -> None:
    assert names(store, "product", 10) == ["P0", "P1", "P2"]
    assert names(store, "product", 2) == ["P0", "P1"]
    assert names(store, "recipe", 10) == ["P10B"]
