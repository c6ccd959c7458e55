"""The networks by name."""

from __future__ import annotations

from collections.abc import Callable

from models.classifier.errors import ClassifierError
from models.classifier.network import CLASSES, CRACK, Network
from models.classifier.resnet import ResNet

__all__ = ["CLASSES", "CRACK", "NETWORKS", "Network", "make"]

NETWORKS: dict[str, Callable[[], Network]] = {
    "resnet18": lambda: ResNet((2, 2, 2, 2)),
    "resnet34": lambda: ResNet((3, 4, 6, 3)),
}
"""Each makes a network with fresh weights."""


def make(name: str) -> Network:
    """The network of that name, with fresh weights.

    Raises:
        ClassifierError: no such network, or what it needs is not installed.
    """
    if name not in NETWORKS:
        raise ClassifierError(f"unknown network {name!r}: choose from {', '.join(NETWORKS)}")
    return NETWORKS[name]()
