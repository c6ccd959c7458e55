"""A small anchor-based detector after YOLO: three anchors a level, fitted to the training boxes by k-means.

YOLO sees a window of 650 px at 640; this one sees it at half resolution and works at the same strides on the plate.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name torch's users know

from models.study.backbone import WIDTH, Backbone, layer
from models.study.boxes import quality

STRIDES = (4, 8, 16)
ANCHORS = 3
"""A level."""
_MOST_RATIO = 4.0
"""An anchor learns a box whose sides are at most so many times longer or shorter."""


class AnchorBased(nn.Module):
    """Pictures (n, 1, h, w), sides multiples of 32, to a score and a box for each anchor of each cell."""

    def __init__(self, anchors: NDArray[np.float32]) -> None:
        """Takes the anchors' widths and heights (9, 2), px of the picture, by area (`fit_anchors`).

        Raises:
            ValueError: there are not three a level.
        """
        super().__init__()
        if anchors.shape != (ANCHORS * len(STRIDES), 2):
            raise ValueError(f"{ANCHORS * len(STRIDES)} anchors of two sides are needed; found shape {anchors.shape}")
        self.anchors: Tensor
        self.register_buffer("anchors", torch.from_numpy(anchors).float().reshape(len(STRIDES), ANCHORS, 2))
        self.backbone = Backbone(STRIDES)
        self.towers = nn.ModuleList(layer(WIDTH, WIDTH) for _ in STRIDES)
        self.heads = nn.ModuleList(nn.Conv2d(WIDTH, ANCHORS * 5, 1) for _ in STRIDES)
        for head in self.heads:
            assert isinstance(head, nn.Conv2d)
            assert head.bias is not None
            head.bias.data.view(ANCHORS, 5)[:, 4] = -5.0  # most cells are background

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (n, p) and boxes (n, p, 4) of all cells and anchors, px of the picture."""
        raw = []
        for found, tower, head in zip(self.backbone(x), self.towers, self.heads, strict=True):
            given = head(tower(found))
            raw.append(given.unflatten(1, (ANCHORS, 5)).permute(0, 3, 4, 1, 2).flatten(1, 3))
        whole = torch.cat(raw, 1).float()
        cells, strides, anchors = grid(x.shape[-2], x.shape[-1], self.anchors)
        return whole[..., 4], decode(whole[..., :4], cells, strides, anchors)

    def loss(self, x: Tensor, truth: Sequence[Tensor]) -> Tensor:
        """Cross-entropy of the scores and GIoU of the boxes; `truth` holds the boxes (k, 4) of each picture."""
        logits, boxes = self(x)
        cells, strides, anchors = grid(x.shape[-2], x.shape[-1], self.anchors)
        taken = torch.stack([assign(cells, strides, anchors, each) for each in truth])
        # A place is as sure as its box is good, so that the best of many boxes on one crack stays.
        target, overlap = quality(logits, boxes, truth, taken)
        scores = F.binary_cross_entropy_with_logits(logits, target, reduction="sum")
        return (scores + 2 * (1 - overlap).sum()) / max(1, overlap.numel())


def grid(height: int, width: int, anchors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Top left (p, 2) of each cell, its stride (p,) and anchor (p, 2): by level, row, column and anchor."""
    cells, strides, sides = [], [], []
    for stride, own in zip(STRIDES, anchors, strict=True):
        y, x = torch.arange(height // stride) * stride, torch.arange(width // stride) * stride
        down, across = torch.meshgrid(y, x, indexing="ij")
        corners = torch.stack((across.flatten(), down.flatten()), 1).float()
        cells.append(corners.repeat_interleave(ANCHORS, 0))
        strides.append(torch.full((len(cells[-1]),), float(stride)))
        sides.append(own.repeat(len(corners), 1))
    return torch.cat(cells), torch.cat(strides), torch.cat(sides)


def decode(raw: Tensor, cells: Tensor, strides: Tensor, anchors: Tensor) -> Tensor:
    """From what the network gives (..., p, 4) to boxes.

    The centre lies up to half a cell outside its cell, a side is up to four times the anchor's.
    """
    share = torch.sigmoid(raw)
    centre = cells + (2 * share[..., :2] - 0.5) * strides[:, None]
    half = (2 * share[..., 2:]) ** 2 * anchors / 2
    return torch.cat((centre - half, centre + half), -1)


def encode(boxes: Tensor, cells: Tensor, strides: Tensor, anchors: Tensor) -> Tensor:
    """What the network should give for boxes (p, 4): the inverse of `decode`, where there is one."""
    centre, sides = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    place = ((centre - cells) / strides[:, None] + 0.5) / 2
    return torch.logit(torch.cat((place, (sides / anchors).sqrt() / 2), 1), eps=1e-6)


def assign(cells: Tensor, strides: Tensor, anchors: Tensor, boxes: Tensor) -> Tensor:
    """For each cell and anchor the box (k, 4) that it learns, or -1.

    An anchor of a like size learns it in the cell that holds the box's centre and in the nearest cells beside and
    above or below. A box that no anchor is like is learnt by the most alike.
    """
    if len(boxes) == 0:
        return torch.full((len(cells),), -1)
    centre, sides = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    away = ((centre[None] - cells[:, None]) / strides[:, None, None] - 0.5).abs()
    near = (away < 1.0).all(2) & (away.min(2).values <= 0.5)
    ratio = sides[None] / anchors[:, None]
    unlike = torch.maximum(ratio, 1 / ratio).max(2).values
    like = unlike <= torch.maximum(torch.tensor(_MOST_RATIO), unlike.min(0).values[None])
    cost = torch.where(near & like, unlike, torch.inf)
    least, index = cost.min(1)
    return torch.where(torch.isfinite(least), index, -1)


def fit_anchors(sides: NDArray[np.float32], seed: int = 0) -> NDArray[np.float32]:
    """Nine anchors (9, 2) by area for boxes of those widths and heights (n, 2): k-means on the logarithms.

    Raises:
        ValueError: there is no box.
    """
    if len(sides) == 0:
        raise ValueError("anchors are fitted to the training boxes, and there is none: draw more crops")
    rng = np.random.default_rng(seed)
    logs = np.log(np.maximum(sides, 1.0))
    count = ANCHORS * len(STRIDES)
    centres = logs[rng.choice(len(logs), count, replace=len(logs) < count)]
    for _ in range(30):
        nearest = np.square(logs[:, None] - centres[None]).sum(2).argmin(1)
        centres = np.stack([logs[nearest == k].mean(0) if (nearest == k).any() else centres[k] for k in range(count)])
    anchors = np.exp(centres)
    return np.asarray(anchors[np.argsort(anchors.prod(1), kind="stable")], np.float32)
