"""Boxes of the general detectors: overlap, its loss, and suppression of repeated ones.

A box is x0, y0, x1, y1, half-open, in px of the picture that the network sees.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Boxes = NDArray[np.float32]
"""(n, 4)."""


def overlaps(box: Boxes, others: Boxes) -> NDArray[np.float32]:
    """Intersection over union of one box (4,) with others (n, 4); 0 for boxes without area."""
    width = np.minimum(box[2], others[:, 2]) - np.maximum(box[0], others[:, 0])
    height = np.minimum(box[3], others[:, 3]) - np.maximum(box[1], others[:, 1])
    shared = np.clip(width, 0, None) * np.clip(height, 0, None)
    area = (box[2] - box[0]) * (box[3] - box[1])
    union = area + (others[:, 2] - others[:, 0]) * (others[:, 3] - others[:, 1]) - shared
    return np.asarray(np.where(union > 0, shared / np.maximum(union, 1e-9), 0.0), np.float32)


def nms(boxes: Boxes, scores: NDArray[np.float32], most: float) -> NDArray[np.int64]:
    """Indices of the boxes that stay, best first: none overlaps a better one that stays by more than `most`.

    Equal scores go by their order.
    """
    left = np.argsort(-scores, kind="stable")
    stay: list[int] = []
    while left.size:
        best, left = int(left[0]), left[1:]
        stay.append(best)
        left = left[overlaps(boxes[best], boxes[left]) <= most]
    return np.asarray(stay, np.int64)


def giou(a: Tensor, b: Tensor) -> Tensor:
    """Generalised intersection over union of pairs (n, 4), in (-1, 1] (Rezatofighi et al., CVPR 2019)."""
    sides = (torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])).clamp(min=0)
    shared = sides.prod(1)
    areas = [(box[:, 2:] - box[:, :2]).clamp(min=0).prod(1) for box in (a, b)]
    union = areas[0] + areas[1] - shared
    hull = (torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])).clamp(min=0).prod(1)
    return shared / union.clamp(min=1e-6) - (hull - union) / hull.clamp(min=1e-6)


def overlap_of_all(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union (p, k) of each of the boxes (p, 4) with each of the boxes (k, 4)."""
    sides = torch.minimum(a[:, None, 2:], b[None, :, 2:]) - torch.maximum(a[:, None, :2], b[None, :, :2])
    shared = sides.clamp(min=0).prod(2)
    areas = [(box[:, 2:] - box[:, :2]).clamp(min=0).prod(1) for box in (a, b)]
    return shared / (areas[0][:, None] + areas[1][None] - shared).clamp(min=1e-6)


def quality(logits: Tensor, boxes: Tensor, truth: Sequence[Tensor], taken: Tensor) -> tuple[Tensor, Tensor]:
    """What the scores of a general detector should be: as sure as a box is good, 0 where no true box is taken.

    Args:
        logits: (n, p) of p places.
        boxes: (n, p, 4) found there.
        truth: boxes (k, 4) of each of the n pictures.
        taken: (n, p), the index of the true box that a place answers for, -1 for none.

    Returns:
        The scores' targets (n, p), without gradient, and the GIoU of each place that answers for a box.
    """
    positive = taken >= 0
    wanted = [each[index[index >= 0]] for each, index in zip(truth, taken, strict=True)]
    overlap = giou(boxes[positive], torch.cat(wanted))
    target = torch.zeros_like(logits)
    target[positive] = overlap.detach().clamp(0, 1)
    return target, overlap
