"""`linesentry teach` from the first sheet to a recipe that the line can load."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from typer.testing import CliRunner, Result

from config.load import load_recipe
from daemon.cli.app import app
from daemon.lab.teach import teaching, training
from daemon.store.marks import add_mark
from daemon.store.results import RunFacts, Store, store_path
from models.detector.detector import Detector
from models.training.photographs import group_key
from simulator.crops import wild
from stages.mark import Mark, MarkKind, Place, Shape
from stages.plate import Cause, Defect, PlateResult, Verdict

torch.set_num_threads(1)
SIDE = 400
NOW = datetime(2026, 5, 4, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Crops that a test can afford."""
    monkeypatch.setattr(training, "CROP", 64)
    monkeypatch.setattr(training, "BATCH", 4)
    monkeypatch.setattr(training, "SIMULATED", wild.training_window)
    monkeypatch.setattr(teaching, "_PROOFS", 1)


def sheet(seed: int) -> NDArray[np.uint8]:
    """A small sheet of one die: the same ridges and port, a grain of its own."""
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    grain = np.random.default_rng(seed).normal(0, 2, (SIDE, SIDE))
    port = -60.0 * ((x - 100) ** 2 + (y - 80) ** 2 < 40**2)
    return np.asarray(np.clip(126 + 12 * np.sin((x + np.abs(y - 200)) / 40) + port + grain, 0, 255), np.uint8)


@pytest.fixture
def good(tmp_path: Path) -> list[Path]:
    """Eight sheets called good; one of them out of focus."""
    folder = tmp_path / "good"
    folder.mkdir()
    paths = []
    for seed in range(8):
        picture = sheet(seed) if seed != 5 else cv2.GaussianBlur(sheet(seed), (0, 0), 2.5)
        paths.append(folder / f"{seed}.png")
        cv2.imwrite(str(paths[-1]), picture)
    return paths


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    """What `linesentry export crops` writes of a false alarm and of a crack that was missed."""
    found = Defect(90, 70, 20, 20, 300, 0.9, 100, 80, edge=False)
    result = PlateResult("a" * 32, 7, Verdict.NG, (Cause.DEFECT,), "", True, SIDE, SIDE, 1, 1, 1.0, defects=(found,))
    folder = tmp_path / "sheets"
    folder.mkdir()
    cv2.imwrite(str(folder / "7.png"), cv2.line(sheet(7), (200, 200), (260, 240), 220, 2))
    (tmp_path / "line.yaml").write_text(f"recipe: general\ncamera: {{source: folder, folder: {folder}}}\n")
    with Store.open(store_path(tmp_path)) as store:
        store.begin_run(RunFacts("a" * 32, "general", simulated=False))
        store.seen("a" * 32, 7, NOW, "7.png")
        store.commit_verdict(result, decided_at=NOW)
        add_mark(store, Mark(7, MarkKind.FALSE_ALARM, "Ann", NOW, 1))
        add_mark(store, Mark(7, MarkKind.MISSED, "Ann", NOW, None, Place(Shape.BOX, 195, 195, 265, 245)))
    where = ["--state", tmp_path, "--config", tmp_path / "line.yaml"]
    answer = CliRunner().invoke(app, ["export", "crops", *map(str, [tmp_path / "marks", *where])])
    assert answer.stdout.endswith("1 with a crack, 1 without\n")
    return tmp_path / "marks"


def teach(*words: object) -> Result:
    return CliRunner().invoke(app, ["teach", *map(str, words)])


def test_good_sheets_and_marks_become_a_recipe_that_the_line_can_load(
    tmp_path: Path, good: list[Path], marks: Path
) -> None:
    out = tmp_path / "out"
    words = ["--base", "general", "--data", marks, "--out", out, "--steps", 2, "--name", "mine"]
    answer = teach(*good, *words)
    assert answer.exit_code == 0, answer.stderr
    lines = answer.stdout.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("painted cracks found ")
    assert "use it" in lines[1]
    assert lines[2].startswith("1 of 8 sheets are odd, look at them: 5.png")
    assert sorted(path.name for path in out.iterdir()) == [
        "detector-half.json", "detector-half.pt", "mine.yaml", "report.html", "report.json",
    ]  # fmt: skip
    recipe = load_recipe(str(out / "mine.yaml"))
    Detector.load(recipe, "cpu")
    checked = CliRunner().invoke(app, ["check", str(out / "mine.yaml")])
    assert checked.exit_code == 0, checked.output
    result = json.loads((out / "report.json").read_text("utf-8"))
    used = [one["used"].partition(":")[0] for one in result["sheets"]]
    assert (used.count("held apart"), used.count("learnt from"), used[5]) == (3, 4, "left out")
    card = json.loads((out / "detector-half.json").read_text("utf-8"))
    assert card["threshold"]["floor"] == result["floor"]["value"]
    assert card["schedule"]["steps"] == 2
    assert card["trained_on"]["marks"] == ["marks"]
    assert group_key("marks/aaaaaaaa-000007") in card["groups"].split()
    assert card["started_from"][0]["name"] == "detector-half.pt"
    page = (out / "report.html").read_text("utf-8")
    assert page.count("<img") >= 9
    assert "out of focus" in page
    assert not out.with_name("out.part").exists()


def test_marks_that_cannot_be_read_are_told_before_anything_is_done(tmp_path: Path, good: list[Path]) -> None:
    (tmp_path / "none").mkdir()
    answer = teach(*good, "--data", tmp_path / "none", "--out", tmp_path / "out")
    assert (answer.exit_code, "holds neither a manifest.csv" in answer.stderr) == (2, True)
    assert not (tmp_path / "out").exists()


def test_an_interrupted_teaching_leaves_nothing_at_out_and_the_same_command_goes_on(
    tmp_path: Path, good: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    out, words = tmp_path / "out", [*good, "--out", tmp_path / "out", "--steps", 3]

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "_OWN_SHARE", 1.0)
    monkeypatch.setattr(teaching.Teaching, "_floor", interrupt)
    answer = teach(*words)
    assert answer.exit_code == 130
    assert answer.stderr.splitlines()[-1] == (
        f"linesentry teach: interrupted; the same command goes on from {out}.part"
    )
    assert not out.exists()
    assert sorted(path.name for path in out.with_name("out.part").iterdir()) == ["teaching.ckpt", "teaching.json"]
    # Other sheets are another teaching.
    refused = teach(*words, "--seed", 1)
    assert refused.exit_code == 2
    assert "holds a teaching of other sheets or settings" in refused.stderr
    answer = teach(*words)
    assert "going on with the training" in answer.stderr
    saved = torch.load(out.with_name("out.part") / "teaching.ckpt", weights_only=True)
    assert saved["step"] == 3


def test_an_interruption_before_anything_was_learnt_leaves_no_trace(
    tmp_path: Path, good: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(teaching, "look_at", interrupt)
    answer = teach(*good, "--out", tmp_path / "out")
    assert answer.exit_code == 130
    assert "interrupted; nothing was written" in answer.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["good"]


def test_a_time_that_is_too_short_is_refused_with_the_least(tmp_path: Path, good: list[Path]) -> None:
    answer = teach(*good, "--out", tmp_path / "out", "--minutes", 0.2)
    assert answer.exit_code == 2
    assert "--minutes 0.2 is too short" in answer.stderr
    assert "at least" in answer.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["good"]


def test_sheets_that_are_nearly_all_odd_teach_nothing(tmp_path: Path, good: list[Path]) -> None:
    for path in good[:3]:
        cv2.imwrite(str(path), np.zeros((SIDE, SIDE), np.uint8))
    answer = teach(*good, "--out", tmp_path / "out", "--steps", 1)
    assert answer.exit_code == 2
    assert "4 of 8 sheets are alike enough to learn from, 6 is the least" in answer.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "name 8 to 30 images"),
        (["a.png", "--from-results"], "not both"),
        (["a.png"], "found 1 sheet; give 8 to 30"),
        (["a.png", "--base", "nothing"], "no such recipe"),
        (["--from-results", "--state", "nowhere"], "no results at nowhere"),
    ],
)
def test_what_cannot_be_used_is_said_in_a_line(tmp_path: Path, words: list[str], said: str) -> None:
    answer = teach(*words, "--out", tmp_path / "out")
    assert answer.exit_code == 2
    assert said in answer.stderr
    assert not any(tmp_path.iterdir())


def test_a_recipe_whose_rule_knows_no_floor_is_refused(tmp_path: Path) -> None:
    base = tmp_path / "paper.yaml"
    base.write_text("name: paper\nthreshold:\n  mode: top_fraction\n", "utf-8")
    answer = teach("a.png", "--base", base, "--out", tmp_path / "out")
    assert answer.exit_code == 2
    assert "mode top_fraction, which knows no learnt floor" in answer.stderr


@pytest.mark.parametrize("name", ["out", "full"])
def test_a_folder_that_is_there_or_has_no_room_is_refused(
    tmp_path: Path, good: list[Path], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("daemon.lab.teach.folder.free_bytes", lambda _: 1_000_000 if name == "full" else 1 << 40)
    (tmp_path / "out").mkdir()
    answer = teach(*good, "--out", tmp_path / name)
    assert answer.exit_code == 2
    assert {"out": "is there already", "full": "1 MB are free"}[name] in answer.stderr


def test_a_name_that_no_recipe_can_have_is_refused(tmp_path: Path, good: list[Path]) -> None:
    answer = teach(*good, "--out", tmp_path / "out", "--name", "a b")
    assert answer.exit_code == 2
    assert "--name 'a b'" in answer.stderr
