"""Cracks painted on photographs, to learn from."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from daemon.lab.data.classifier import PAINTED, training_examples
from models.training.classifier.examples import Example
from models.training.photographs import held_out

CHECKED = (np.indices((224, 224)).sum(0) // 8 % 2 * 255).astype(np.uint8)
"""Metal on which no crack can be told."""
PLAIN = np.random.default_rng(0).normal(120, 5, (224, 224)).clip(0, 255).astype(np.uint8)


def painted(folder: Path, *grounds: np.ndarray) -> list[Example]:
    """Of photographs with these grounds, what is painted for a training with 20 simulated crops."""
    for kind in ("crack", "without_crack"):
        (folder / kind).mkdir(parents=True)
    cv2.imwrite(str(folder / "crack" / "0.png"), PLAIN)
    learnt = [number for number in range(40) if not held_out(f"{folder.name}/without_crack/{number}")]
    for number, ground in zip(learnt, grounds, strict=False):
        cv2.imwrite(str(folder / "without_crack" / f"{number}.png"), ground)
    return [one for one in training_examples((folder,), 20, 0, lambda *_: None) if one.kind == PAINTED]


def test_metal_too_rough_for_cracks_ends_in_fewer_of_them_and_a_line_that_says_how_many(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert painted(tmp_path / "rough", CHECKED) == []
    said = capsys.readouterr().err
    assert said == ("linesentry: cracks were painted on 0 photographs instead of 3: the metal is too rough for more\n")


def test_rough_metal_among_plain_takes_no_crack_from_that(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(painted(tmp_path / "mixed", CHECKED, PLAIN)) == 3
    assert capsys.readouterr().err == ""
