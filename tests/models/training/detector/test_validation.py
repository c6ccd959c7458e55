"""Looks at validation crops, and the weights that a training leaves by them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from models.detector.features import FeatureNetwork
from models.training.detector.crops import LabelledCrop
from models.training.detector.learner import Learner
from models.training.detector.plan import Plan
from models.training.detector.validation import Validation

torch.set_num_threads(1)
PLAN = Plan(steps=9, crop=64, batch=2)


def crops(cracked: int, plain: int) -> list[LabelledCrop]:
    """Noise, all of it crack or none."""
    rng = np.random.default_rng(1)
    nothing = np.zeros((64, 64), np.bool_)
    noise = [rng.integers(80, 120, (64, 64), np.uint8) for _ in range(cracked + plain)]
    return [(image, nothing | (index < cracked), nothing) for index, image in enumerate(noise)]


def trained(looks: Validation, best: float, end: float) -> Learner:
    """A learner whose network said `best` of every pixel at the look of step 3, and says `end` at that of step 9."""
    torch.manual_seed(0)
    learner = Learner(PLAN, None)
    learner.looks_at(32)
    assert isinstance(learner.network, FeatureNetwork)
    head = learner.network.head
    assert head.bias is not None
    torch.nn.init.zeros_(head.weight)
    for learner.step, said in ((3, best), (9, end)):
        torch.nn.init.constant_(head.bias, said)
        looks.stalled(learner)
    return learner


def test_the_end_is_kept_where_an_earlier_look_was_better_by_chance() -> None:
    looks = Validation(crops(16, 16), PLAN)
    learner = trained(looks, best=0.3, end=0.0)
    losses = [loss for _, loss in learner.history]
    assert losses[0] < losses[1]
    state, step = looks.kept(learner)
    assert (step, float(state["head.bias"][0])) == (9, 0.0)


def test_an_earlier_look_that_was_clearly_better_is_kept() -> None:
    looks = Validation(crops(0, 32), PLAN)
    state, step = looks.kept(trained(looks, best=-3.0, end=0.0))
    assert (step, float(state["head.bias"][0])) == (3, -3.0)


def test_without_crops_the_end_is_kept() -> None:
    looks = Validation([], PLAN)
    assert looks.kept(trained(looks, best=-3.0, end=0.0))[1] == 9


@pytest.mark.parametrize(("now", "known"), [(32, 2), (8, 0)])
def test_looks_at_another_number_of_crops_are_forgotten_with_their_best_weights(
    now: int, known: int, tmp_path: Path
) -> None:
    looks = Validation(crops(0, 32), PLAN)
    learner = trained(looks, best=-3.0, end=0.0)
    learner.save(tmp_path / "part.ckpt", drawn=0)
    later = Learner(PLAN, tmp_path / "part.ckpt")
    later.looks_at(now)
    assert (len(later.history), later.best is None) == (known, known == 0)
