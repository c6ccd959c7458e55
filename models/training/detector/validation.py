"""Looks at crops that are never trained on: which weights are best, and whether there is still progress."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from models.detector.features import network_for
from models.machine.cpu import bfloat16_is_fast
from models.training.detector.crops import LabelledCrop
from models.training.detector.examples import stacked
from models.training.detector.learner import Learner
from models.training.detector.loss import focal_overlap_loss
from models.training.detector.plan import Plan


class Validation:
    """Crops that a training looks at from time to time; without any, a look changes nothing."""

    def __init__(self, crops: Sequence[LabelledCrop], plan: Plan) -> None:
        self._batches = [
            stacked(np.random.default_rng(index), crops[index : index + 4], plan.scale)
            for index in range(0, len(crops), 4)
        ]
        self._patience = plan.patience

    @torch.no_grad()
    def stalled(self, learner: Learner) -> bool:
        """Note the loss of the averaged weights, keep them if it is the lowest; whether it fell at none of the last."""
        if not self._batches:
            return False
        network = network_for(learner.recipe).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        state = learner.averaged()
        network.load_state_dict(state)
        network.eval()
        total = 0.0
        for image, target, weight in self._batches:
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16_is_fast()):
                values = network(image)
            total += focal_overlap_loss(values.float(), target, weight)[0].item()
        loss = total / len(self._batches)
        if not learner.history or loss < min(known for _, known in learner.history):
            learner.best = {name: value.clone() for name, value in state.items()}
        learner.history.append((learner.step, round(loss, 5)))
        lowest = min(range(len(learner.history)), key=lambda index: learner.history[index][1])
        return len(learner.history) - 1 - lowest >= self._patience
