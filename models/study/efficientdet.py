"""A small EfficientDet after EfficientDet-Lite0 (Tan et al., CVPR 2020): BiFPN, shared heads, focal and Huber loss.

Everything is scaled to what minutes on one thread can train: the small backbone of the other general detectors in the
place of EfficientNet, 48 channels for 64, two layers of BiFPN for three, two convolutions a head for three. As in the
`Lite` variants there is no squeeze-and-excitation; ReLU stands in the place of swish, as in the other detectors.
Strides are 4 to 32 px of the picture: anchors at EfficientDet's own, 8 to 128, half cover less than half of the boxes
of the training crops, for most cracks are shorter than the smallest one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name torch's users know

from models.study.backbone import CHANNELS, WIDTH, Trunk
from models.study.boxes import overlap_of_all

STRIDES = (4, 8, 16, 32)
_BASE = 2.0
"""Side of the smallest square anchor, in strides."""
_OCTAVES = (1.0, 2 ** (1 / 3), 2 ** (2 / 3))
_RATIOS = (1 / 4, 1.0, 4.0)
"""Width by height. Cracks lie along, across and aslant: of the boxes of training crops no anchor half covers a fifth
with 1/2, 1 and 2, a twentieth with these."""
ANCHORS = len(_OCTAVES) * len(_RATIOS)
"""A cell."""
_LAYERS, _DEPTH = 2, 2
"""BiFPN layers, and convolutions of each head."""
_LEARNS, _SILENT = 0.5, 0.4
"""An anchor learns a box that it covers by so much; it is background where it covers none by so much."""
_ALPHA, _GAMMA = 0.25, 1.5
_DELTA, _BOX_WEIGHT = 0.1, 50.0
"""Huber loss of the boxes, and how much it counts beside the scores."""
_MOST_LOG = 4.0
_EPS = 1e-4


class EfficientDet(nn.Module):
    """Pictures (n, 1, h, w), sides multiples of 32, to a score and a box for each anchor of each cell."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = Trunk()
        self.sides = nn.ModuleList(
            nn.Sequential(nn.Conv2d(CHANNELS[stride], WIDTH, 1, bias=False), nn.BatchNorm2d(WIDTH))
            for stride in STRIDES
        )
        self.fusion = nn.Sequential(*(BiFpn(len(STRIDES)) for _ in range(_LAYERS)))
        self.score = _Head(1)
        self.box = _Head(4)
        # Most anchors are background: a hundredth is not, to begin with.
        nn.init.constant_(self.score.last.bias, -math.log(99))  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (n, p) and boxes (n, p, 4) of all cells and anchors, px of the picture."""
        logits, raw = self._raw(x)
        return logits, decode(raw, anchors(x.shape[-2], x.shape[-1]))

    def loss(self, x: Tensor, truth: Sequence[Tensor]) -> Tensor:
        """Focal loss of the scores and Huber loss of the boxes; `truth` holds the boxes (k, 4) of each picture."""
        logits, raw = self._raw(x)
        own = anchors(x.shape[-2], x.shape[-1])
        taken = torch.stack([assign(own, each) for each in truth])
        positive = taken >= 0
        wanted = torch.cat(
            [encode(each[index[index >= 0]], own[index >= 0]) for each, index in zip(truth, taken, strict=True)]
        )
        target = positive.to(logits.dtype)
        entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
        chance = torch.sigmoid(logits)
        wrong = torch.where(positive, 1 - chance, chance)
        focal = torch.where(positive, _ALPHA, 1 - _ALPHA) * wrong**_GAMMA * entropy * (taken != IGNORED)
        huber = F.huber_loss(raw[positive], wanted, reduction="sum", delta=_DELTA) / 4
        return (focal.sum() + _BOX_WEIGHT * huber) / max(1, int(positive.sum()))

    def _raw(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (n, p) and coded boxes (n, p, 4)."""
        found = self.trunk(x)
        maps = self.fusion([side(found[stride]) for side, stride in zip(self.sides, STRIDES, strict=True)])
        return self.score(maps)[..., 0], self.box(maps)


class BiFpn(nn.Module):
    """Maps of a pyramid, fine to coarse, fused from coarse to fine and back."""

    def __init__(self, levels: int) -> None:
        super().__init__()
        self.down = nn.ModuleList(_Fusion(2) for _ in range(levels - 1))
        self.up = nn.ModuleList(_Fusion(3 if level < levels - 2 else 2) for level in range(levels - 1))

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """As many maps, of the same sizes."""
        between = [maps[-1]]
        for found, fuse in zip(reversed(maps[:-1]), self.down, strict=True):
            between.append(fuse([found, F.interpolate(between[-1], scale_factor=2.0, mode="nearest")]))
        between.reverse()
        fused = [between[0]]
        for place, fuse in enumerate(self.up, 1):
            below = F.max_pool2d(fused[-1], 3, stride=2, padding=1)
            # The coarsest level has no map between: it is what came in.
            own = [maps[place], between[place]] if place < len(maps) - 1 else [maps[place]]
            fused.append(fuse([*own, below]))
        return fused


class _Fusion(nn.Module):
    """Fast normalised fusion: a weighted mean of maps whose weights are learnt and never negative."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.ones(inputs))
        self.conv = _separable(WIDTH, WIDTH)
        self.norm = nn.BatchNorm2d(WIDTH)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        weights = F.relu(self.weights)
        shares = (weights / (weights.sum() + _EPS)).to(maps[0].dtype)
        mean = shares[0] * maps[0]
        for share, one in zip(shares[1:], maps[1:], strict=True):
            mean = mean + share * one
        return torch.as_tensor(self.norm(self.conv(F.relu(mean))))


class _Head(nn.Module):
    """Values of each anchor of each cell: convolutions that all levels share, normalisations of each level's own."""

    def __init__(self, values: int) -> None:
        super().__init__()
        self.values = values
        self.convs = nn.ModuleList(_separable(WIDTH, WIDTH) for _ in range(_DEPTH))
        self.norms = nn.ModuleList(nn.ModuleList(nn.BatchNorm2d(WIDTH) for _ in range(_DEPTH)) for _ in STRIDES)
        self.last = nn.Conv2d(WIDTH, ANCHORS * values, 1)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """(n, p, values), float32, by level, row, column and anchor."""
        every = []
        for x, norms in zip(maps, self.norms, strict=True):
            assert isinstance(norms, nn.ModuleList)
            for conv, norm in zip(self.convs, norms, strict=True):
                x = F.relu(norm(conv(x)))  # noqa: PLW2901 - layer after layer
            given = self.last(x).unflatten(1, (ANCHORS, self.values))
            every.append(given.permute(0, 3, 4, 1, 2).flatten(1, 3))
        return torch.cat(every, 1).float()


def _separable(inputs: int, outputs: int) -> nn.Sequential:
    """A 3 x 3 convolution of each channel by itself, and a mix of the channels."""
    return nn.Sequential(
        nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False), nn.Conv2d(inputs, outputs, 1, bias=False)
    )


# --- anchors ---------------------------------------------------------------------------------------------------------

IGNORED = -2
"""Of an anchor that is neither near enough to a box nor far enough from all."""


def anchors(height: int, width: int) -> Tensor:
    """All anchors (p, 4) of a picture, x0, y0, x1, y1: by level, row, column, octave and ratio."""
    shapes = torch.tensor([(size * ratio**0.5, size / ratio**0.5) for size in _OCTAVES for ratio in _RATIOS])
    every = []
    for stride in STRIDES:
        y = (torch.arange(height // stride) + 0.5) * stride
        x = (torch.arange(width // stride) + 0.5) * stride
        down, across = torch.meshgrid(y, x, indexing="ij")
        middle = torch.stack((across.flatten(), down.flatten()), 1)[:, None]
        half = shapes[None] * (_BASE * stride / 2)
        every.append(torch.cat((middle - half, middle + half), 2).flatten(0, 1))
    return torch.cat(every)


def decode(raw: Tensor, own: Tensor) -> Tensor:
    """From what the network gives (..., p, 4) to boxes: the centre's way in anchors, and logs of the sides' ratios."""
    sides = own[:, 2:] - own[:, :2]
    centre = (own[:, :2] + own[:, 2:]) / 2 + raw[..., :2] * sides
    half = raw[..., 2:].clamp(-_MOST_LOG, _MOST_LOG).exp() * sides / 2
    return torch.cat((centre - half, centre + half), -1)


def encode(boxes: Tensor, own: Tensor) -> Tensor:
    """What the network should give for boxes (p, 4) at the anchors (p, 4): the inverse of `decode`."""
    sides = own[:, 2:] - own[:, :2]
    centre = ((boxes[:, :2] + boxes[:, 2:]) - (own[:, :2] + own[:, 2:])) / 2
    return torch.cat((centre / sides, ((boxes[:, 2:] - boxes[:, :2]) / sides).log()), 1)


def assign(own: Tensor, boxes: Tensor) -> Tensor:
    """For each anchor (p, 4) the box (k, 4) that it learns, -1 for background, IGNORED for what is neither.

    A box that no anchor covers by half is learnt by those that cover it best.
    """
    if len(boxes) == 0:
        return torch.full((len(own),), -1)
    covered = overlap_of_all(own, boxes)
    best, index = covered.max(1)
    taken = torch.where(best >= _LEARNS, index, torch.where(best < _SILENT, -1, IGNORED))
    anchor, box = torch.nonzero((covered == covered.max(0).values) & (covered > 0), as_tuple=True)
    taken[anchor] = box
    return taken
