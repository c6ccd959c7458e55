"""MobileNetV2 (Sandler et al. 2018) with the names and shapes of the public ImageNet file."""

from __future__ import annotations

from torch import Tensor, nn

from models.classifier.network import CLASSES, Network

_STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
"""Expansion, channels, blocks, stride of the first block."""


class MobileNetV2(Network):
    """Inverted residual blocks on depthwise convolutions."""

    HEAD = "classifier"
    MIDDLE = "features.13"

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [_normalised(3, 32, kernel=3, stride=2)]
        inputs = 32
        for expansion, channels, blocks, stride in _STAGES:
            for block in range(blocks):
                layers.append(InvertedResidual(inputs, channels, expansion, stride if block == 0 else 1))
                inputs = channels
        layers.append(_normalised(inputs, 1280, kernel=1))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, len(CLASSES)))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")


class InvertedResidual(nn.Module):
    """Widen, filter each channel, narrow; beside a shortcut where the shapes allow one."""

    def __init__(self, inputs: int, channels: int, expansion: int, stride: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.shortcut = stride == 1 and inputs == channels
        widen = [] if expansion == 1 else [_normalised(inputs, hidden, kernel=1)]
        self.conv = nn.Sequential(
            *widen,
            _normalised(hidden, hidden, kernel=3, stride=stride, groups=hidden),
            nn.Conv2d(hidden, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, maps: Tensor) -> Tensor:
        """(n, inputs, h, w) to (n, channels, h / stride, w / stride)."""
        found: Tensor = self.conv(maps)
        return maps + found if self.shortcut else found


def _normalised(inputs: int, channels: int, *, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, channels, kernel, stride, padding=kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU6(),
    )
