"""The classifier's weights and their model card, refused when they no longer belong together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.classifier.errors import ClassifierError
from models.classifier.networks import CLASSES, Network, make
from models.classifier.preprocess import INPUT
from models.classifier.temperature import TEMPERATURES
from models.weights import files as weights_file

NAME = "classifier.pt"


def read(path: Path) -> tuple[Network, dict[str, Any]]:
    """The network with its weights, and the card (with the `path` of the card added).

    Raises:
        ClassifierError: a file that is missing or unreadable, or that differs from its card or from this program in
            its hash, its input size, its classes, or its parameters.
    """
    content, card = checked(path, path.with_suffix(".json"))
    network = make(str(card.get("network")))
    try:
        weights_file.fill(network, weights_file.state_of(content))
    except weights_file.WeightsFileError as error:
        raise ClassifierError(f"{path} does not fit a {card['network']}: {error}") from error
    return network, card


def checked(path: Path, card_path: Path) -> tuple[bytes, dict[str, Any]]:
    """The bytes of a file and its card, which must belong together and to this program.

    Raises:
        ClassifierError: as `read`.
    """
    if not path.is_file():
        raise ClassifierError(f"no network at {path}: train one with `linesentry train classifier`")
    try:
        content, card = weights_file.read(path, card_path)
    except weights_file.WeightsFileError as error:
        raise ClassifierError(str(error)) from error
    if card.get("input") != INPUT:
        raise ClassifierError(f"{path} is for an input of {card.get('input')} px; this program gives it {INPUT}")
    if card.get("classes") != list(CLASSES):
        raise ClassifierError(f"{path} knows the classes {card.get('classes')}; this program asks for {list(CLASSES)}")
    for name, low, high in (("temperature", *TEMPERATURES), ("threshold", 0, 1)):
        value = card.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise ClassifierError(f"{card_path}: {name} lies in {low}..{high}; found {value!r}")
    return content, card
