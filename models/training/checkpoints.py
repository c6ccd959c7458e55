"""What every training does with its weights: average them, slow down towards the end, and keep them in a file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.machine.files import whole

_WARM_UP = 100
"""Steps over which the rate rises."""


class Average:
    """The running mean of weights: what single steps leave behind of chance is averaged away.

    Args:
        state: to go on from.
        memory: what it keeps at each step, once enough of them are there.
        recent: early on it is the mean over about the last steps / recent of the steps.
    """

    def __init__(self, state: Mapping[str, Tensor] | None = None, *, memory: float = 0.999, recent: int = 1) -> None:
        self.state: dict[str, Tensor] = dict(state or {})
        """Empty before the first step."""
        self._memory, self._recent = memory, recent

    @torch.no_grad()
    def follow(self, state: Mapping[str, Tensor], step: int) -> None:
        """Take in the weights after a step; `step` counts from 1."""
        if not self.state:
            self.state = {name: value.clone() for name, value in state.items()}
            return
        share = max(self._recent / (step + self._recent), 1 - self._memory)
        for name, value in state.items():
            if value.is_floating_point():
                self.state[name].lerp_(value, share)
            else:
                self.state[name].copy_(value)


def warm_up_cosine(share: float, step: int) -> float:
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
    with whole(path) as part:
        torch.save(dict(saved), part)
