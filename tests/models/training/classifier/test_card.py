"""Weights of a classifier that are written: none that half precision cannot hold, and whole with their card."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from models.classifier import card
from models.classifier.errors import ClassifierError
from models.classifier.networks import make
from models.training.classifier.card import write_weights


def test_weights_beyond_half_precision_are_not_written(tmp_path: Path) -> None:
    state = {**make("resnet18").state_dict(), "conv1.weight": torch.full((64, 3, 7, 7), 1e6)}
    with pytest.raises(ClassifierError, match=r"conv1\.weight"):
        write_weights(tmp_path, state, "resnet18", {})
    assert not list(tmp_path.iterdir())


def test_what_was_written_is_read_with_the_facts_it_was_given(tmp_path: Path) -> None:
    state = make("resnet18").eval().state_dict()
    weights = write_weights(tmp_path / "new", state, "resnet18", {"seed": 7}, temperature=1.5, threshold=0.4)
    network, said = card.read(weights)
    assert network.state_dict().keys() == state.keys()
    assert (said["seed"], said["temperature"], said["threshold"]) == (7, 1.5, 0.4)
    assert json.loads(weights.with_suffix(".json").read_text(encoding="utf-8"))["sha256"] == said["sha256"]
