"""A period read column by column says what its rows say."""

from __future__ import annotations

import math
import shutil
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from daemon.store.events import note
from daemon.store.golden import add_check
from daemon.store.history import Selection
from daemon.store.journal import Journal, journal_path
from daemon.store.marks import add_mark
from daemon.store.period import CODES, OPEN, Period, Product, read_period
from daemon.store.reading import reader
from daemon.store.results import RunFacts, Store, store_path
from models.detector.findings import Quality
from stages.golden import Check
from stages.mark import Mark, MarkKind, Place, Shape
from stages.plate import Cause, Defect, PlateResult, Verdict
from stages.plc import Part

RUN = "a" * 32
FACTS = RunFacts(RUN, "P10B", simulated=True, product="P10B")
BEGAN = datetime(2026, 11, 30, 6, 0, tzinfo=UTC)
FORMER = Path(__file__).parent / "former" / "results.sqlite"
SMALL = Defect(10, 20, 30, 40, 500, 0.8, 25, 40, edge=False, x_mm=0.4, y_mm=1.0, width_mm=1.2, height_mm=2.0)
VETOED = Defect(50, 60, 5, 6, 20, 0.6, 52, 63, edge=False, probability=0.1, vetoed=True)

WHY: dict[Verdict, tuple[Cause, ...]] = {
    Verdict.OK: (),
    Verdict.NG: (Cause.DEFECT, Cause.FOCUS),
    Verdict.INCONCLUSIVE: (Cause.GOLDEN_SHEET,),
}


@pytest.fixture
def state(made: Path, tmp_path: Path) -> Path:
    """A copy of them, to be changed."""
    return Path(shutil.copytree(made, tmp_path / "state"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten plates of two products: every third NG with two defects, one the golden sheet, the last one open."""
    state = tmp_path_factory.mktemp("made")
    with Store.open(store_path(state)) as store:
        store.begin_run(FACTS)
        for plate in range(1, 11):
            at = BEGAN + timedelta(minutes=plate)
            facts = replace(FACTS, product="U20B" if plate % 2 else "P10B")
            store.seen(
                RUN, plate, at, image=f"{plate % 5}.png", facts=facts, part=Part("S7", None) if plate == 9 else None
            )
            if plate == 10:
                continue
            verdict = Verdict.INCONCLUSIVE if plate == 5 else Verdict.OK if plate % 3 else Verdict.NG
            why = WHY[verdict]
            quality = Quality(lit=10, total=1200.0 + plate, squares=144_900.0, unmasked=10) if plate != 2 else Quality()
            found = (SMALL, VETOED) if plate % 3 == 0 else ()
            store.commit_verdict(
                PlateResult(RUN, plate, verdict, why, "", True, 900, 700, 4, 3, 0.9, defects=found, quality=quality),
                decided_at=at,
                unevenness=0.05,
            )
        add_mark(store, Mark(3, MarkKind.CONFIRMED, "ann", BEGAN, 1))
        add_mark(store, Mark(3, MarkKind.FALSE_ALARM, "ben", BEGAN, 1, why="dust"))
        add_mark(store, Mark(4, MarkKind.MISSED, "ann", BEGAN, None, Place(Shape.BOX, 1, 1, 9, 9)))
        add_check(store, "P10B", 5, BEGAN + timedelta(minutes=5), Check({"missed": 1.0}, ("missed 1",)))
        add_check(store, "P10B", 5, BEGAN - timedelta(days=5), Check({"missed": 0.0}, ()))
        note(store, RUN, "optics", "light: lost 12 %", 4)
    return state


def period(state: Path, selection: Selection = Selection()) -> Period:  # noqa: B008 - it is frozen
    with reader(state) as found:
        return read_period(found, selection)


def same(one: float | None, other: float) -> bool:
    return math.isnan(other) if one is None else one == pytest.approx(other)


@pytest.mark.parametrize("selection", [Selection(), Selection(product="U20B"), Selection(verdict=Verdict.NG)])
def test_columns_say_what_rows_say(state: Path, selection: Selection) -> None:
    with reader(state) as found:
        rows = list(reversed(list(found.plates(selection))))
    read = period(state, selection)
    assert read.plates.number.tolist() == [row.plate for row in rows]
    assert [datetime.fromtimestamp(at, UTC) for at in read.plates.at] == [row.seen_at for row in rows]
    codes = [OPEN if row.verdict is None else CODES[row.verdict] for row in rows]
    assert read.plates.verdict.tolist() == codes
    for place, row in enumerate(rows):
        assert read.products[read.plates.product[place]] == Product(row.product, row.recipe)
        for name in ("coverage", "brightness", "contrast", "focus", "unevenness"):
            assert same(getattr(row, name), getattr(read.plates, name)[place]), name
        whole = (read.plates.rows, read.plates.columns, read.plates.windows, read.plates.scored)
        assert [int(one[place]) for one in whole] == [
            one or 0 for one in (row.rows, row.columns, row.windows, row.windows_scored)
        ]
        here = read.found.plate == place
        assert int(here.sum()) == len(row.defects)
        assert list(zip(read.found.x[here], read.found.y[here], read.found.vetoed[here], strict=True)) == [
            (one.peak_x, one.peak_y, one.vetoed) for one in row.defects
        ]
    assert read.ledger.seen == len(rows)


def test_causes_marks_checks_and_alarms_are_those_of_the_plates(state: Path) -> None:
    read = period(state)
    assert read.causes == {
        (Verdict.NG, Cause.DEFECT): 3,
        (Verdict.NG, Cause.FOCUS): 3,
        (Verdict.INCONCLUSIVE, Cause.GOLDEN_SHEET): 1,
    }
    assert [(mark.plate, mark.kind) for mark in read.marks] == [(3, MarkKind.FALSE_ALARM), (4, MarkKind.MISSED)]
    assert read.plates.number[read.plates.golden].tolist() == [5]
    assert read.simulated == 10
    assert [(one.passed, one.failures) for one in read.checks] == [(True, ()), (False, ("missed 1",))]
    assert [text for _, text in read.optics] == ["light: lost 12 %"]
    later = period(state, Selection(since=BEGAN))
    assert [one.passed for one in later.checks] == [False]
    none = period(state, Selection(product="P10B", until=BEGAN + timedelta(minutes=3)))
    assert (none.plates.number.tolist(), none.marks, none.optics) == ([2], (), ())


def test_a_sheet_that_passed_again_is_told_by_its_part_id_or_its_image(state: Path) -> None:
    sheet = period(state).plates.sheet.tolist()
    # Images come round every five plates; plate 9 has an id of its own.
    assert sheet[0] == sheet[5]
    assert sheet[2] == sheet[7]
    assert sheet.count(sheet[8]) == 1


def test_rows_that_somebody_made_unreadable_are_left_out_and_counted(state: Path) -> None:
    with closing(sqlite3.connect(store_path(state))) as connection:
        connection.execute("UPDATE plates SET brightness = 'bright' WHERE plate = 1")
        connection.execute("UPDATE plates SET causes = '[\"gremlins\"]' WHERE plate = 2")
        connection.execute("UPDATE defects SET peak_x = 'left' WHERE plate = 3 AND number = 2")
        connection.commit()
    read = period(state)
    assert read.unreadable == 3
    assert read.plates.number.tolist() == [3, 4, 5, 6, 7, 8, 9, 10]
    assert (read.found.plate == 0).sum() == 1


def test_plates_that_only_the_journal_knows_are_open(state: Path) -> None:
    with closing(Journal(journal_path(state), FACTS, 0, time.monotonic)) as journal:
        journal.seen(11, BEGAN + timedelta(minutes=11))
    read = period(state)
    assert (read.ledger.seen, read.ledger.open, len(read.plates.number)) == (11, 2, 10)


def test_nothing_selected_is_nothing_and_a_store_of_a_former_version_is_read(state: Path, tmp_path: Path) -> None:
    read = period(state, Selection(product="none"))
    assert (len(read.plates.number), len(read.found.x), read.products, read.ledger.seen) == (0, 0, (), 0)
    former = tmp_path / "former"
    former.mkdir()
    shutil.copy(FORMER, former)
    read = period(former)
    assert read.plates.verdict.tolist() == [CODES[Verdict.OK], CODES[Verdict.NG], OPEN]
    assert len(read.found.x) == 3
    assert np.isnan(read.plates.unevenness).all()
    assert (read.marks, read.checks) == ((), ())
