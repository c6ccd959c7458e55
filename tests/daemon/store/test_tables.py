"""Plates and defects as CSV, Parquet and JSON: the same columns, whatever people and files are called."""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO
from operator import attrgetter
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.store.columns import DEFECT_COLUMNS, PLATE_COLUMNS, Kind, defect_rows
from daemon.store.marks import add_mark
from daemon.store.results import RunFacts, Store, store_path
from daemon.store.rows import PlateRow
from daemon.store.tables import CsvTable, TableError, as_json, write_parquet
from daemon.store.view import NESTED, results_json
from stages.mark import Mark, MarkKind, Place, Shape
from stages.plate import Cause, Defect, PlateResult, Verdict
from stages.plc import Part

RUN = "a" * 32
NOW = datetime(2026, 5, 4, 3, 2, 1, 5000, tzinfo=UTC)
HOSTILE = (
    '=cmd|"/c calc"!A1',
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1+1",
    "\r=1+1",
    "  =1+1",
    "\uff1d1+1",
    "x;=1+1",
    '",=1+1',
    "a\nb",
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "\x1b[2J",
)


@pytest.fixture
def row(tmp_path: Path) -> PlateRow:
    """A plate with two defects, of which one is marked, and a missed crack."""
    defects = (
        Defect(5, 6, 21, 90, 800, 0.75, 15, 50, edge=True, x_mm=-0.25, probability=0.872),
        Defect(50, 60, 9, 9, 40, 0.5, 55, 64, edge=False, vetoed=True),
    )
    result = PlateResult(
        RUN, 1, Verdict.NG, (Cause.DEFECT, Cause.FOCUS), "1 [defect]", True, 99, 88, 4, 4, 0.987, ("dim",), defects
    )
    with Store.open(store_path(tmp_path)) as store:
        store.begin_run(RunFacts(RUN, "P10B", simulated=True, batch_id="B1"))
        store.seen(RUN, 1, NOW, part=Part("-17"))
        store.commit_verdict(result, decided_at=NOW, latency_s=0.0421)
        add_mark(store, Mark(1, MarkKind.FALSE_ALARM, "=Ann", NOW, 1, None, "dust"))
        add_mark(store, Mark(1, MarkKind.MISSED, "Bob", NOW, None, Place(Shape.LINE, 3, 4, 60, 70)))
        (row,) = store.plates()
        return row


def as_csv(columns: Sequence[Any], *rows: object) -> list[dict[str, str]]:
    out = StringIO(newline="")
    table = CsvTable(out, columns)
    for one in rows:
        table.add(one)
    assert len(out.getvalue().splitlines()) == 1 + len(rows)
    return list(csv.DictReader(StringIO(out.getvalue(), newline="")))


def test_csv_parquet_and_json_have_the_same_columns_and_values(row: PlateRow, tmp_path: Path) -> None:
    (cells,) = as_csv(PLATE_COLUMNS, row)
    assert write_parquet(tmp_path / "plates.parquet", PLATE_COLUMNS, [row]) == 1
    (stored,) = pyarrow.parquet.read_table(tmp_path / "plates.parquet").to_pylist()
    plain = json.loads(json.dumps(results_json(row), allow_nan=False))
    names = [column.name for column in PLATE_COLUMNS]
    assert list(cells) == list(stored) == names
    assert list(plain) == [*names, *NESTED]
    for column in PLATE_COLUMNS:
        value = plain[column.name]
        if column.kind is Kind.TIME:
            assert datetime.fromisoformat(value) == stored[column.name] == datetime.fromisoformat(cells[column.name])
            continue
        assert stored[column.name] == value
        if value is None:
            assert cells[column.name] == ""
        elif column.kind in (Kind.INTEGER, Kind.NUMBER):
            assert float(cells[column.name]) == value
    assert (cells["causes"], plain["causes"]) == ("defect; focus", ["defect", "focus"])
    assert (cells["simulated"], cells["defect_count"], cells["vetoed_count"]) == ("true", "1", "1")
    assert (cells["worst_score"], cells["false_alarm_count"], cells["missed_count"]) == ("0.75", "1", "1")
    assert (cells["part_id"], plain["part_id"]) == ("'-17", "-17")


def test_each_defect_and_each_missed_crack_is_a_row(row: PlateRow, tmp_path: Path) -> None:
    first, second, missed = as_csv(DEFECT_COLUMNS, *defect_rows(row))
    assert (first["defect"], first["x_mm"], first["mark"], first["mark_why"]) == ("1", "-0.25", "false alarm", "dust")
    assert first["mark_who"] == "'=Ann"
    assert (second["score"], second["vetoed"], second["mark"]) == ("0.5", "true", "")
    assert (missed["defect"], missed["x"], missed["mark"], missed["missed_shape"]) == ("", "", "missed crack", "line")
    assert [missed[f"missed_{name}"] for name in ("x0", "y0", "x1", "y1")] == ["3", "4", "60", "70"]
    assert write_parquet(tmp_path / "d.parquet", DEFECT_COLUMNS, defect_rows(row)) == 3
    strange = replace(row, defects=(replace(row.defects[1], score=math.nan),))
    assert as_json(defect_rows(strange)[0], DEFECT_COLUMNS)["score"] is None
    assert as_csv(DEFECT_COLUMNS, *defect_rows(strange))[0]["score"] == ""


@pytest.mark.parametrize("text", HOSTILE)
def test_no_spreadsheet_calculates_what_somebody_is_called(row: PlateRow, text: str) -> None:
    (cells,) = as_csv(PLATE_COLUMNS, replace(row, part_id=text, image=text, warnings=("dim", text)))
    for name in ("part_id", "image", "warnings"):
        for cell in cells[name].split(";"):  # as a spreadsheet does whose list separator that is
            assert not cell.lstrip().startswith(("=", "+", "-", "@", "\uff1d"))
        assert cells[name].isprintable()
    assert results_json(replace(row, part_id=text))["part_id"] == text


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_whatever_stands_in_a_cell_is_one_line_and_one_cell(text: str) -> None:
    columns = [column for column in DEFECT_COLUMNS if column.name == "mark_who"]
    mark = Mark(1, MarkKind.CONFIRMED, text, NOW, 1)
    (cells,) = as_csv([replace(columns[0], value=attrgetter("who"))], mark)
    assert not cells["mark_who"].startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


def test_what_parquet_needs_is_said_where_it_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(TableError, match=r"pip install 'linesentry\[parquet\]'"):
        write_parquet(tmp_path / "plates.parquet", PLATE_COLUMNS, [])
    assert list(tmp_path.iterdir()) == []
