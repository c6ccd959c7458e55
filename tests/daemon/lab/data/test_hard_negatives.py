"""Crops of what the shipped detector takes for a crack on sheets without one."""

from __future__ import annotations

import numpy as np
import torch

from config.schema import Recipe
from daemon.lab.data.hard_negatives import HARD_NEGATIVE, hard_negatives
from models.detector.detector import Detector, WindowView
from simulator.crops.classifier import SIDE
from simulator.crops.cut import TRAINING_PRODUCTS

torch.set_num_threads(1)


def test_they_show_no_crack_and_are_higher_in_the_middle_than_elsewhere() -> None:
    found = list(hard_negatives(TRAINING_PRODUCTS, 7_000_001, 4))
    detector = Detector.load(Recipe(name="hard-negatives"), device="cpu")
    higher = []
    for cut in found:
        assert cut.pixels.shape == (SIDE, SIDE)
        assert cut.kind == HARD_NEGATIVE
        assert not cut.crack
        assert cut.maker in TRAINING_PRODUCTS
        values = detector.features(WindowView(cut.pixels, 0, 0, (0, 0, SIDE, SIDE)))
        middle = values[SIDE // 4 - 12 : SIDE // 4 + 12, SIDE // 4 - 12 : SIDE // 4 + 12]
        higher.append(float(middle.max() - np.median(values)))
    assert np.median(higher) > 2


def test_of_a_sheet_the_highest_come_first_and_no_more_than_asked_for() -> None:
    found = list(hard_negatives(TRAINING_PRODUCTS, 7_000_001, 3, 2))
    for one, other in zip(found[:2], hard_negatives(TRAINING_PRODUCTS, 7_000_001, 2), strict=True):
        assert np.array_equal(one.pixels, other.pixels)
        assert one.group == other.group
    assert found[2].group != found[0].group


def test_none_are_made_when_none_are_asked_for() -> None:
    assert list(hard_negatives(TRAINING_PRODUCTS, 7_000_001, 0)) == []
