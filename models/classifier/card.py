"""The classifier's weights and their model card: written together, and refused when they no longer belong together."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from models.classifier.errors import ClassifierError
from models.classifier.networks import CLASSES, Network, make
from models.classifier.preprocess import INPUT
from models.classifier.temperature import TEMPERATURES
from models.classifier.views import DEFAULT_VIEWS, View
from models.weights import files as weights_file

NAME = "classifier.pt"


def write(
    folder: Path,
    state: Mapping[str, Tensor],
    network: str,
    facts: Mapping[str, Any],
    *,
    temperature: float = 1.0,
    threshold: float = 0.5,
    views: Sequence[View] = DEFAULT_VIEWS,
) -> Path:
    """Write classifier.pt (a plain state dict, its matrices in half precision) and its card beside it.

    Args:
        folder: where; made when missing.
        state: of the trained network.
        network: its name.
        facts: data, seeds, command and figures for the card.
        temperature: fitted on validation after the average over the views; 1 changes nothing.
        threshold: calibrated probability from which a crop counts as a crack; from validation.
        views: those for which the temperature holds.

    Returns:
        Path of the weights.

    Raises:
        ClassifierError: weights that half precision cannot hold, or that do not fit the network.
    """
    from models.classifier.classifier import Classifier, known_values  # noqa: PLC0415 - the classifier reads cards

    content = packed(state)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / NAME
    buffer = io.BytesIO()
    torch.save(content, buffer)
    path.write_bytes(buffer.getvalue())
    own = {
        "name": path.name,
        "sha256": hashlib.sha256(buffer.getvalue()).hexdigest(),
        "network": network,
        "classes": list(CLASSES),
        "input": INPUT,
        "temperature": temperature,
        "threshold": threshold,
        "views": list(views),
        "made": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
    }
    card: dict[str, Any] = {**own, **facts, **own}  # in this order, and no fact takes the place of what is checked
    _store(path, card)
    formats: tuple[Literal["float32", "bfloat16"], ...] = "float32", "bfloat16"
    card["known_answer"] = {one: known_values(Classifier.load(path, device="cpu", dtype=one)) for one in formats}
    _store(path, card)
    return path


def packed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights as they ship: matrices in half precision.

    Biases and statistics, which are few and differ by orders of magnitude, stay in single precision.

    Raises:
        ClassifierError: half precision cannot hold them.
    """
    content = {}
    for name, value in state.items():
        plain = value.detach().cpu().contiguous()
        if plain.is_floating_point():
            plain = plain.half() if plain.ndim > 1 else plain.float()
        content[name] = plain
    beyond = [name for name, value in content.items() if not bool(torch.isfinite(value).all())]
    if beyond:
        raise ClassifierError(f"half precision cannot hold {', '.join(beyond)}: the training has come to nothing")
    return content


def read(path: Path) -> tuple[Network, dict[str, Any]]:
    """The network with its weights, and the card (with the `path` of the card added).

    Raises:
        ClassifierError: a file that is missing or unreadable, or that differs from its card or from this program in
            its hash, its input size, its classes, or its parameters.
    """
    content, card = checked(path, path.with_suffix(".json"))
    network = make(str(card.get("network")))
    try:
        weights_file.fill(network, content)
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


def _store(path: Path, card: Mapping[str, Any]) -> None:
    path.with_suffix(".json").write_text(json.dumps(card, indent=2) + "\n")
