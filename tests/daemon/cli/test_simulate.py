"""`linesentry simulate`: sheets as files."""

from __future__ import annotations

import json
from pathlib import Path

import cv2

from tests.command import linesentry


def test_a_sheet_is_made_with_its_truth(tmp_path: Path) -> None:
    answer = linesentry("simulate", tmp_path, "--product", "U20B", "--seed", "7", "--density", "2")
    assert (answer.returncode, answer.stdout) == (0, f"{tmp_path / 'U20B_7.png'}\n")
    image = cv2.imread(str(tmp_path / "U20B_7.png"), cv2.IMREAD_UNCHANGED)
    assert image is not None
    assert image.shape == (3247, 14653)
    assert len(json.loads((tmp_path / "annotations.json").read_text())["annotations"]) == 2


def test_what_cannot_be_made_is_told_in_one_line(tmp_path: Path) -> None:
    answer = linesentry("simulate", tmp_path, "--product", "P99")
    assert answer.returncode == 2
    assert "unknown product 'P99': choose from P10B, 02CG, EA10B, U20B" in answer.stderr
    (tmp_path / "file").touch()
    answer = linesentry("simulate", tmp_path / "file" / "below", "--product", "U20B", "--density", "0")
    assert answer.returncode == 1
    assert "Traceback" not in answer.stderr
