"""Rows that a bad disk or a foreign program changed: read back, each is a value of its type or a clear refusal."""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from rich.console import Console

from daemon.store.archive import about, enter, files
from daemon.store.challenges import challenged, enter_challenge
from daemon.store.columns import DEFECT_COLUMNS, PLATE_COLUMNS, defect_rows
from daemon.store.golden import add_check, checks_of, set_standard, standard_of, why_overdue
from daemon.store.history import EVERYTHING, Selection, causes, totals
from daemon.store.marks import MarkError, add_mark
from daemon.store.period import read_period
from daemon.store.reading import faults, read_results, reader
from daemon.store.results import RunFacts, Store, StoreError, store_path
from daemon.store.rows import Telling
from daemon.store.schema import metadata
from daemon.store.tables import CsvTable
from daemon.store.tellings import Tellings
from daemon.store.view import results_json, show_results, words_of
from stages.challenge import Challenge, ChallengedDefect, Change, Kind
from stages.golden import Check, Standard
from stages.mark import Mark, MarkKind, Place, Shape
from stages.plate import Cause, Defect, PlateResult, Verdict

RUN, NEXT = "a" * 32, "b" * 32
FACTS = RunFacts(RUN, "P10B", simulated=True, product="P10B", batch_id="7")
NOW = datetime(2026, 11, 30, 8, 0, tzinfo=UTC)
CRACK = Defect(100, 200, 12, 80, 500, 0.8, 105, 240, edge=False, x_mm=1.0, probability=0.7)

Value = str | int | float | bytes | None
VALUES: tuple[Value, ...] = (
    None,
    "",
    "TOMORROW",
    "no json [",
    "{}",
    '["tomorrow"]',
    '[{"change": "new"}]',
    "null",
    "NaN",
    "2026-11-30",
    -1,
    5,
    1 << 62,
    0.5,
    1e308,
    float("inf"),
    b"\xff\x00",
    "9" * 300,
)
"""Of no use in most columns: nonsense, words of tomorrow, other types, numbers beyond all measure."""

TABLES = (
    "plates",
    "defects",
    "marks",
    "tellings",
    "archive",
    "challenges",
    "golden_standards",
    "golden_checks",
    "upkeep",
    "outputs",
)
COLUMNS = [(name, column.name) for name in TABLES for column in metadata.tables[name].c]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that has something in every table that is read back."""
    state = tmp_path_factory.mktemp("sound")
    with Store.open(store_path(state)) as store:
        store.begin_run(FACTS)
        tellings = Tellings(store)
        tellings.begin(["gate"])
        for plate in (1, 2, 3):
            store.commit_verdict(
                PlateResult(
                    RUN,
                    plate,
                    Verdict.NG,
                    (Cause.DEFECT,),
                    "a crack",
                    True,
                    900,
                    800,
                    4,
                    4,
                    1.0,
                    ("dim",),
                    (CRACK,) * 2,
                ),
                decided_at=NOW,
                latency_s=0.1,
                unevenness=0.1,
                optics=("dark",),
            )
            add_mark(store, Mark(plate, MarkKind.CONFIRMED, "anna", NOW, defect=1, why="crack"))
            add_mark(store, Mark(plate, MarkKind.MISSED, "anna", NOW, place=Place(Shape.BOX, 1, 2, 30, 40)))
            enter(store, plate, state / "archive" / f"{plate}.ome.tif", 12, "ab" * 32)
            new = ChallengedDefect(Change.NEW, 1, 2, 3, 4, 0.5, 0.5, None)
            enter_challenge(
                store, plate, Challenge("c" * 64, "next", Kind.DEFECTS, Verdict.NG, (Cause.DEFECT,), (new,))
            )
        tellings.store([(1, Telling("gate", "acknowledged", True, 1, NOW, NOW, "taken"))])
        set_standard(store, "P10B", [1], Standard((), {}))
        add_check(store, "P10B", 2, NOW, Check({"brightness": 80.0}, ("brightness 80",)))
        store.end_run()
    return store_path(state)


def lists(state: Path) -> None:
    found = read_results(state)
    out = io.StringIO()
    plates, defects = CsvTable(out, PLATE_COLUMNS), CsvTable(out, DEFECT_COLUMNS)
    for row in found.plates:
        json.dumps(results_json(row), allow_nan=False)
        assert all(map(str.isprintable, words_of(row)))
        plates.add(row)
        for defect in defect_rows(row):
            defects.add(defect)
    show_results(Console(file=out, width=200), list(found.plates), found.ledger)
    assert isinstance(faults(state), list)


def counts(state: Path) -> None:
    with Store.open(store_path(state), read_only=True) as store:
        totals(store, Selection(since=NOW))
        causes(store, EVERYTHING)


def reports(state: Path) -> None:
    with reader(state) as found:
        read_period(found, EVERYTHING)


def proves(state: Path) -> None:
    with Store.open(store_path(state), read_only=True) as store:
        store.check_rows()


def archives(state: Path) -> None:
    with Store.open(store_path(state), read_only=True) as store:
        about(store, 2)
        challenged(store, EVERYTHING)
        files(store)


def checks(state: Path) -> None:
    with Store.open(store_path(state), read_only=True) as store:
        why_overdue(store, "P10B", 8.0, NOW)
        standard_of(store, "P10B")
        checks_of(store, "P10B")


def tells(state: Path) -> None:
    with Store.open(store_path(state), read_only=True) as store:
        for due in Tellings(store).owed("gate", 10, ()):
            assert due.verdict is not Verdict.OK


def starts(state: Path) -> None:
    with Store.open(store_path(state)) as store:
        begun = store.begin_run(RunFacts(NEXT, "P10B", simulated=True))
        store.seen(NEXT, begun.first_plate, NOW)
        store.open_plates(NEXT)
        Tellings(store).begin(["gate", "lamp"])
        store.prune(90)


def marks(state: Path) -> None:
    with Store.open(store_path(state)) as store:
        add_mark(store, Mark(2, MarkKind.FALSE_ALARM, "bert", NOW, defect=2))


READERS: tuple[Callable[[Path], None], ...] = (lists, counts, reports, proves, archives, checks, tells, starts, marks)


def changed(state: Path, sound: Path, table: str, column: str, value: Value) -> bool:
    """Put a store there in which one value is another; False where the tables themselves refuse it."""
    for left in state.glob("results*"):
        left.unlink()
    store_path(state).write_bytes(sound.read_bytes())
    which = "plate = 2" if {"plate", "output"} <= set(metadata.tables[table].c.keys()) else "1"
    which = "plate = 2" if "plate" in metadata.tables[table].c and table != "tellings" else which
    with closing(sqlite3.connect(store_path(state))) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute("PRAGMA synchronous = OFF")
        rows = which + (" AND number = 2" if table == "defects" else "")
        try:
            connection.execute(f'UPDATE {table} SET "{column}" = ? WHERE {rows}', (value,))
        except sqlite3.IntegrityError:
            return False
        connection.commit()
    return True


def tried(state: Path, read: Callable[[Path], None]) -> None:
    """Anything but a refusal in words is a fault of the reader."""
    try:
        read(state)
        said = None
    except (StoreError, MarkError) as error:
        said = str(error)
    assert said is None or (len(said) > 20 and "\n" not in said)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.sampled_from(COLUMNS), value=st.sampled_from(VALUES), read=st.sampled_from(READERS))
@example(("plates", "causes"), 5, lists)
@example(("plates", "causes"), 5, tells)
@example(("plates", "losses"), "[]", lists)
@example(("plates", "seen_at"), 5, lists)
@example(("plates", "seen_at"), "2026-11-30", lists)
@example(("plates", "rows"), 1 << 62, reports)
@example(("plates", "coverage"), float("inf"), reports)
@example(("defects", "score"), float("inf"), lists)
@example(("defects", "peak_x"), 1 << 62, reports)
@example(("archive", "path"), b"\xff\x00", archives)
@example(("golden_checks", "failures"), "5", checks)
@example(("golden_checks", "failures"), "5", reports)
@example(("golden_standards", "standard"), "5", checks)
@example(("defects", "number"), "TOMORROW", marks)
@example(("defects", "number"), "NaN", reports)
@example(("plates", "rows"), "TOMORROW", marks)
@example(("plates", "uptime_s"), "TOMORROW", starts)
@example(("plates", "uptime_s"), float("inf"), starts)
def test_whatever_stands_in_a_column_is_a_value_of_its_type_or_refused_in_words(
    tmp_path: Path, sound: Path, place: tuple[str, str], value: Value, read: Callable[[Path], None]
) -> None:
    if changed(tmp_path, sound, *place, value):
        tried(tmp_path, read)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("table", TABLES)
def test_every_value_in_every_column_before_every_reader(tmp_path: Path, sound: Path, table: str) -> None:
    for (name, column), value in product(COLUMNS, VALUES):
        if name == table and changed(tmp_path, sound, name, column, value):
            for read in READERS:
                tried(tmp_path, read)


def test_a_plate_that_cannot_be_read_is_told_as_inconclusive_and_holds_up_no_other(tmp_path: Path, sound: Path) -> None:
    assert changed(tmp_path, sound, "plates", "causes", '["tomorrow"]')
    with Store.open(store_path(tmp_path), read_only=True) as store:
        due = {one.plate: one for one in Tellings(store).owed("gate", 10, ())}
    assert {plate: one.verdict for plate, one in due.items()} == {2: Verdict.INCONCLUSIVE, 3: Verdict.NG}
    assert due[2].causes == (Cause.STORE_FAILED,)
    assert "cannot be read" in due[2].reason


@pytest.mark.parametrize("value", ["TOMORROW", float("inf")])
def test_a_row_that_cannot_be_read_keeps_no_service_from_its_start(tmp_path: Path, sound: Path, value: Value) -> None:
    assert changed(tmp_path, sound, "plates", "uptime_s", value)
    starts(tmp_path)
    assert changed(tmp_path, sound, "upkeep", "highest_pruned", value)
    starts(tmp_path)


# --- a changed byte is named -----------------------------------------------------------------------------------------

SEALED = [(table, name) for table, name in COLUMNS if table in ("plates", "defects", "marks") and name != "id"]


def other(value: Value) -> Value:
    """The same with one character, or one bit, changed."""
    if isinstance(value, str):
        return f"{value[:-1]}{chr(ord(value[-1]) ^ 1)}" if value else "x"
    if isinstance(value, (int, float)):
        return type(value)(value + 1)
    return "x"


@pytest.mark.parametrize(("table", "column"), SEALED)
def test_a_changed_value_of_a_verdict_its_defects_and_its_marks_is_named(
    tmp_path: Path, sound: Path, table: str, column: str
) -> None:
    path = store_path(tmp_path)
    path.write_bytes(sound.read_bytes())
    where = "WHERE plate = 2" + {"defects": " AND number = 2", "marks": " AND kind = 'confirmed'"}.get(table, "")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        (value,) = connection.execute(f'SELECT "{column}" FROM {table} {where}').fetchone()
        becomes = 77 if column in ("plate", "number") else other(value)
        connection.execute(f'UPDATE {table} SET "{column}" = ? {where}', (becomes,))
        connection.commit()
    with Store.open(path, read_only=True) as store:
        rows = store.check_rows()
    named = rows.changed_marks if table == "marks" else rows.changed
    assert named == ((77,) if column == "plate" and table != "defects" else (2,))
    assert not rows.sound


def test_a_verdict_that_was_taken_out_of_a_row_is_named(tmp_path: Path, sound: Path) -> None:
    assert changed(tmp_path, sound, "plates", "verdict", None)
    with Store.open(store_path(tmp_path), read_only=True) as store:
        assert store.check_rows().changed == (2,)


def test_a_new_checksum_for_its_pictures_hides_no_change(tmp_path: Path, sound: Path) -> None:
    assert changed(tmp_path, sound, "plates", "verdict", "OK")
    with Store.open(store_path(tmp_path)) as store:
        store.set_pictures(1, tmp_path / "pictures" / "1")
        store.set_pictures(2, tmp_path / "pictures" / "2")
        assert store.check_rows().changed == (2,)


# --- the file itself -------------------------------------------------------------------------------------------------


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 1 << 20), read=st.sampled_from(READERS))
def test_a_store_that_was_cut_off_anywhere_is_read_or_refused_in_words(
    tmp_path: Path, sound: Path, cut: int, read: Callable[[Path], None]
) -> None:
    for left in tmp_path.glob("results*"):
        left.unlink()
    whole = sound.read_bytes()
    store_path(tmp_path).write_bytes(whole[: cut % len(whole)])
    tried(tmp_path, read)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    damage=st.lists(st.tuples(st.integers(0, 1 << 20), st.binary(min_size=1, max_size=8)), min_size=1, max_size=4),
    read=st.sampled_from(READERS),
)
def test_a_store_that_was_garbled_anywhere_is_read_or_refused_in_words(
    tmp_path: Path, sound: Path, damage: list[tuple[int, bytes]], read: Callable[[Path], None]
) -> None:
    for left in tmp_path.glob("results*"):
        left.unlink()
    garbled = bytearray(sound.read_bytes())
    for place, garbage in damage:
        at = place % (len(garbled) - len(garbage))
        garbled[at : at + len(garbage)] = garbage
    store_path(tmp_path).write_bytes(garbled)
    tried(tmp_path, read)


def test_tables_whose_description_is_no_text_are_refused_in_words(tmp_path: Path, sound: Path) -> None:
    whole = sound.read_bytes()
    begins = whole.index(b"CREATE TABLE")
    for place in range(begins - 40, begins + 40):
        for left in tmp_path.glob("results*"):
            left.unlink()
        store_path(tmp_path).write_bytes(whole[:place] + b"\x80" + whole[place + 1 :])
        tried(tmp_path, lists)
