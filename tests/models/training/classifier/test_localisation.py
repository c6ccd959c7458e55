"""What a classifier in training is asked about the place of a crack."""

from __future__ import annotations

import pytest
import torch

from models.classifier.networks import NETWORKS, make
from models.training.classifier.localisation import LocalisationHead

torch.set_num_threads(1)


@pytest.mark.parametrize("name", NETWORKS)
def test_middle_maps_are_a_sixteenth_of_the_picture(name: str) -> None:
    network = make(name)
    head = LocalisationHead(network)
    network(torch.zeros(2, 3, 64, 96))
    assert head.maps.shape[2:] == (4, 6)


def test_the_loss_falls_when_a_place_is_told_apart_and_teaches_the_network() -> None:
    torch.manual_seed(1)
    network = make("resnet18").train()
    head = LocalisationHead(network)
    crops = torch.randn(4, 3, 64, 64) * 0.1
    crops[:2, :, 16:32, 32:48] = 3
    places = torch.zeros(4, 1, 8, 8)
    places[:2, :, 2:4, 4:6] = 1
    optimiser = torch.optim.Adam([*network.parameters(), *head.parameters()], lr=1e-3)
    losses = []
    for _ in range(12):
        network.train()(crops)
        loss = head.loss(places)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    assert network.get_submodule("conv1").weight.grad is not None
    assert network.get_submodule("layer4.0.conv1").weight.grad is None


def test_places_that_are_not_known_count_nothing() -> None:
    network = make("resnet18").eval()
    head = LocalisationHead(network)
    network(torch.randn(2, 3, 64, 64))
    places = torch.zeros(2, 1, 8, 8)
    places[0, 0, 1, 1] = 1
    alone = head.loss(places).item()
    places[1] = torch.nan
    assert head.loss(places).item() != pytest.approx(alone)
    places[0] = torch.nan
    assert head.loss(places).item() == 0
