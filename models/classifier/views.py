"""Test-time augmentation: several views of each crop, one answer from all of them (C 26)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from models.classifier.network import CRACK

View = Literal["identity", "flip_horizontal", "flip_vertical", "rotate_-5", "rotate_+5"]
DEFAULT_VIEWS: tuple[View, ...] = ("identity", "flip_horizontal", "flip_vertical", "rotate_-5", "rotate_+5")
"""The five of C 26."""
_DEGREES: dict[View, float] = {"rotate_-5": -5.0, "rotate_+5": 5.0}


def viewed(batch: Tensor, views: Sequence[View] = DEFAULT_VIEWS) -> Tensor:
    """Every crop of (n, c, h, w) in every view, as one batch (n * v, c, h, w): the views of a crop follow each other.

    What a rotation brings in from outside is mirrored: a dark corner would be a straight edge, which resembles a crack.

    Raises:
        ValueError: no view, or an unknown one.
    """
    if not views:
        raise ValueError(f"at least one view is needed: choose from {', '.join(DEFAULT_VIEWS)}")
    return torch.stack([_one(batch, view) for view in views], dim=1).flatten(0, 1)


def _one(batch: Tensor, view: View) -> Tensor:
    if view == "identity":
        return batch
    if view == "flip_horizontal":
        return batch.flip(3)
    if view == "flip_vertical":
        return batch.flip(2)
    if view not in _DEGREES:
        raise ValueError(f"unknown view {view!r}: choose from {', '.join(DEFAULT_VIEWS)}")
    turn = math.radians(_DEGREES[view])
    height, width = batch.shape[2:]
    # Coordinates run from -1 to 1 along each axis, whatever its length.
    matrix = batch.new_tensor(
        [
            [math.cos(turn), -math.sin(turn) * height / width, 0.0],
            [math.sin(turn) * width / height, math.cos(turn), 0.0],
        ]
    )
    grid = functional.affine_grid(matrix.expand(len(batch), 2, 3), list(batch.shape), align_corners=False)
    return functional.grid_sample(batch, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def undone(maps: Tensor, views: Sequence[View] = DEFAULT_VIEWS) -> Tensor:
    """Maps (n, v, h, w) of the views, laid back on the crops: the mean over the views, (n, h, w).

    Rotations stay: five degrees move nothing by a third of a cell of a 7 x 7 map.
    """
    back = {"flip_horizontal": (2,), "flip_vertical": (1,)}
    return torch.stack([maps[:, place].flip(back.get(view, ())) for place, view in enumerate(views)]).mean(0)


def averaged(logits: Tensor, views: int) -> Tensor:
    """Logits (n * v, 2) of the views to the mean of their probabilities of a crack, (n,) float64 (C 26)."""
    return torch.softmax(logits.double(), 1)[:, CRACK].reshape(-1, views).mean(1)
