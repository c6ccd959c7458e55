"""`linesentry train`: what it refuses; tests/daemon/lab/train carry out whole trainings by the same command."""

from __future__ import annotations

from pathlib import Path

from tests.command import linesentry


def test_a_detector_is_not_trained_on_data_that_cannot_be_used(tmp_path: Path) -> None:
    answer = linesentry("train", "detector", "--out", tmp_path, "--metal-share", "1")
    assert (answer.returncode, answer.stdout) == (2, "")
    assert (
        answer.stderr == "linesentry train: --metal-share 1 trains on photographs alone: name them with --data FOLDER\n"
    )
    answer = linesentry("train", "detector", "--out", tmp_path, "--recipe", "P10B", "--resolution", "full")
    assert answer.returncode == 2
    assert "recipe P10B asks for resolution half, the training for full" in answer.stderr


def test_a_classifier_is_not_trained_on_data_that_cannot_be_used(tmp_path: Path) -> None:
    answer = linesentry("train", "classifier", "--data", tmp_path, "--simulated", "0", "--network", "resnet18")
    assert answer.returncode == 2
    assert f"{tmp_path}" in answer.stderr
    assert "Traceback" not in answer.stderr
