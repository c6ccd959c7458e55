"""The published form: patches, SGD and full resolution, for a given time."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.detector.features import network_for
from models.study.published import FULL, train_published
from models.training.detector.crops import LabelledCrop


def _crops(count: int) -> list[LabelledCrop]:
    rng = np.random.default_rng(3)
    crops = []
    for _ in range(count):
        mask = np.zeros((96, 96), np.bool_)
        mask[20:70, 40:50] = True
        image = rng.normal(100, 3, mask.shape) + 30 * mask
        crops.append((image.astype(np.uint8), mask, np.zeros_like(mask)))
    return crops


def test_training_as_published_is_the_same_twice_and_fits_the_network_of_full_resolution() -> None:
    states = []
    for _ in range(2):
        state, outcome = train_published(_crops(3), steps=2, seed=4)
        assert outcome.steps == 2
        network_for(FULL).load_state_dict(state)
        states.append(state)
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_training_as_published_wants_crops_and_one_end() -> None:
    with pytest.raises(ValueError, match="either minutes or steps"):
        train_published(_crops(1))
    with pytest.raises(ValueError, match="no crops"):
        train_published([], steps=1)
