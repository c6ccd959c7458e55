"""The loss of the feature network: cross-entropy in which easy pixels count less, plus a soft overlap."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def focal_overlap_loss(values: Tensor, target: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """The loss of a batch, and how hard each crop is (no gradient).

    Args:
        values: (n, 1, h, w) float32, what the network says of each pixel.
        target: what it should be, 0 or 1.
        weight: how much it counts.
    """
    entropy = functional.binary_cross_entropy_with_logits(values, target, reduction="none")
    chance = torch.sigmoid(values)
    # Only mildly focal, and with no gradient through it: more would press all values towards the limit.
    ease = 0.2 + 0.8 * (target - chance).detach().abs().sqrt()
    focal = entropy * ease * (1 + 2 * target) * weight
    each = focal.sum((1, 2, 3)) / weight.sum((1, 2, 3)).clamp(min=500)
    hit = (chance * target * weight).sum()
    overlap = 1 - (2 * hit + 50) / ((chance * weight).sum() + (target * weight).sum() + 50)
    return 20 * each.mean() + 0.5 * overlap, each.detach().sqrt()
