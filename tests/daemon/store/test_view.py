"""Stored results as a table and as JSON."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

from rich.console import Console

from daemon.store.results import RunFacts, Store, store_path
from daemon.store.rows import Ledger, PlateRow
from daemon.store.view import ledger_line, results_json, results_table
from stages.plate import Cause, Defect, PlateResult, Verdict
from stages.plc import Part

RUN = "a" * 32
NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)


def stored(tmp_path: Path) -> list[PlateRow]:
    defect = Defect(5, 6, 21, 90, 800, 0.75, 15, 50, edge=True, x_mm=0.25, probability=0.872)
    ng = PlateResult(
        RUN, 1, Verdict.NG, (Cause.DEFECT,), "1 [defect]", True, 9, 8, 4, 4, 0.987, ("dim",), defects=(defect,)
    )
    with Store.open(store_path(tmp_path)) as store:
        store.begin_run(RunFacts(RUN, "P10B", simulated=True))
        store.commit_verdict(ng, decided_at=NOW, latency_s=0.0421)
        store.seen(RUN, 2, NOW)
        return store.plates()


def test_the_table_says_what_an_operator_asks(tmp_path: Path) -> None:
    out = StringIO()
    Console(file=out, width=160).print(results_table(stored(tmp_path)))
    opened, decided = (line for line in out.getvalue().splitlines() if "P10B" in line)
    assert "open" in opened
    for text in ("NG", "87 %", "98.7 %", "0.04 s", "P10B (sim)", "1 [defect]; dim"):
        assert text in decided


def test_vetoed_defects_are_counted_apart_where_there_are_any(tmp_path: Path) -> None:
    rows = stored(tmp_path)
    row = rows[1]
    vetoed = replace(row.defects[0], vetoed=True)

    def said(*defects: Defect) -> list[list[str]]:
        out = StringIO()
        Console(file=out, width=160).print(results_table([rows[0], replace(row, defects=defects)]))
        return [line.split() for line in out.getvalue().splitlines()]

    head, _, decided = said(row.defects[0], vetoed, vetoed)
    assert head[4:6] == ["defects", "vetoed"]
    assert decided[decided.index("NG") + 1 :][:2] == ["1", "2"]
    head, _, decided = said(row.defects[0])
    assert "vetoed" not in head
    assert decided[decided.index("NG") + 1] == "1"


def test_versions_of_a_recipe_are_told_apart_by_their_hash_where_there_are_several(tmp_path: Path) -> None:
    row = replace(stored(tmp_path)[1], recipe_sha256="3fa9c1277e")
    other = replace(row, plate=2, recipe="02CG", recipe_sha256="9999999999")

    def said(*rows: PlateRow) -> list[str]:
        out = StringIO()
        Console(file=out, width=80).print(results_table(rows, reasons=False))
        lines = out.getvalue().splitlines()
        assert max(map(len, lines)) <= 80
        return [line for line in lines if "NG" in line]

    assert all("(sim)" in line and "3fa9c12" not in line for line in said(row, other))
    changed, _, first = said(replace(row, plate=3, recipe_sha256="0b" * 32), other, row)
    assert "P10B 0b0b0b0 (sim)" in changed
    assert "P10B 3fa9c12 (sim)" in first
    assert "02CG (sim)" in said(replace(row, plate=3, recipe_sha256=None), other, row)[1]


def test_json_keeps_everything_and_is_json(tmp_path: Path) -> None:
    opened, decided = (json.loads(json.dumps(results_json(row), allow_nan=False)) for row in stored(tmp_path))
    assert (opened["plate"], opened["verdict"], opened["defects"], opened["causes"]) == (2, None, [], [])
    assert (decided["verdict"], decided["causes"], decided["warnings"]) == ("NG", ["defect"], ["dim"])
    assert decided["decided_at"] == "2026-05-04T03:02:01+00:00"
    assert decided["defects"][0]["x_mm"] == 0.25
    assert decided["defects"][0]["edge"] is True
    assert (decided["defects"][0]["probability"], decided["defects"][0]["vetoed"]) == (0.872, False)
    columns = {*PlateRow.__dataclass_fields__} - {"archive"} | {f"archive_{name}" for name in ("path", "missing")}
    assert set(opened) == set(decided) >= columns


def test_where_a_plate_comes_from_is_in_the_table_and_in_json_whatever_it_is_called(tmp_path: Path) -> None:
    hostile = "=1+1\x1b[2J\n[bold]<b>"
    with Store.open(store_path(tmp_path)) as store:
        store.begin_run(RunFacts(RUN, "P10B", simulated=False, batch_id="B7"))
        store.seen(RUN, 1, NOW, "../../1.png", part=Part(hostile), camera=hostile)
        (row,) = store.plates()
    out = StringIO()
    Console(file=out, width=200).print(results_table([row]))
    assert out.getvalue().count("=1+1\\x1b[2J\\x0a[bold]<b>") == 2
    assert "../../1.png" in out.getvalue()
    plain = json.loads(json.dumps(results_json(row)))
    found = {name: plain[name] for name in ("image", "camera", "part_id", "batch_id")}
    assert found == {"image": "../../1.png", "camera": hostile, "part_id": hostile, "batch_id": "B7"}


def test_the_ledger_reads_as_a_sum() -> None:
    assert ledger_line(Ledger(6, 3, 2, 1, 0)) == "6 seen = 3 OK + 2 NG + 1 INCONCLUSIVE + 0 open"
