"""Weights of a classifier that has learnt nothing: what the line does with its answers does not depend on them."""

from __future__ import annotations

from pathlib import Path

import torch

from models.classifier.networks import make
from models.training.classifier.card import write_weights


def untrained(directory: Path) -> Path:
    """A weights file with its card, the same whenever it is written."""
    torch.manual_seed(7)
    return write_weights(directory, make("resnet18").eval().state_dict(), "resnet18", {"seed": 7})
