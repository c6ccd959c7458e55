"""A file of weights and the card beside it: written together, and refused when they no longer belong together."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn


class WeightsFileError(ValueError):
    """Weights or their card cannot be used; the message says which file, and why."""


def read(path: Path, card_path: Path) -> tuple[bytes, dict[str, Any]]:
    """The bytes of a file that is there and its card, whose hash they must have.

    Args:
        path: the file.
        card_path: a JSON object with the `sha256` of the file, or with those of several files by their names.

    Returns:
        The bytes, and the card with its own `path` added.

    Raises:
        WeightsFileError: a card that is missing or unreadable, or that has another hash.
    """
    try:
        card = json.loads(card_path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsFileError(
            f"the model card {card_path} cannot be read ({error}): weights and card go together"
        ) from error
    if not isinstance(card, dict):
        raise WeightsFileError(f"the model card {card_path} holds no object: weights and card go together")
    content = path.read_bytes()
    found, recorded = hashlib.sha256(content).hexdigest(), card.get("sha256")
    if isinstance(recorded, dict):
        recorded = recorded.get(path.name)
    if recorded != found:
        raise WeightsFileError(f"{path} has sha256 {found}, its card says {recorded}: one of them was changed")
    return content, {**card, "path": str(card_path)}


def write_card(path: Path, card: Mapping[str, Any]) -> None:
    """Write the card of a file of weights beside it."""
    path.with_suffix(".json").write_text(json.dumps(card, indent=2) + "\n")


def state_of(content: bytes) -> dict[str, Tensor]:
    """The parts of a file of weights by their names.

    Raises:
        WeightsFileError: bytes that are no such file.
    """
    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        return dict(state.items())
    except (RuntimeError, ValueError, AttributeError, TypeError, EOFError, pickle.UnpicklingError) as error:
        raise WeightsFileError(str(error)) from error


def fill(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Give a network its weights, taken in single precision.

    Raises:
        WeightsFileError: they are those of another network.
    """
    try:
        network.load_state_dict(
            {name: value.float() if value.is_floating_point() else value for name, value in state.items()}
        )
    except (RuntimeError, AttributeError, TypeError) as error:
        raise WeightsFileError(str(error)) from error
