"""`linesentry calibrate`."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from models.optics.flat_field import read
from tests.command import linesentry

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
