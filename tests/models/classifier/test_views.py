from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
import torch

from models.classifier.views import DEFAULT_VIEWS, View, averaged, undone, viewed


def smooth(count: int = 2, side: int = 224) -> torch.Tensor:
    coarse = torch.rand(count, 3, 9, 9, generator=torch.Generator().manual_seed(2))
    return torch.nn.functional.interpolate(coarse, (side, side), mode="bicubic")


def test_views_of_a_crop_follow_each_other() -> None:
    batch = smooth()
    found = viewed(batch)
    assert found.shape == (10, 3, 224, 224)
    assert torch.equal(found[0], batch[0])
    assert torch.equal(found[5], batch[1])
    assert torch.equal(found[1], batch[0].flip(2)), "columns reversed"
    assert torch.equal(found[2], batch[0].flip(1)), "rows reversed"
    for place, view in enumerate(DEFAULT_VIEWS):
        assert torch.equal(found[place::5], viewed(batch, [view]))


@pytest.mark.parametrize(("view", "degrees"), [("rotate_+5", 5.0), ("rotate_-5", -5.0)])
def test_rotation_turns_counter_clockwise_about_the_middle(view: View, degrees: float) -> None:
    batch = smooth(1)
    turn = cv2.getRotationMatrix2D((111.5, 111.5), degrees, 1.0)
    expected = cv2.warpAffine(batch[0, 0].numpy(), turn, (224, 224), flags=cv2.INTER_LINEAR)
    found = viewed(batch, [view])[0, 0].numpy()
    inside = slice(24, 200)
    assert np.abs(found[inside, inside] - expected[inside, inside]).max() < 0.01


def test_rotation_brings_in_no_dark_corners() -> None:
    batch = smooth(1) * 0 + 0.7
    assert torch.allclose(viewed(batch), torch.tensor(0.7), atol=1e-5)


def test_mirrored_maps_are_laid_back_on_their_crops() -> None:
    crop = torch.rand(1, 1, 7, 7)
    maps = viewed(crop, ["identity", "flip_horizontal", "flip_vertical"])[:, 0][None]
    assert torch.allclose(undone(maps, ["identity", "flip_horizontal", "flip_vertical"]), crop[:, 0])


def test_average_is_that_of_the_probabilities() -> None:
    logits = torch.tensor([[0.0, 2.0], [0.0, -1.0], [3.0, 3.0], [1.0, 0.0]])
    sigmoid = [1 / (1 + math.exp(-margin)) for margin in (2, -1, 0, -1)]
    found = averaged(logits, 2)
    assert found.tolist() == pytest.approx([(sigmoid[0] + sigmoid[1]) / 2, (sigmoid[2] + sigmoid[3]) / 2])
    assert found.dtype == torch.float64


@pytest.mark.parametrize("views", [[], ["rotate_+90"]])
def test_no_or_unknown_views_are_refused_by_those_there_are(views: list[View]) -> None:
    with pytest.raises(ValueError, match=r"identity, flip_horizontal, flip_vertical, rotate_-5, rotate_\+5"):
        viewed(smooth(1), views)
