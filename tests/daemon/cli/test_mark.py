"""`linesentry mark`: what a person says of a plate, as `linesentry results` then shows it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from daemon.cli.app import app
from daemon.store.results import RunFacts, Store, store_path
from stages.plate import Cause, Defect, PlateResult, Verdict
from tests.command import linesentry

RUN = "a" * 32
CRACK = Defect(100, 200, 12, 80, 500, 0.8, 105, 240, edge=False)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    with Store.open(store_path(tmp_path)) as store:
        store.begin_run(RunFacts(RUN, "P10B", simulated=True))
        found = PlateResult(RUN, 1, Verdict.NG, (Cause.DEFECT,), "", True, 900, 800, 1, 1, 1.0, defects=(CRACK, CRACK))
        store.commit_verdict(found, decided_at=datetime.now(UTC))
    return tmp_path


def mark(state: Path, *words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["mark", *words, "--state", str(state)])
    return done.exit_code, done.stdout, done.stderr


def test_a_false_alarm_is_in_the_results(state: Path) -> None:
    done = linesentry("mark", "1", "2", "--false-alarm", "--why", "dust", "--who", "anna", "--state", state)
    assert (done.returncode, done.stdout) == (0, "plate 1, defect 2: false alarm (dust), by anna\n")
    assert mark(state, "1", "--missed-line", "5,6,7,8", "--who", "bert")[0] == 0
    shown = linesentry("results", "--state", state).stdout
    assert "1 false alarm, 1 missed crack" in shown
    (row,) = map(json.loads, linesentry("results", "--json", "--state", state).stdout.splitlines())
    first, second = row["marks"]
    assert datetime.fromisoformat(first.pop("at")).tzinfo is not None
    assert first == {"plate": 1, "kind": "false alarm", "who": "anna", "defect": 2, "place": None, "why": "dust"}
    assert second["place"] == {"shape": "line", "x0": 5, "y0": 6, "x1": 7, "y1": 8}
    assert row["verdict"] == "NG"


def test_a_mark_may_be_withdrawn_and_names_its_user(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "carla")
    code, told, _ = mark(state, "1", "1", "--confirmed", "--json")
    assert (code, json.loads(told)["who"]) == (0, "carla")
    assert mark(state, "1", "1", "--withdraw") == (0, "plate 1, defect 1: withdrawn, by carla\n", "")
    assert mark(state, "1", "--missed", "1,2,3,4")[0] == 0
    assert mark(state, "1", "--withdraw") == (0, "plate 1, box 1,2,3,4: withdrawn, by carla\n", "")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["1", "1"], "give one of --confirmed"),
        (["1", "1", "--confirmed", "--false-alarm"], "give one of --confirmed"),
        (["1", "1", "--confirmed", "--withdraw"], "give one of --confirmed"),
        (["1", "--missed", "1,2,3,4", "--missed-line", "1,2,3,4"], "give one of --confirmed"),
        (["1", "--false-alarm"], "name the defect"),
        (["1", "1", "--false-alarm", "--why", "\x1b[2J"], r"'\x1b[2J' is no reason for 'false alarm': give one of"),
        (["1", "--missed", "1,2,3"], "is no place: give four whole numbers"),
        (["1", "--missed", "1,2,-3,\x1b[2J"], r"1,2,-3,\x1b[2J' is no place"),
        (["1", "--missed", "1,2,9999,4"], "the plate is 800 x 900 px"),
        (["7", "1", "--confirmed"], "the store has no plate 7"),
        (["1", "2", "--missed", "1,2,3,4"], "of one defect or of one place"),
    ],
)
def test_what_cannot_be_meant_is_said_in_one_line(state: Path, words: list[str], why: str) -> None:
    code, told, failed = mark(state, *words)
    assert (code, told, failed.count("\n")) == (2, "", 1)
    assert why in failed
    assert "\x1b" not in failed


def test_where_no_results_are_it_makes_none(tmp_path: Path) -> None:
    code, _, failed = mark(tmp_path / "nowhere", "1", "1", "--confirmed")
    assert code == 1
    assert "there are no results at" in failed
    assert not list(tmp_path.iterdir())
