"""The classifier's weights and their model card, written together; models/classifier/card.py reads them."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from models.classifier.card import NAME
from models.classifier.classifier import Classifier, known_values
from models.classifier.errors import ClassifierError
from models.classifier.networks import CLASSES
from models.classifier.preprocess import INPUT
from models.classifier.views import DEFAULT_VIEWS, View
from models.weights import files as weights_file


def write_weights(
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
    content = _packed(state)
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
    weights_file.write_card(path, card)
    formats: tuple[Literal["float32", "bfloat16"], ...] = "float32", "bfloat16"
    card["known_answer"] = {
        one: known_values(Classifier.load(path, device="cpu", dtype=one, prove=False)) for one in formats
    }
    weights_file.write_card(path, card)
    return path


def _packed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
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
