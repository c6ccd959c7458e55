"""Gradients of depthwise convolutions are those of torch, only sooner."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from models.classifier.networks import NETWORKS, make
from models.training.classifier.depthwise import quicken

torch.set_num_threads(1)


@pytest.mark.parametrize("side", [3, 5, 7])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("padding", [0, 1, 2])
@pytest.mark.parametrize("size", [(12, 12), (13, 18), (9, 7)])
def test_gradients_are_those_of_torch(side: int, stride: int, padding: int, size: tuple[int, int]) -> None:
    torch.manual_seed(side + stride)
    own = nn.Conv2d(6, 6, side, stride, padding, groups=6, bias=False, dtype=torch.float64)
    quick = nn.Conv2d(6, 6, side, stride, padding, groups=6, bias=False, dtype=torch.float64)
    quick.load_state_dict(own.state_dict())
    quicken(quick)
    found = []
    for layer in (own, quick):
        maps = torch.linspace(-1, 1, 2 * 6 * size[0] * size[1], dtype=torch.float64).sin().reshape(2, 6, *size)
        maps.requires_grad_()
        answer = layer(maps)
        (answer * torch.arange(answer.numel(), dtype=torch.float64).reshape(answer.shape)).sum().backward()
        found.append((answer, maps.grad, layer.weight.grad))
    for expected, made in zip(*found, strict=True):
        torch.testing.assert_close(made, expected)


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_networks_learn_the_same_and_keep_their_names(name: str) -> None:
    torch.manual_seed(0)
    crops = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    found = []
    own, quick = make(name), make(name)
    quick.load_state_dict(own.state_dict())
    quicken(quick)
    assert list(quick.state_dict()) == list(own.state_dict())
    for network in (own, quick):
        network.double().train()
        torch.manual_seed(1)  # of what the head drops out
        network(crops).square().sum().backward()
        found.append([one.grad for one in network.parameters()])
    for expected, made in zip(*found, strict=True):
        torch.testing.assert_close(made, expected)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(4, 4, 5, padding=2, groups=2, bias=False),
        nn.Conv2d(4, 4, 5, padding=2, groups=4),
        nn.Conv2d(4, 4, 5, padding=4, dilation=2, groups=4, bias=False),
        nn.Conv2d(4, 4, (3, 5), 2, padding=(1, 2), groups=4, bias=False),
        nn.Conv2d(4, 4, 5, padding="same", groups=4, bias=False),
        nn.Conv2d(4, 8, 5, padding=2, groups=4, bias=False),
    ],
)
def test_other_convolutions_stay_as_they_are(layer: nn.Conv2d) -> None:
    quicken(layer)
    assert "_conv_forward" not in vars(layer)
    layer(torch.zeros(1, 4, 12, 12)).sum().backward()
