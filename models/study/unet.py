"""A U-Net of equal cost in the place of the feature network: what the templates and levels of ours are worth beside it.

Ronneberger et al., "U-Net: Convolutional Networks for Biomedical Image Segmentation", 2015: two convolutions a level,
pooling, transposed convolutions, and what each level saw beside what comes up. Here convolutions are padded, so that
values are those of the whole picture, and normalised by batch. As the feature network it works on 2 x 2 px at once, so
that its channels are as many as a processor is quick with. It costs about as many multiply-adds, and sees farther.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name torch's users know

from config.schema import Recipe
from models.detector.features import Architecture, ValueNetwork
from models.study.backbone import layer
from models.study.variants import Unfolded

_WIDTHS = (16, 32, 48, 80, 112, 128)
"""Channels of each level; each has half the resolution of the one before."""
_CELL = 2
"""Px that the first level sees as channels, along each axis."""


class UNet(ValueNetwork):
    """Grey values (n, 1, h, w), as the feature network takes them, to one value a pixel; any h and w of at least 1."""

    def __init__(self) -> None:
        super().__init__()
        inputs = (_CELL**2, *_WIDTHS)
        self.down = nn.ModuleList(_two(inputs[level], width) for level, width in enumerate(_WIDTHS))
        finer = range(len(_WIDTHS) - 1)
        self.up = nn.ModuleList(nn.ConvTranspose2d(_WIDTHS[level + 1], _WIDTHS[level], 2, 2) for level in finer)
        self.join = nn.ModuleList(_two(2 * _WIDTHS[level], _WIDTHS[level]) for level in finer)
        self.head = nn.Conv2d(_WIDTHS[0], _CELL**2, 1)
        nn.init.constant_(self.head.bias, -3.0)  # type: ignore[arg-type]  # most pixels are background

    def forward(self, x: Tensor) -> Tensor:
        """Values (n, 1, h, w) of x (n, 1, h, w)."""
        rows, columns = x.shape[-2:]
        whole = _CELL * 2 ** (len(_WIDTHS) - 1)
        x = F.pixel_unshuffle(F.pad(x, (0, -columns % whole, 0, -rows % whole)), _CELL)
        seen: list[Tensor] = []
        for level in self.down:
            x = level(F.max_pool2d(x, 2) if seen else x)
            seen.append(x)
        for up, join, beside in zip(reversed(self.up), reversed(self.join), reversed(seen[:-1]), strict=True):
            x = join(torch.cat((beside, up(x)), 1))
        return F.pixel_shuffle(self.head(x), _CELL)[..., :rows, :columns]

    def folded(self, dtype: torch.dtype) -> nn.Module:
        """Nothing is folded: slower, the same values."""
        return Unfolded(self, dtype)


def _two(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(layer(inputs, outputs), layer(outputs, outputs))


def _unet_for(_recipe: Recipe) -> UNet:
    """It has no templates, and is the same at any resolution."""
    return UNet()


UNET = Architecture("unet", "unet", _unet_for)
