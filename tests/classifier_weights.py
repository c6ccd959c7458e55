"""Weights of a classifier that has learnt nothing: what the line does with its answers does not depend on them."""

from __future__ import annotations

from pathlib import Path

import torch

from models.classifier.network import CRACK
from models.classifier.networks import make
from models.training.classifier.card import write_weights


def untrained(directory: Path, doubt: float = 0.0) -> Path:
    """A weights file with its card, the same whenever it is written; `doubt` is taken from the log-odds of a crack."""
    torch.manual_seed(7)
    state = make("resnet18").eval().state_dict()
    state["fc.bias"][CRACK] -= doubt
    return write_weights(directory, state, "resnet18", {"seed": 7})
