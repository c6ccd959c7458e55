"""What validation says of weights while they are trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from models.classifier.networks import make
from models.classifier.preprocess import INPUT, prepared
from models.machine.cpu import bfloat16_is_fast
from models.training.classifier.examples import Example
from models.training.classifier.progressive import PLACE, parts_of, spot_of

_AT_ONCE = 32
"""Crops looked at together."""


@dataclass(frozen=True, slots=True)
class Look:
    """What validation said at a step, of the running mean of the weights, without views."""

    step: int
    loss: float
    accuracy: float
    side: int = INPUT
    """Px of the crops at that time; looks are compared with those of the same size."""
    agreement: float | None = None
    """Share of the examples for which a teacher finds the same class likelier; None without one."""


def logits_of(network: str, state: dict[str, Tensor], examples: Sequence[Example], side: int = INPUT) -> Tensor:
    """Logits (n, 2) float32 of examples in one view, in their order; of parts of them where the side is smaller."""
    made = make(network)
    made.load_state_dict(state)
    folded = made.folded(torch.bfloat16 if bfloat16_is_fast() else torch.float32)
    dtype = next(folded.parameters()).dtype
    parts = []
    with torch.no_grad():
        for first in range(0, len(examples), _AT_ONCE):
            some = examples[first : first + _AT_ONCE]
            spots = np.array([spot_of(np.random.default_rng(first), one.mask, crack=one.crack) for one in some])
            nowhere = torch.zeros(len(some), 1, INPUT // PLACE, INPUT // PLACE)
            batch, _ = parts_of(prepared([one.pixels for one in some]), nowhere, spots, side)
            maps = folded.features(batch.to(dtype).contiguous(memory_format=torch.channels_last))
            parts.append(folded.head(maps.float()))
    return torch.cat(parts)
