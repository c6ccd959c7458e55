"""`linesentry golden`: set, run and chart on a store, as a quality engineer uses them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from daemon.cli.app import app
from daemon.store.results import RunFacts, Store, store_path
from models.detector.findings import Quality
from stages.plate import Cause, Defect, PlateResult, Verdict

RUN = "a" * 32
MARKS = (
    Defect(95, 180, 11, 41, 200, 0.9, 100, 200, edge=False),
    Defect(695, 880, 11, 41, 200, 0.8, 700, 900, edge=False),
)
QUALITY = Quality(unmasked=1000, judged=1000, total=110_000, squares=12_500_000, lit=1000, fine=3, coarse=10)


def line(state: Path, *plates: int, brightness: float = 110.0, marks: tuple[Defect, ...] = MARKS) -> None:
    """Plates that passed just now: each the golden sheet."""
    result = PlateResult(
        RUN,
        1,
        Verdict.NG,
        (Cause.DEFECT,),
        "",
        True,
        1900,
        1000,
        4,
        4,
        1.0,
        defects=marks,
        quality=replace(QUALITY, total=brightness * QUALITY.lit),
    )
    with Store.open(store_path(state)) as store:
        store.begin_run(RunFacts(RUN, "P10B", simulated=True))
        for plate in plates:
            store.commit_verdict(replace(result, plate=plate), decided_at=datetime.now(UTC), unevenness=0.1)


def golden(state: Path, *words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["golden", *words, "--state", str(state)])
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done.exit_code, done.stdout + done.stderr


def test_a_golden_sheet_is_set_passes_again_and_fails_when_the_light_is_gone(tmp_path: Path) -> None:
    line(tmp_path, 1, 2)
    code, said = golden(tmp_path, "set", "--plate", "1", "--plate", "2")
    assert (code, "the standard of P10B is set from plate 1, 2: 2 marks" in said) == (0, True)
    line(tmp_path, 3)
    code, said = golden(tmp_path, "run")
    assert (code, "plate 3: the check standard passed" in said) == (0, True)
    line(tmp_path, 4, brightness=60.0, marks=MARKS[:1])
    code, said = golden(tmp_path, "run", "--json")
    found = json.loads(said.splitlines()[0])
    assert (code, found["passed"], found["values"]["missed"]) == (1, False, 1)
    assert "linesentry: brightness 60, allowed 99 to 121" in said
    chart = tmp_path / "chart.svg"
    code, said = golden(tmp_path, "chart", str(chart))
    assert (code, f"written: {chart}, 2 checks" in said) == (0, True)
    assert chart.read_text(encoding="utf-8").startswith("<?xml")


@pytest.mark.parametrize("again", ["the one that was checked", "one from before"])
def test_only_a_new_pass_is_a_check(tmp_path: Path, again: str) -> None:
    line(tmp_path, 1, 2)
    assert golden(tmp_path, "set", "--plate", "2")[0] == 0
    line(tmp_path, 3)
    assert golden(tmp_path, "run", "--plate", "3")[0] == 0
    plate, why = ("3", "was checked already") if again == "the one that was checked" else ("1", "before the standard")
    code, said = golden(tmp_path, "run", "--plate", plate)
    assert (code, why in said) == (2, True)


def test_the_next_sheet_needs_a_service_that_runs(tmp_path: Path) -> None:
    line(tmp_path, 1)
    code, said = golden(tmp_path, "run", "--next")
    assert (code, "no service runs with the state directory" in said) == (2, True)
    code, said = golden(tmp_path, "run", "--next", "--plate", "1")
    assert (code, "give one of them" in said) == (2, True)


def test_what_is_missing_is_said_with_what_to_do(tmp_path: Path) -> None:
    assert "there are no results at" in golden(tmp_path, "run")[1]
    line(tmp_path, 1)
    assert "no standard is set for P10B: pass the golden sheet" in golden(tmp_path, "run")[1]
    assert "there is no plate 9 with a verdict" in golden(tmp_path, "set", "--plate", "9")[1]
    code, said = golden(tmp_path, "set", "--set", "recipe=02CG")
    assert (code, "plate 1 is of the recipe P10B, not of 02CG" in said) == (2, True)
