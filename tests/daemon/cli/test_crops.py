"""`linesentry crops`: a folder that the classifier can learn from."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from models.training.classifier.examples import read_folder
from tests.command import linesentry


def test_crops_with_and_without_a_crack_are_cut(tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "crops"
    data.mkdir()
    pixels = np.random.default_rng(1).integers(90, 110, (700, 700)).astype(np.uint8)
    mask = np.zeros((700, 700), np.uint8)
    mask[300:340, 200:260] = 255
    for name, picture in (("sheet.png", pixels), ("sheet_mask.png", mask)):
        assert cv2.imwrite(str(data / name), picture)
    answer = linesentry("crops", out, "--data", data, "--each", "6")
    assert (answer.returncode, answer.stdout) == (0, f"{out / 'manifest.csv'}\n"), answer.stderr
    assert sorted(example.crack for example in read_folder(out)) == [False] * 3 + [True] * 3
    again = linesentry("crops", out, "--data", data)
    assert again.returncode == 2
    assert f"linesentry crops: {out} is not empty" in again.stderr
