from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from models.classifier.network import Network
from models.classifier.networks import make
from models.training.classifier.card import write_weights

torch.set_num_threads(1)


def _seeded(name: str) -> Network:
    torch.manual_seed(7)
    network = make(name)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            torch.nn.init.uniform_(module.weight, 0.5, 1.0)
            torch.nn.init.normal_(module.bias, 0, 0.1)
    return network.eval()


@pytest.fixture(scope="session")
def seeded() -> Callable[[str], Network]:
    """Makes a network with fresh weights, and normalisations as if it had seen pictures; in evaluation mode."""
    return _seeded


@pytest.fixture(scope="session")
def resnet18() -> Network:
    return _seeded("resnet18")


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory, resnet18: Network) -> Path:
    """Weights of an untrained ResNet18 with their card."""
    return write_weights(
        tmp_path_factory.mktemp("weights"),
        resnet18.state_dict(),
        "resnet18",
        {"seed": 7, "sha256": "of something else"},
        temperature=2.0,
    )
