"""`linesentry reinspect`: what a candidate would change, told whole, whoever wrote the ids of the parts."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from daemon.cli.app import app
from daemon.store.marks import add_mark
from daemon.store.results import RunFacts, Store, store_path
from stages.mark import Mark, MarkKind, Place, Shape
from stages.plate import Cause, PlateResult, Verdict
from tests.archived import SEEN_AT, ArchivedPlates, archived_plates

HOSTILE = '=cmd|"/c calc"!A1<script>alert(1)</script>\x1b[31m'
LOSES = "threshold: {floor: 6}\n"
"""Defects that the line found are none by this recipe."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> ArchivedPlates:
    """Two plates with cracks, a clean one, and one that no file has."""
    found = archived_plates(tmp_path_factory.mktemp("made"), (HOSTILE, None, None))
    with Store.open(store_path(found.state)) as store:
        store.begin_run(RunFacts("d" * 32, "little", simulated=True, product="little"))
        store.seen("d" * 32, 4, SEEN_AT)
        result = PlateResult("d" * 32, 4, Verdict.INCONCLUSIVE, (Cause.OVERLOAD,), "no slot", False, 0, 0, 0, 0, None)
        store.commit_verdict(result, decided_at=SEEN_AT)
    return found


@pytest.fixture
def plates(made: ArchivedPlates, tmp_path: Path) -> ArchivedPlates:
    """The same, to do with as one likes."""
    folder = tmp_path / "line"
    shutil.copytree(made.state.parent, folder)
    return ArchivedPlates(folder / "state", folder / "line.yaml", folder / "little.yaml", made.rows)


def reinspect(plates: ArchivedPlates, *words: str | Path) -> Result:
    given = ("--config", plates.config, "--state", plates.state, "--workers", "1")
    return CliRunner().invoke(app, ["reinspect", *map(str, given), *map(str, words)])


def test_a_candidate_that_loses_defects_is_told_of_each_way_and_a_second_time_at_no_cost(
    plates: ArchivedPlates, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    with Store.open(store_path(plates.state)) as store:
        lost = len(plates.rows[0].defects)
        add_mark(store, Mark(1, MarkKind.FALSE_ALARM, "anna", now, lost))
        add_mark(store, Mark(1, MarkKind.CONFIRMED, "anna", now, 1))
        add_mark(store, Mark(3, MarkKind.MISSED, "anna", now, place=Place(Shape.LINE, 10, 10, 90, 90)))
    words = ("--recipe", plates.candidate(LOSES), "--out", tmp_path / "out")
    told = reinspect(plates, *words)
    assert told.exit_code == 0, told.output
    assert f"defect {lost} gone" in told.stdout
    assert "marked false alarm" in told.stdout
    assert re.search(r"false alarms gone +1 of 1 = 100", told.stdout)
    assert re.search(r"confirmed cracks still found +1 of 1 = 100", told.stdout)
    assert re.search(r"missed cracks found now +0 of 1 = 0", told.stdout)
    assert "1 not archived" in told.stdout
    (page,) = (tmp_path / "out").glob("candidate-*.html")
    text = page.read_text("utf-8")
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert "\x1b" not in text
    assert "data:image/png" in text
    assert not re.search(r"""(?:src|href)=["'](?!data:)""", text)
    # What is kept is enough: no file is read again, and it is the same to the letter.
    for file in (plates.state / "archive").glob("*/*.tif"):
        file.unlink()
    again = reinspect(plates, *words, "--csv")
    assert again.exit_code == 0
    rows = list(csv.DictReader(io.StringIO(again.stdout)))
    assert [row["plate"] for row in rows if not row["change"]] == ["4", "3", "2", "1"]
    outcomes = {row["plate"]: row["outcome"] for row in rows}
    assert outcomes["3"] == "unchanged"
    assert outcomes["4"] == "not archived"
    assert outcomes["1"] == "defects"
    gone = next(row for row in rows if row["plate"] == "1" and row["defect"] == str(lost))
    assert (gone["change"], gone["mark"], gone["candidate_defect"]) == ("gone", "false alarm", "")
    assert gone["part_id"].startswith("'=")
    objects = [json.loads(line) for line in reinspect(plates, *words, "--json").stdout.splitlines()]
    assert [len(one["changes"]) for one in objects] == [0, 0, *(len(_changes(rows, plate)) for plate in "21")]


def _changes(rows: list[dict[str, str]], plate: str) -> list[dict[str, str]]:
    return [row for row in rows if row["plate"] == plate and row["change"]]


def test_files_that_are_damaged_or_missing_are_told_and_counted_and_never_unchanged(
    plates: ArchivedPlates, tmp_path: Path
) -> None:
    plates.file(1).write_bytes(plates.file(1).read_bytes()[:-1])
    plates.file(2).unlink()
    told = reinspect(plates, "--out", tmp_path / "out")
    assert told.exit_code == 1
    assert "file damaged" in told.stdout
    assert "checksum" in told.stdout
    assert "file missing" in told.stdout
    ledger = told.stdout.strip().splitlines()[-1]
    assert sorted(re.split(r" \+ | = ", ledger)) == [
        "1 file damaged",
        "1 file missing",
        "1 not archived",
        "1 unchanged",
        "4 plates",
    ]
    assert "2 plates could not be inspected anew" in told.output
    (page,) = (tmp_path / "out").glob("little-*.html")
    assert "Not all plates could be inspected anew" in page.read_text("utf-8")


def test_a_plate_that_is_too_wide_for_the_candidate_is_left_out_by_name(plates: ArchivedPlates, tmp_path: Path) -> None:
    path = plates.candidate("")
    path.write_text(path.read_text().replace("last: 700", "last: 640"))
    told = reinspect(plates, "--recipe", path, "--out", tmp_path / "out")
    assert told.exit_code == 0
    assert "3 other width" in told.stdout


def test_wrong_usage_is_told_before_any_plate_is_read(plates: ArchivedPlates, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for words, said in (
        (("--json", "--csv"), "give one"),
        (("--dask", "tcp://127.0.0.1:9"), "give it or --workers"),
        (("--recipe", "nonesuch"), "nonesuch"),
        (("--weights", str(tmp_path / "none.pt")), "none.pt: No such file"),
        (("--since", "2026-13-01"), "is no moment"),
    ):
        told = reinspect(plates, "--out", out, *words)
        assert (told.exit_code, said in told.output) == (2, True), told.output
    none = reinspect(plates, "--out", out, "--until", "2020-01-01")
    assert none.exit_code == 1
    assert "no plate is selected" in none.output
