"""The small backbone that the general detectors stand on: five halvings, and a feature pyramid."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name torch's users know

WIDTH = 48
"""Channels of each level of the pyramid."""
CHANNELS = {2: 16, 4: 32, 8: 64, 16: 96, 32: 96}
"""By stride, before any pyramid."""
DEEPEST = max(CHANNELS)
"""The picture's sides must be multiples of it."""


def layer(inputs: int, outputs: int, stride: int = 1, *, size: int = 3, dilation: int = 1) -> nn.Sequential:
    """Convolution, batch normalisation, ReLU; the size of the picture is kept, or halved by a stride of 2."""
    padding = size // 2 * dilation
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride, padding=padding, dilation=dilation, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


class Trunk(nn.Module):
    """Pictures (n, 1, h, w), sides multiples of 32, to one map (n, CHANNELS[s], h / s, w / s) for each halving s."""

    def __init__(self) -> None:
        super().__init__()
        steps, inputs = [], 1
        for stride, channels in CHANNELS.items():
            step = layer(inputs, channels, 2)
            if stride > 2:
                step.extend(layer(channels, channels))
            steps.append(step)
            inputs = channels
        self.steps = nn.ModuleList(steps)

    def forward(self, x: Tensor) -> dict[int, Tensor]:
        """The maps by stride."""
        maps = {}
        for stride, step in zip(CHANNELS, self.steps, strict=True):
            maps[stride] = x = step(x)
        return maps


class Backbone(nn.Module):
    """Pictures (n, 1, h, w), sides multiples of 32, to one map (n, WIDTH, h / s, w / s) for each stride s asked for."""

    def __init__(self, strides: Sequence[int]) -> None:
        super().__init__()
        self.strides = tuple(strides)
        self.trunk = Trunk()
        used = [stride for stride in CHANNELS if stride >= min(self.strides)]
        self.sides = nn.ModuleDict({str(stride): nn.Conv2d(CHANNELS[stride], WIDTH, 1) for stride in used})
        self.smooth = nn.ModuleDict({str(stride): layer(WIDTH, WIDTH) for stride in self.strides})

    def forward(self, x: Tensor) -> list[Tensor]:
        """The maps, in the order of the strides."""
        maps = {stride: self.sides[str(stride)](found) for stride, found in self.trunk(x).items() if self._uses(stride)}
        ordered = sorted(maps, reverse=True)
        for coarse, fine in pairwise(ordered):
            maps[fine] = maps[fine] + F.interpolate(maps[coarse], scale_factor=2.0, mode="nearest")
        return [self.smooth[str(stride)](maps[stride]) for stride in self.strides]

    def _uses(self, stride: int) -> bool:
        return str(stride) in self.sides
