"""Variants of the feature network: other receptive fields, fewer templates, and the training loop."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from config.schema import Recipe
from models.detector.card import Weights
from models.detector.detector import Detector, WindowView
from models.detector.features import FeatureNetwork
from models.study.receptive_field import Aspp, DrConv, Name, Rfb, with_receptive_field
from models.study.training import boxes_of, examples, pixel_loss, train
from models.study.variants import StudyNetwork
from models.training.detector.crops import LabelledCrop

_NAMES: tuple[Name, ...] = ("aspp", "rfb", "drconv")


@pytest.mark.parametrize("make", [Aspp, Rfb, DrConv])
def test_a_receptive_field_keeps_the_shape_and_sees_beyond_its_pixel(make: type[Aspp | Rfb | DrConv]) -> None:
    torch.manual_seed(1)
    module = make(16).eval()
    x = torch.randn(2, 16, 13, 9, requires_grad=True)
    out = module(x)
    assert out.shape == x.shape
    out[0, :, 6, 4].sum().backward()
    assert x.grad is not None
    seen = x.grad[0].abs().sum(0) > 0
    assert seen[4:9, 3:6].any()
    assert int(seen.sum()) > 1
    assert not x.grad[1].any()  # pictures do not see each other


@pytest.mark.parametrize("name", _NAMES)
def test_a_network_with_another_receptive_field_gives_a_value_a_pixel_and_learns_in_all_its_parts(name: Name) -> None:
    torch.manual_seed(0)
    network = with_receptive_field(FeatureNetwork(), name)
    x = torch.randn(2, 1, 65, 50)
    values = network(x)
    assert values.shape == x.shape
    values.square().mean().backward()
    idle = [
        key for key, part in network.named_parameters() if part.grad is None and not key.startswith(("context", "more"))
    ]
    assert idle == []


def test_an_unknown_receptive_field_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown"):
        with_receptive_field(FeatureNetwork(), "other")  # type: ignore[arg-type]


def test_kept_templates_stay_as_they_are_while_the_others_learn() -> None:
    kept = {}
    for templates in ("all", "one", "none"):
        network = StudyNetwork(templates)
        before = network.bank_kernels().detach().clone()
        network.zero_grad()
        (network.bank_kernels() ** 2).sum().backward()  # type: ignore[no-untyped-call]
        torch.optim.SGD(network.parameters(), lr=0.1).step()
        after = network.bank_kernels().detach()
        same = (before == after).all(dim=(1, 2, 3))
        count = len(network.template_kernels)
        templates_in_place = (after[:count] == network.template_kernels).all(dim=(1, 2, 3))
        assert bool((same[:count] == templates_in_place).all())
        kept[templates] = int(same.sum()), count
    count = kept["all"][1]
    assert [kept[name][0] for name in ("all", "one", "none")] == [count, count // 3, 0]


@pytest.mark.parametrize("name", ["plain", *_NAMES])
def test_the_detector_runs_a_variant_and_gives_what_the_network_gives(name: str) -> None:
    torch.manual_seed(0)
    network = StudyNetwork("one")
    if name != "plain":
        with_receptive_field(network, name)  # type: ignore[arg-type]
    network.eval()
    card = {"sha256": "", "path": "", "threshold": {"floor": 0.0, "grow": 0.0, "spread": 0.0}}
    detector = Detector(Recipe(name="test"), Weights(network, card), torch.device("cpu"), torch.float32)
    pixels = np.random.default_rng(0).integers(80, 120, (650, 650)).astype(np.uint8)
    values = detector.features(WindowView(pixels, 0, 0, (0, 0, 650, 650)))
    small = torch.from_numpy(pixels.reshape(325, 2, 325, 2).mean((1, 3)).round()).float()
    direct = network((small - small.mean())[None, None] / 24).detach()[0, 0].numpy()
    assert np.abs(values - direct).max() < 0.05


def _crops(count: int, size: int = 64) -> list[LabelledCrop]:
    rng = np.random.default_rng(3)
    crops = []
    for index in range(count):
        mask = np.zeros((size, size), np.bool_)
        if index % 2 == 0:
            mask[10:50, 20:30] = True
        image = rng.normal(100, 3, (size, size)) + 30 * mask
        crops.append((image.astype(np.uint8), mask, np.zeros_like(mask)))
    return crops


def test_examples_are_half_as_large_and_their_boxes_hold_the_target() -> None:
    batch = examples(np.random.default_rng(0), _crops(8))
    assert batch.image.shape == batch.target.shape == batch.weight.shape == (8, 1, 32, 32)
    for target, boxes in zip(batch.target, batch.boxes, strict=True):
        assert np.array_equal(boxes.numpy(), boxes_of(target[0].numpy()))
        assert (len(boxes) > 0) == (float(target.sum()) >= 15)
        for x0, y0, x1, y1 in boxes.int().tolist():
            assert target[0, y0:y1, x0:x1].sum() > 0


def test_training_for_steps_is_the_same_twice_and_lowers_the_loss() -> None:
    losses, states = [], []
    for _ in range(2):
        torch.manual_seed(5)
        network = StudyNetwork()
        outcome = train(network, pixel_loss, _crops(6), steps=25, seed=1, batch=4)
        assert outcome.steps == 25
        losses.append(outcome.loss)
        states.append(network.head.weight.detach().clone())
    assert losses[0] == losses[1]
    assert torch.equal(states[0], states[1])
    torch.manual_seed(5)
    batch = examples(np.random.default_rng(2), _crops(6))
    fresh = float(pixel_loss(StudyNetwork(), batch).detach())
    assert not network.training
    assert float(pixel_loss(network.train(), batch).detach()) < 0.8 * fresh


def test_training_wants_crops_and_one_end() -> None:
    with pytest.raises(ValueError, match="either minutes or steps"):
        train(StudyNetwork(), pixel_loss, _crops(2))
    with pytest.raises(ValueError, match="no crops"):
        train(StudyNetwork(), pixel_loss, [], steps=1)
