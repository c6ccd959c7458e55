"""The U-Net that stands in the place of the feature network, to compare with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from config.schema import Recipe
from models.detector.detector import Detector, DetectorError, WindowView
from models.detector.features import FeatureNetwork, Part
from models.detector.threshold import LearntThreshold
from models.study.unet import UNET, UNet
from models.training.detector import card
from models.training.detector.crops import CropSource, LabelledCrop
from models.training.detector.plan import Plan
from models.training.detector.train import train
from simulator.crops.wild import training_window

torch.set_num_threads(1)


def _cost(network: nn.Module, side: int) -> float:
    """Of a picture of so many px a side, all multiply-adds and the like."""
    with torch.no_grad(), FlopCounterMode(display=False) as counted:
        network.eval()(torch.zeros(1, 1, side, side))
    return float(counted.get_total_flops())


def test_it_costs_what_the_feature_network_costs() -> None:
    assert _cost(UNet(), 384) == pytest.approx(_cost(FeatureNetwork(), 384), rel=0.02)


@pytest.mark.parametrize("shape", [(1, 1), (33, 70)])
def test_any_picture_has_a_value_a_pixel(shape: tuple[int, int]) -> None:
    network = UNet().eval()
    with torch.no_grad():
        assert network(torch.zeros(2, 1, *shape)).shape == (2, 1, *shape)


def test_a_part_s_values_are_those_of_the_whole() -> None:
    folded = UNet().folded(torch.float32)
    picture = torch.randn(1, 1, 64, 96)
    with torch.inference_mode():
        assert torch.equal(folded(picture, Part(10, 20, 40, 60)), folded(picture)[:, 20:60, 10:40])


def _one_of(crops: Sequence[LabelledCrop]) -> CropSource:
    return lambda rng, _: crops[int(rng.integers(len(crops)))]


def test_it_learns_by_the_same_training_and_its_weights_are_a_detector_s_but_not_the_line_s(tmp_path: Path) -> None:
    rng = np.random.default_rng(9)
    kept = [training_window(rng, 64) for _ in range(8)]
    checkpoint = tmp_path / "unet.ckpt"

    def trained(steps: int, resume: Path | None = None) -> list[float]:
        plan = Plan(steps=steps, crop=64, batch=4, metal_share=1.0, rate=1e-2, architecture=UNET)
        outcome = train(
            training_window, plan, metal=_one_of(kept), validation=kept, checkpoint=checkpoint, resume=resume
        )
        card.write(tmp_path, outcome.state, LearntThreshold(0.0, 3.5, 0.4), {}, architecture=UNET)
        return [loss for _, loss in outcome.history]

    first = trained(4)[-1]
    assert trained(40, checkpoint)[-1] < first
    recipe = Recipe(name="made", weights=str(tmp_path / "unet-half.pt"))
    detector = Detector.load(recipe, "cpu", architecture=UNET)
    assert detector.features(WindowView(np.zeros((100, 130), np.uint8), 0, 0, (0, 0, 130, 100))).shape == (50, 65)
    with pytest.raises(DetectorError, match="is of a network `unet`, asked for is one `feature`"):
        Detector.load(recipe, "cpu")
    with pytest.raises(ValueError, match="architecture unet instead of feature"):
        train(training_window, Plan(steps=200, crop=64, batch=4), resume=checkpoint)
