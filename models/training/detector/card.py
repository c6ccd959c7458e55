"""Weights and their model card: what they were made from, what they can do, and how to check that they are whole."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from config.schema import Recipe
from models.detector.detector import Detector, known_values
from models.detector.features import FEATURE, Architecture
from models.detector.reference import SIDE, Reference
from models.detector.threshold import LearntThreshold
from models.weights import files as weights_file

PLAIN = Recipe(name="plain")
"""Resolution, templates and pitch of the weights that ship."""


def write(
    folder: Path,
    state: Mapping[str, Tensor],
    threshold: LearntThreshold,
    facts: Mapping[str, Any],
    recipe: Recipe = PLAIN,
    architecture: Architecture = FEATURE,
    reference: Reference | None = None,
    polarity: str = "bright",
) -> Path:
    """Write detector-<resolution>.pt (half precision, a plain state dict) and its card beside it.

    Another architecture's weights have another name.

    Args:
        folder: where; made when missing.
        state: of the trained network.
        threshold: what the adaptive rule takes from the training.
        facts: data, seeds, products and figures for the card.
        recipe: whose resolution, templates and pitch the network was trained with.
        architecture: of the network.
        reference: what good sheets of the product show with these weights.
        polarity: of the recipe that it was made with.

    Returns:
        Path of the weights.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{architecture.weights}-{recipe.resolution}.pt"
    packed = {
        name: value.detach().cpu().half().contiguous() if value.is_floating_point() else value
        for name, value in state.items()
    }
    packed |= {} if reference is None else reference.tensors()
    buffer = io.BytesIO()
    torch.save(packed, buffer)
    path.write_bytes(buffer.getvalue())
    card: dict[str, Any] = {
        "name": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "network": architecture.name,
        "resolution": recipe.resolution,
        "made": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "templates": [template.model_dump() for template in recipe.templates],
        "pitch": None if recipe.pitch is None else recipe.pitch.model_dump(),
        "threshold": dataclasses.asdict(threshold),
        "reference": None if reference is None else _facts(reference, polarity),
        **facts,
    }
    weights_file.write_card(path, card)
    detector = Detector.load(
        recipe.model_copy(update={"weights": str(path), "polarity": polarity}),
        device="cpu",
        dtype="float32",
        prove=False,
        architecture=architecture,
    )
    card["known_answer"] = known_values(detector)
    weights_file.write_card(path, card)
    return path


def _facts(reference: Reference, polarity: str) -> dict[str, Any]:
    return {"cell_px": SIDE, "cells": list(reference.middle.shape), "polarity": polarity}
