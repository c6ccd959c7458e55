"""What `linesentry train classifier` learns from, chooses by and measures on are apart, and each is used."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from daemon.classifier_data import met_in_use, training_examples
from daemon.train_classifier import FOLDS, Order, train_classifier_command
from models.classifier.calibration import fit_temperature
from models.classifier.classifier import Classifier
from models.training import classifier
from models.training.classifier import Batch, batch_of, logits_of
from models.training.classifier_data import Example, parted
from models.training.samples import held_out

torch.set_num_threads(1)

A_STEP = 0.01
"""Minutes."""


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """24 pictures of as many groups, every other one with a bright line, learnt from at 32 px."""
    monkeypatch.setattr(classifier, "_SIDES", ((2.0, 32),))
    folder = tmp_path / "data"
    folder.mkdir()
    rng = np.random.default_rng(0)
    with (folder / "manifest.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("image", "mask_or_label", "set", "group", "class"))
        for number in range(24):
            picture = rng.integers(80, 120, (64, 64)).astype(np.uint8)
            if number % 2:
                picture[:, 30:36] = 230
            cv2.imwrite(str(folder / f"{number}.png"), picture)
            rows.writerow((f"{number}.png", "", "own", str(number), ("without_crack", "crack")[number % 2]))
    return folder


def test_a_fold_neither_learns_from_nor_chooses_by_the_groups_that_it_is_measured_on(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learnt: dict[int, set[str]] = {}  # by the seed, which each fold has for its own
    chosen: list[set[str]] = []

    def batch(examples: Sequence[Example], draws: NDArray[np.float64], size: int, key: Sequence[int]) -> Batch:
        learnt[key[0]] = {one.group for one in examples}
        return batch_of(examples, draws, size, key)

    def look(network: str, state: dict[str, torch.Tensor], examples: Sequence[Example], side: int) -> torch.Tensor:
        chosen.append({one.group for one in examples})
        return logits_of(network, state, examples, side)

    monkeypatch.setattr(classifier, "batch_of", batch)
    monkeypatch.setattr(classifier, "logits_of", look)
    train_classifier_command(Order(tmp_path, (data,), simulated=0, minutes=A_STEP, folds=2, network="mobilenet_v2"))
    every = {f"own/{number}" for number in range(24) if not held_out(f"own/{number}")}
    folds = json.loads((tmp_path / FOLDS).read_text())["folds"]
    unseen = [every - met - asked for met, asked in zip(learnt.values(), chosen, strict=True)]
    assert [len(one) for one in unseen] == [one["groups"] for one in folds]
    assert sorted(group for one in unseen for group in one) == sorted(every), "each is measured on once"
    assert not any(met & asked for met, asked in zip(learnt.values(), chosen, strict=True))


def test_the_temperature_is_the_one_that_validation_asks_for(data: Path, tmp_path: Path) -> None:
    order = Order(tmp_path, (data,), simulated=0, minutes=A_STEP, network="mobilenet_v2")
    train_classifier_command(order)
    examples = training_examples(order.data, order.simulated, order.seed, lambda *_: None)
    met = met_in_use(parted(examples, order.seed).validation)
    raw = Classifier.load(tmp_path / "classifier.pt", device="cpu").uncalibrated([one.pixels for one in met])
    fitted = fit_temperature(raw, [one.crack for one in met])
    assert json.loads((tmp_path / "classifier.json").read_text())["temperature"] == pytest.approx(fitted, rel=1e-3)
    assert fitted != pytest.approx(1, rel=0.1)
