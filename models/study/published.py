"""The published form of the feature network: full resolution, patches of 27 x 27 px and SGD (M 106-107)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from config.schema import Recipe
from models.machine.allocator import keep_freed
from models.study.training import Budget, Outcome
from models.training.detector.crops import LabelledCrop
from models.training.detector.examples import stacked
from models.training.detector.learner import Learner
from models.training.detector.patches import PATCHES, patches_of
from models.training.detector.plan import Plan

FULL = Recipe(name="study", resolution="full")
_CROPS = 6
"""Crops that the patches of one step are cut from."""


def train_published(
    crops: Sequence[LabelledCrop],
    *,
    minutes: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    on_progress: Callable[[float], None] | None = None,
) -> tuple[dict[str, Tensor], Outcome]:
    """What `linesentry train detector --preset paper --resolution full` does, on given crops and for equal time.

    Args:
        crops: all of one size, at the plate's resolution.
        minutes: of processor time, all threads together.
        steps: instead of minutes.
        seed: of the network, the patches and their order.
        on_progress: called about every second with the share that is done.

    Returns:
        The weights, a running mean over the last steps, and what was done.

    Raises:
        ValueError: neither or both of minutes and steps are given, or there are no crops.
    """
    budget = Budget(minutes, steps)
    if not crops:
        raise ValueError("there are no crops to learn from")
    keep_freed()
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    learner = Learner(Plan(minutes=minutes, steps=steps, seed=seed, preset="paper", recipe=FULL), None)
    said = time.monotonic()
    while (share := budget.share(learner.step)) < 1:
        chosen = rng.choice(len(crops), _CROPS, replace=len(crops) < _CROPS)
        learner.learn(stacked(rng, patches_of(rng, [crops[index] for index in chosen], PATCHES), scale=1), share)
        if on_progress is not None and time.monotonic() - said > 1:
            said = time.monotonic()
            on_progress(share)
    return learner.averaged(), Outcome(learner.step, budget.seconds(), learner.loss)
