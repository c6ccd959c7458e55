"""`linesentry evaluate`: tables on stdout that are whole, and JSON in their place."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

from tests.classifier_weights import untrained
from tests.command import linesentry


def test_the_detector_is_measured_on_a_folder(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(90, 110, (700, 700)).astype(np.uint8)
    mask = np.zeros((700, 700), np.uint8)
    mask[300:340, 200:206] = 255
    for name, picture in (("sheet.png", pixels + mask // 4), ("sheet_mask.png", mask)):
        assert cv2.imwrite(str(tmp_path / name), picture)
    words = ("evaluate", "detector", "--data", tmp_path, "--all-groups", "--device", "cpu", "--workers", "1")
    answer = linesentry(*words, "--json", tmp_path / "figures.json")
    assert answer.returncode == 0, answer.stderr
    assert "plates or pictures" in answer.stdout
    assert "\u2026" not in answer.stdout
    assert json.loads((tmp_path / "figures.json").read_text())["all"]["defects"] == 1


def test_a_classifier_without_data_is_refused(tmp_path: Path) -> None:
    weights = untrained(tmp_path)
    answer = linesentry("evaluate", "classifier", "--simulated", "0", "--weights", weights)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.startswith("linesentry evaluate: ")
    answer = linesentry("evaluate", "classifier", "--weights", weights, "--views", "identity,mirrored")
    assert "unknown view 'mirrored'" in answer.stderr
