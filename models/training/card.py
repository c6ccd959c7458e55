"""Weights and their model card: what they were made from, what they can do, and how to check that they are whole."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from config.schema import DEFAULT_TEMPLATES, Recipe
from models.detector import Detector, WindowView, bfloat16_is_fast, known_values
from models.features import FeatureNetwork
from models.regions import find_regions
from models.threshold import Learnt
from models.training.samples import Crop


def write(
    folder: Path, state: Mapping[str, Tensor], threshold: Learnt, facts: Mapping[str, Any], resolution: str = "half"
) -> Path:
    """Write detector-<resolution>.pt (half precision, a plain state dict) and its card beside it.

    Args:
        folder: where; made when missing.
        state: of the trained network.
        threshold: what the adaptive rule takes from the training.
        facts: data, seeds, products and figures for the card.
        resolution: of the network.

    Returns:
        Path of the weights.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"detector-{resolution}.pt"
    packed = {
        name: value.detach().cpu().half().contiguous() if value.is_floating_point() else value
        for name, value in state.items()
    }
    buffer = io.BytesIO()
    torch.save(packed, buffer)
    path.write_bytes(buffer.getvalue())
    card: dict[str, Any] = {
        "name": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "resolution": resolution,
        "made": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "templates": [template.model_dump() for template in DEFAULT_TEMPLATES],
        "threshold": dataclasses.asdict(threshold),
        **facts,
    }
    _store(path, card)
    recipe = Recipe(name="known", weights=str(path), resolution="half" if resolution == "half" else "full")
    detector = Detector.load(recipe, device="cpu", dtype="float32", batch=1)
    card["known_answer"] = known_values(detector)
    _store(path, card)
    return path


def _store(path: Path, card: Mapping[str, Any]) -> None:
    path.with_suffix(".json").write_text(json.dumps(card, indent=2) + "\n")


def learn_threshold(
    state: Mapping[str, Tensor],
    clean: Iterable[Crop],
    *,
    most_per_mpx: float = 0.01,
    least: float = 0.0,
    grow: float = 2.0,
    spread: float = 0.0,
) -> tuple[Learnt, dict[str, float]]:
    """The least floor at which defect-free crops give at most so many regions a million px.

    Args:
        state: of a trained half-resolution network.
        clean: crops without any crack, at most 650 px wide; a hundred million px tell a rate of 0.01 apart.
        most_per_mpx: regions a million px that may remain.
        least: no lower floor is learnt, however clean the crops.
        grow: how far below the floor a region's pixels may lie.
        spread: robust sigmas of a window by which the floor must lie above its median.

    Returns:
        The threshold, and regions a million px by floor, for the card.
    """
    learnt = Learnt(least, grow, spread)
    network = FeatureNetwork()
    network.load_state_dict(dict(state))
    recipe = Recipe(name="clean")
    card = {"sha256": "", "path": "", "threshold": dataclasses.asdict(learnt)}
    dtype = torch.bfloat16 if bfloat16_is_fast() else torch.float32
    detector = Detector(recipe, network, card, torch.device("cpu"), dtype, 1)
    floors = [least + 0.25 * step for step in range(21)]
    counts = dict.fromkeys(floors, 0)
    pixels = 0
    for image, mask, _ in clean:
        if mask.any():
            continue
        height, width = image.shape
        values = detector.features(WindowView(image, 0, 0, (0, 0, width, height)))
        pixels += image.size
        for floor in floors:
            if values.max() < floor:
                break
            found, _ = find_regions(
                values,
                scale=2,
                width=width,
                height=height,
                seed=floor,
                grow=floor - grow,
                floor=floor,
                least_area=recipe.post.least_area,
                opening=False,
            )
            counts[floor] += len(found)
    rates = {floor: 1e6 * count / max(1, pixels) for floor, count in counts.items()}
    chosen = next((floor for floor in floors if rates[floor] <= most_per_mpx), floors[-1])
    return dataclasses.replace(learnt, floor=chosen), {f"{floor:.2f}": round(rate, 4) for floor, rate in rates.items()}
