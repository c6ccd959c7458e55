"""ResNet18 and ResNet34 (He et al. 2016) with the names and shapes of the public ImageNet files (C 22-23)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from models.classifier.network import CLASSES, Network


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut."""

    def __init__(self, inputs: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample: nn.Module | None = None
        if stride != 1 or inputs != channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, maps: Tensor) -> Tensor:
        """(n, inputs, h, w) to (n, channels, h / stride, w / stride)."""
        shortcut = maps if self.downsample is None else self.downsample(maps)
        maps = torch.relu(self.bn1(self.conv1(maps)))
        maps = self.bn2(self.conv2(maps))
        return torch.relu(maps + shortcut)


class ResNet(Network):
    """Four stages of basic blocks."""

    HEAD = "fc"
    MIDDLE = "layer3"

    def __init__(self, blocks: Sequence[int]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = _stage(64, 64, blocks[0], 1)
        self.layer2 = _stage(64, 128, blocks[1], 2)
        self.layer3 = _stage(128, 256, blocks[2], 2)
        self.layer4 = _stage(256, 512, blocks[3], 2)
        self.fc = nn.Linear(512, len(CLASSES))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def features(self, batch: Tensor) -> Tensor:
        """The last convolutional map (n, 512, h / 32, w / 32)."""
        maps = self.maxpool(torch.relu(self.bn1(self.conv1(batch))))
        last: Tensor = self.layer4(self.layer3(self.layer2(self.layer1(maps))))
        return last


def _stage(inputs: int, channels: int, blocks: int, stride: int) -> nn.Sequential:
    first = BasicBlock(inputs, channels, stride)
    return nn.Sequential(first, *(BasicBlock(channels, channels, 1) for _ in range(blocks - 1)))
