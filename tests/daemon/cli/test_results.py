"""`linesentry results`: the latest plates, whole in a pipe and at a terminal."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from daemon.store.results import RunFacts, Store, store_path
from stages.plate import Cause, PlateResult, Verdict
from tests.command import linesentry
from tests.daemon.cli.test_options import at_a_terminal

RUN = "a" * 32
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
