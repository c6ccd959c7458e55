"""`linesentry show`: the picture of a plate, from what is left of it, and in words what stands on it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from daemon.cli.app import app
from daemon.store.evidence import write_evidence
from daemon.store.marks import add_mark
from daemon.store.pictures import plate_directory
from daemon.store.results import RunFacts, Store, store_path
from stages.mark import Mark, MarkKind
from stages.plate import Cause, Defect, PlateResult, Verdict
from stages.plc import Part

RUN = "a" * 32
NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
FOUND = Defect(200, 300, 60, 40, 240, 0.9, 230, 320, edge=False, probability=0.87)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Plate 1 is a file that is still there, of plate 2 there is an overview, of plate 3 nothing."""
    sheet = np.full((4500, 700), 120, np.uint8)
    (tmp_path / "sheets").mkdir()
    Image.fromarray(sheet).save(tmp_path / "sheets" / "1.png")
    (tmp_path / "line.yaml").write_text(f"recipe: general\ncamera: {{source: folder, folder: {tmp_path / 'sheets'}}}\n")
    with Store.open(store_path(tmp_path)) as store:
        store.begin_run(RunFacts(RUN, "general", simulated=False))
        for plate in (1, 2, 3):
            store.seen(RUN, plate, NOW, f"{plate}.png", part=Part("\x1b[2J../../x"))
            result = PlateResult(
                RUN, plate, Verdict.NG, (Cause.DEFECT,), "1 defect", True, 4500, 700, 1, 1, 1.0, defects=(FOUND,)
            )
            store.commit_verdict(result, decided_at=NOW)
            if plate == 2:
                folder = plate_directory(tmp_path, RUN, plate)
                write_evidence(sheet, result, folder)
                store.set_pictures(plate, folder)
        add_mark(store, Mark(1, MarkKind.FALSE_ALARM, "Ann", NOW, 1))
    return tmp_path


def show(state: Path, plate: int, out: Path) -> Result:
    where = ["--config", state / "line.yaml", "--state", state]
    return CliRunner().invoke(app, ["show", *map(str, [plate, out, *where])])


@pytest.mark.parametrize(("plate", "height", "source"), [(1, 2250, "the whole sheet"), (2, 1500, "when the plate was")])
def test_the_picture_comes_from_the_best_that_is_left(state: Path, plate: int, height: int, source: str) -> None:
    answer = show(state, plate, state / "out.jpg")
    assert answer.exit_code == 0
    with Image.open(state / "out.jpg") as picture:
        assert height <= picture.height <= height + 250
    assert source in answer.stdout
    assert f"plate {plate}, NG, recipe general" in answer.stdout
    assert "part \\x1b[2J../../x" in answer.stdout
    assert "defect 1 at x 200, y 300: 60 x 40 px, score 0.90, crack 87 %" in answer.stdout
    assert ("marked false alarm" in answer.stdout) == (plate == 1)


def test_a_plate_without_picture_or_of_no_number_is_said(state: Path) -> None:
    answer = show(state, 3, state / "out.jpg")
    assert (answer.exit_code, "no picture is left" in answer.stderr) == (1, True)
    assert "plate 3, NG" in answer.stdout
    answer = show(state, 4, state / "out.jpg")
    assert (answer.exit_code, "no plate 4" in answer.stderr) == (2, True)
    assert not (state / "out.jpg").exists()
    assert show(state, 1, state / "none" / "out.jpg").exit_code == 1
