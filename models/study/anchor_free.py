"""A small anchor-free detector after FCOS and NanoDet: centre sampling, quality focal loss, GIoU.

NanoDet-Plus-m-320 sees a window of 650 px at 320; this one sees it at half resolution and works at the same strides.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name torch's users know

from models.study.backbone import WIDTH, Backbone, layer
from models.study.boxes import quality

STRIDES = (8, 16, 32)
_LONGEST = (40.0, 96.0, float("inf"))
"""Long side of a box, px, up to which each level answers for it."""
_RADIUS = 1.5
"""Points so many strides from a box's centre learn it. A thin box may hold no point at all, so none need lie inside."""


class AnchorFree(nn.Module):
    """Pictures (n, 1, h, w), sides multiples of 32, to a score and a box for each of the levels' points."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = Backbone(STRIDES)
        self.tower = nn.Sequential(layer(WIDTH, WIDTH), layer(WIDTH, WIDTH))
        self.score = nn.Conv2d(WIDTH, 1, 1)
        self.box = nn.Conv2d(WIDTH, 4, 1)
        nn.init.constant_(self.score.bias, -4.0)  # type: ignore[arg-type]  # most points are background

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (n, p) and boxes (n, p, 4) of all points, px of the picture."""
        logits, raw = [], []
        for found in self.backbone(x):
            shared = self.tower(found)
            logits.append(self.score(shared).flatten(1))
            raw.append(self.box(shared).flatten(2).transpose(1, 2))
        points, strides = grid(x.shape[-2], x.shape[-1])
        return torch.cat(logits, 1).float(), decode(torch.cat(raw, 1).float(), points, strides)

    def loss(self, x: Tensor, truth: Sequence[Tensor]) -> Tensor:
        """Quality focal loss of the scores and GIoU of the boxes; `truth` holds the boxes (k, 4) of each picture."""
        logits, boxes = self(x)
        points, strides = grid(x.shape[-2], x.shape[-1])
        taken = torch.stack([assign(points, strides, each) for each in truth])
        # NanoDet's quality focal loss: a place is as sure as its box is good.
        target, overlap = quality(logits, boxes, truth, taken)
        entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
        focal = ((target - torch.sigmoid(logits)).square() * entropy).sum()
        return (focal + 2 * (1 - overlap).sum()) / max(1, overlap.numel())


def grid(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Points (p, 2) as x, y and the stride (p,) of each, level by level, row by row."""
    points, strides = [], []
    for stride in STRIDES:
        y = (torch.arange(height // stride) + 0.5) * stride
        x = (torch.arange(width // stride) + 0.5) * stride
        down, across = torch.meshgrid(y, x, indexing="ij")
        points.append(torch.stack((across.flatten(), down.flatten()), 1))
        strides.append(torch.full((points[-1].shape[0],), float(stride)))
    return torch.cat(points), torch.cat(strides)


def decode(raw: Tensor, points: Tensor, strides: Tensor) -> Tensor:
    """From what the network gives (..., p, 4) to boxes: the centre's way from its point and log sides, in strides."""
    centre = points + raw[..., :2] * strides[:, None]
    half = raw[..., 2:].clamp(-4, 4).exp() * strides[:, None] / 2
    return torch.cat((centre - half, centre + half), -1)


def encode(boxes: Tensor, points: Tensor, strides: Tensor) -> Tensor:
    """What the network should give at the points (p, 2) for boxes (p, 4): the inverse of `decode`."""
    centre, sides = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    return torch.cat(((centre - points) / strides[:, None], (sides / strides[:, None]).log()), 1)


def assign(points: Tensor, strides: Tensor, boxes: Tensor) -> Tensor:
    """For each point the box (k, 4) that it learns, or -1: the smallest of those whose centre is near."""
    if len(boxes) == 0:
        return torch.full((len(points),), -1)
    centre, sides = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    longest = sides.max(1).values
    level = torch.bucketize(longest, torch.tensor(_LONGEST[:-1]))
    own = torch.tensor(STRIDES, dtype=points.dtype)[level]
    near = (points[:, None] - centre[None]).abs().max(2).values < _RADIUS * own[None]
    near &= strides[:, None] == own[None]
    area = torch.where(near, sides.prod(1)[None], torch.inf)
    least, index = area.min(1)
    return torch.where(torch.isfinite(least), index, -1)
