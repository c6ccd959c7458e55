"""`linesentry results`: the latest plates, whole in a pipe and at a terminal."""

from __future__ import annotations

import csv
import json
import sqlite3
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from daemon.cli.app import app
from daemon.store.results import RunFacts, Store, store_path
from stages.plate import Cause, PlateResult, Verdict
from stages.plc import Part
from tests.command import linesentry
from tests.daemon.cli.test_options import at_a_terminal

RUN = "a" * 32
NOW = datetime.now(UTC)
REASON = "focus 0.020 in 3 of 33 bands, least is 0.080; the camera's lens may be dirty, or the sheet may have lifted"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    result = PlateResult(
        run=RUN,
        plate=1,
        verdict=Verdict.INCONCLUSIVE,
        causes=(Cause.FOCUS,),
        reason=REASON,
        complete=True,
        rows=19_214,
        columns=9_777,
        windows=561,
        windows_scored=561,
        coverage=1.0,
    )
    with Store.open(store_path(tmp_path)) as store:
        store.begin_run(RunFacts(RUN, "EA10B-thick", simulated=True))
        store.commit_verdict(result, decided_at=datetime.now(UTC), latency_s=12.34)
    return tmp_path


def test_a_plate_is_one_whole_line_of_a_pipe(state: Path) -> None:
    answer = linesentry("results", "--state", state)
    (row,) = (line for line in answer.stdout.splitlines() if "EA10B" in line)
    for text in ("EA10B-thick (sim)", "INCONCLUSIVE", "100.0 %", "12.34 s", REASON):
        assert text in row


@pytest.mark.parametrize("columns", [80, 60, 200])
def test_nothing_of_a_verdict_is_cut_at_a_terminal(state: Path, columns: int) -> None:
    command = [sys.executable, "-m", "daemon", "results", "--state", str(state)]
    said = at_a_terminal(command, columns)
    assert "\u2026" not in said
    assert max(map(len, said.splitlines())) <= columns
    assert REASON.replace(" ", "") in "".join(said.split())
    if columns >= 80:
        assert "INCONCLUSIVE" in said


def test_results_before_any_run_say_what_to_do(tmp_path: Path) -> None:
    state = tmp_path / "state"
    answer = linesentry("results", "--state", state)
    assert answer.returncode == 1
    assert not state.exists()
    assert "linesentry run" in answer.stderr


def test_a_narrow_terminal_has_whole_verdicts_and_says_which_columns_are_not_there(tmp_path: Path) -> None:
    columns = 80
    with Store.open(store_path(tmp_path)) as store:
        store.begin_run(RunFacts(RUN, "EA10B-thick", simulated=True))
        for plate, verdict in ((128_041, Verdict.INCONCLUSIVE), (128_042, Verdict.NG)):
            store.seen(RUN, plate, NOW, f"sheet-{plate}-of-the-night.png", part=Part("S-000815"), camera="24811")
            store.commit_verdict(
                PlateResult(RUN, plate, verdict, (), REASON, True, 9, 9, 1, 1, 1.0), decided_at=NOW, latency_s=12.3
            )
    lines = at_a_terminal([sys.executable, "-m", "daemon", "results", "--state", str(tmp_path)], columns).splitlines()
    assert max(map(len, lines)) <= columns
    rows = [line for line in lines if line.startswith("128")]
    assert len(rows) == 2
    assert ["NG" in rows[0].split(), "INCONCLUSIVE" in rows[1].split()] == [True, True]
    (left_out,) = (line for line in lines if "in a wider window also" in line)
    assert all(name in left_out for name in ("latency", "image"))


def test_programs_get_all_plates_that_are_meant_and_people_the_latest(tmp_path: Path) -> None:
    def results(*words: str) -> Result:
        return CliRunner().invoke(app, ["results", "--state", str(tmp_path), *words])

    with Store.open(store_path(tmp_path)) as store:
        store.begin_run(RunFacts(RUN, "P10B", simulated=True))
        for plate in range(1, 31):
            store.seen(RUN, plate, NOW, "=1+1\n<b>.png", part=Part(f"S{plate}"))
    rows = list(csv.DictReader(results("--csv").stdout.splitlines()))
    assert [row["plate"] for row in rows] == [str(plate) for plate in range(30, 0, -1)]
    assert {row["image"] for row in rows} == {"'=1+1\\x0a<b>.png"}
    answer = results("--part", "S7", "--since", "1d")
    assert "S7 " in answer.stdout
    assert "1 seen = 0 OK + 0 NG + 0 INCONCLUSIVE + 1 open\nof all: 30 seen" in answer.stdout
    assert "the latest 20 of 30 plates; --limit 30 has all" in results().stderr
    assert len(results("--json", "--limit", "3").stdout.splitlines()) == 3
    answer = results("--csv", "--json")
    assert (answer.exit_code, answer.stdout) == (2, "")


def test_whether_all_is_as_it_was_written_is_proved(state: Path) -> None:
    with Store.open(store_path(state)) as store:
        store.end_run()
    sound = linesentry("results", "--verify", "--state", state)
    assert (sound.returncode, sound.stdout) == (0, "1 plates, 0 of them open: as written\n")
    with closing(sqlite3.connect(store_path(state))) as connection:
        connection.execute("UPDATE plates SET coverage = 0.5")
        connection.commit()
    changed = linesentry("results", "--verify", "--json", "--state", state)
    assert changed.returncode == 1
    assert json.loads(changed.stdout)["changed"] == [1]
    assert "changed since they were written: plate 1" in changed.stderr


def test_to_prove_is_no_form_of_a_list(state: Path) -> None:
    answer = linesentry("results", "--verify", "--csv", "--state", state)
    assert answer.returncode == 2
    assert "--verify looks at all" in answer.stderr
