"""Weights of a classifier that has learnt nothing: what the line does with its answers does not depend on them."""

from __future__ import annotations

from pathlib import Path

import torch

from models.classifier import card
from models.classifier.networks import make


def untrained(directory: Path) -> Path:
    """A weights file with its card, the same whenever it is written."""
    torch.manual_seed(7)
    return card.write(directory, make("resnet18").eval().state_dict(), "resnet18", {"seed": 7})
