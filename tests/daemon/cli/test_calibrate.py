"""`linesentry calibrate`."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from daemon.store.optics import keep_optics
from daemon.store.results import Store, store_path
from models.optics.flat_field import read
from tests.command import SMALL, linesentry

WIDTH = 600
LIGHT = np.interp(np.arange(WIDTH), [0, 300, WIDTH - 1], [130, 210, 140])


def image(path: Path, columns: NDArray[np.float64], rows: int = 80) -> str:
    noise = np.random.default_rng(1).normal(0, 1, (rows, len(columns)))
    assert cv2.imwrite(str(path), np.clip(np.rint(columns + noise), 0, 255).astype(np.uint8))
    return str(path)


def test_a_flat_field_is_made_from_two_references_and_its_effect_is_told(tmp_path: Path) -> None:
    white, dark = image(tmp_path / "white.png", LIGHT), image(tmp_path / "dark.tiff", np.full(WIDTH, 3.0))
    out = tmp_path / "new" / "flat.json"
    said = linesentry("calibrate", "flat-field", "--white", white, "--dark", dark, "--out", str(out)).stdout
    assert "columns 0 to 599 of 600 are covered" in said
    assert "spread of the columns of the white reference: 4" in said
    assert f"written: {out}" in said
    assert read(out, WIDTH).gains.max() == pytest.approx(210 / 130, abs=0.06)


def test_references_that_cannot_be_used_are_named_and_nothing_is_written(tmp_path: Path) -> None:
    white, dark = image(tmp_path / "white.png", LIGHT), image(tmp_path / "dark.png", np.full(WIDTH, 3.0), rows=20)
    out = tmp_path / "flat.json"
    done = linesentry("calibrate", "flat-field", "--white", white, "--dark", dark, "--out", str(out))
    assert done.returncode == 1
    assert "the dark reference has 20 rows: take 64 or more" in done.stderr
    done = linesentry("calibrate", "flat-field", "--white", white, "--dark", str(tmp_path), "--out", str(out))
    assert "is a directory" in done.stderr
    assert not out.exists()


def test_a_target_gives_the_pitches_and_what_they_make_of_the_recipe(tmp_path: Path) -> None:
    picture = np.full((1000, 1200), 210, np.uint8)
    for column in range(5):
        for row in range(5):
            cv2.circle(picture, (150 + 200 * column, 100 + 160 * row), 24, 40, -1, cv2.LINE_AA)
    assert cv2.imwrite(str(tmp_path / "target.png"), picture)
    (tmp_path / "small.yaml").write_text(SMALL, encoding="utf-8")
    options = ["--across", "8", "--along", "8", "--recipe", str(tmp_path / "small.yaml")]
    said = linesentry("calibrate", "scale", str(tmp_path / "target.png"), *options).stdout
    pitch = yaml.safe_load(said[said.index("pitch:") : said.index("row_mm is")])
    assert pitch["pitch"] == {"row_mm": pytest.approx(0.05, rel=1e-3), "column_mm": pytest.approx(0.04, rel=1e-3)}
    # 1,300 rows at 0.05204 mm.
    assert pitch["length"]["nominal_rows"] == pytest.approx(1300 * 0.05204 / 0.05, abs=2)
    assert "row_mm is -3.9" in said


def test_a_picture_without_a_target_is_named(tmp_path: Path) -> None:
    done = linesentry("calibrate", "scale", image(tmp_path / "white.png", LIGHT), "--across", "5", "--along", "5")
    assert done.returncode == 1
    assert "white.png: " in done.stderr
    assert "dots" in done.stderr


def test_the_reference_of_the_optics_is_taken_back(tmp_path: Path) -> None:
    done = linesentry("calibrate", "reference", "--state", str(tmp_path))
    assert (done.returncode, "there are no results at" in done.stderr) == (1, True)
    with Store.open(store_path(tmp_path)) as store:
        keep_optics(store, "P10B", b"known")
    done = linesentry("calibrate", "reference", "--state", str(tmp_path))
    assert (done.returncode, done.stdout) == (0, "the next 20 plates of P10B are the reference of the optics\n")
    done = linesentry("calibrate", "reference", "--state", str(tmp_path))
    assert (done.returncode, "no reference of P10B is kept yet" in done.stderr) == (1, True)
