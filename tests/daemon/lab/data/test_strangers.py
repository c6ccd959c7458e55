"""Sheets of the yardstick families: evaluated die by die, and written as folders that read back the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from config.schema import Recipe
from daemon.cli.app import app
from daemon.lab.data.folders import folder
from daemon.lab.data.pictures import SourceError
from daemon.lab.data.sources import sources_of
from daemon.lab.data.strangers import strangers, write_strangers
from daemon.lab.orders import EvaluateDetector
from simulator.sheets.order import MakeSheets

RECIPE = Recipe(name="any")
SMALL = (700, 900)


def test_dies_are_named_one_by_one_in_a_range_or_all() -> None:
    def dies(*names: str) -> list[str]:
        return [one.name for one in sources_of(EvaluateDetector(simulate=names))]

    assert dies("shaded:4") == ["shaded, die 4 (simulated)"]
    assert dies("shaded:1-2,drawn:0") == [
        f"{name} (simulated)" for name in ("shaded, die 1", "shaded, die 2", "drawn, die 0")
    ]
    assert len(dies("drawn")) == 6
    for wrong in ("shaded:x", "shaded:3-1", "shaded:-1"):
        with pytest.raises(SourceError, match="name one as shaded:2, or a range as shaded:0-5"):
            dies(wrong)
    with pytest.raises(SourceError, match="shaded has oil and light of its own"):
        sources_of(EvaluateDetector(simulate=("shaded",), interference=("oil",)))


@pytest.mark.parametrize("family", ["shaded", "drawn"])
def test_written_sheets_read_back_as_they_are_evaluated_and_every_second_one_is_clean(
    tmp_path: Path, family: str
) -> None:
    (source,) = strangers(f"{family}:1", 2, seed=5, cracks=2, shape=SMALL)
    cracked, clean = source.pictures(RECIPE)
    assert (len(cracked.truth), len(clean.truth)) == (2, 0)
    assert source.polarities[f"{family}, die 1"].polarity == "bright"
    order = MakeSheets(tmp_path, family=family, die=1, seed=5, density=2)  # type: ignore[arg-type]
    (written,) = write_strangers(order, lambda *_: None, SMALL)
    assert written.name == f"{family}-1_5.png"
    (read,) = folder(tmp_path).pictures(RECIPE)
    assert np.array_equal(read.image, cracked.image)
    assert [one.box for one in read.truth] == [one.box for one in cracked.truth]
    for a, b in zip(read.truth, cracked.truth, strict=True):
        assert a.pixels is not None
        assert b.pixels is not None
        assert np.array_equal(a.pixels, b.pixels)
        assert [a.width_px, a.height_grey, a.length_px, a.contrast_to_noise] == pytest.approx(
            [b.width_px, b.height_grey, b.length_px, b.contrast_to_noise], rel=1e-2
        )


def test_nothing_is_cut_for_training_from_a_yardstick(tmp_path: Path) -> None:
    asked = CliRunner().invoke(app, ["crops", str(tmp_path / "out"), "--simulate", "shaded:1"])
    assert asked.exit_code == 2
    assert "shaded:1 is a yardstick" in asked.stderr


def test_interference_is_not_for_families(tmp_path: Path) -> None:
    asked = CliRunner().invoke(app, ["simulate", str(tmp_path), "--family", "drawn", "--interference", "oil"])
    assert asked.exit_code == 2
    assert "--interference is for products" in asked.stderr
