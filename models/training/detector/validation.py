"""Looks at crops that are never trained on: whether there is still progress, and which weights are kept."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.machine.cpu import bfloat16_is_fast
from models.training.detector.crops import LabelledCrop
from models.training.detector.examples import stacked
from models.training.detector.learner import Learner
from models.training.detector.loss import focal_overlap_loss
from models.training.detector.plan import Plan

_BATCH = 4
_CLEARLY = 2.0
"""Standard errors by which an earlier look must be better than the end to be kept in its place."""


class Validation:
    """Crops that a training looks at from time to time; without any, a look changes nothing."""

    def __init__(self, crops: Sequence[LabelledCrop], plan: Plan) -> None:
        self._batches = [
            stacked(np.random.default_rng(index), crops[index : index + _BATCH], plan.scale)
            for index in range(0, len(crops), _BATCH)
        ]
        self._patience = plan.patience

    def stalled(self, learner: Learner) -> bool:
        """Note the loss of the averaged weights, keep them if it is the lowest; whether it fell at none of the last."""
        if not self._batches:
            return False
        state = learner.averaged()
        loss = float(self._losses(learner, state).mean())
        if not learner.history or loss < min(known for _, known in learner.history):
            learner.best = {name: value.clone() for name, value in state.items()}
        learner.history.append((learner.step, round(loss, 5)))
        lowest = min(range(len(learner.history)), key=lambda index: learner.history[index][1])
        return len(learner.history) - 1 - lowest >= self._patience

    def kept(self, learner: Learner) -> tuple[dict[str, Tensor], int]:
        """The weights that a training leaves, and of which step they are.

        The running mean of its end, which has learnt longest, unless the best look was clearly better on the same
        crops: the lowest of many losses is low by chance, too.
        """
        end, step = learner.averaged(), learner.step
        if learner.best is None or not self._batches:
            return end, step
        more = self._losses(learner, end) - self._losses(learner, learner.best)
        error = float(more.std(ddof=1)) / math.sqrt(len(more)) if len(more) > 1 else 0.0
        if not more.mean() > _CLEARLY * error:
            return end, step
        return learner.best, min(learner.history, key=lambda look: look[1])[0]

    @torch.no_grad()
    def _losses(self, learner: Learner, state: Mapping[str, Tensor]) -> NDArray[np.float64]:
        """Of each batch of the crops."""
        network = learner.fresh()
        network.load_state_dict(dict(state))
        network.eval()
        losses = []
        for image, target, weight in self._batches:
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16_is_fast()):
                values = network(image)
            losses.append(focal_overlap_loss(values.float(), target, weight)[0].item())
        return np.array(losses)
