"""What every training does with its weights: average them, slow down towards the end, and keep them in a file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

_MEMORY = 0.999
"""What the running mean of the weights keeps at each step."""
_WARM_UP = 100
"""Steps over which the rate rises."""


class Average:
    """The running mean of weights: what single steps leave behind of chance is averaged away."""

    def __init__(self, state: Mapping[str, Tensor] | None = None) -> None:
        self.state: dict[str, Tensor] = dict(state or {})
        """Over the last thousand steps or so; empty before the first."""

    @torch.no_grad()
    def follow(self, state: Mapping[str, Tensor], step: int) -> None:
        """Take in the weights after a step; `step` counts from 1."""
        if not self.state:
            self.state = {name: value.clone() for name, value in state.items()}
            return
        share = max(1 / (step + 1), 1 - _MEMORY)
        for name, value in state.items():
            if value.is_floating_point():
                self.state[name].lerp_(value, share)
            else:
                self.state[name].copy_(value)


def slowed(share: float, step: int) -> float:
    """The part of the learning rate that holds: a rise over the first hundred steps, a cosine down to a 200th.

    Args:
        share: of the training that is done, 0..1.
        step: that are done.
    """
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, share)))
    return max(0.005, min(1.0, (step + 1) / _WARM_UP) * cosine)


def save_whole(path: Path, saved: Mapping[str, Any]) -> None:
    """Write a checkpoint, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    torch.save(dict(saved), part)
    part.replace(path)
