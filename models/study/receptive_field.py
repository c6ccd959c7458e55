"""Three published ways to widen a network's view, small: ASPP, RFB and DRConv (the paper's references 19 to 21).

Each maps (n, c, h, w) to the same shape and can stand where the feature network has its coarse and context parts.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name torch's users know

from models.detector.features import FeatureNetwork
from models.study.backbone import layer

Name = Literal["aspp", "rfb", "drconv"]
_REGIONS = 4


class Aspp(nn.Module):
    """Atrous spatial pyramid pooling: parallel dilated convolutions and the mean of the whole picture."""

    def __init__(self, channels: int, dilations: tuple[int, ...] = (2, 4, 6)) -> None:
        super().__init__()
        each = channels // 2
        self.branches = nn.ModuleList(
            [layer(channels, each, size=1)] + [layer(channels, each, dilation=dilation) for dilation in dilations]
        )
        # No normalisation over the single value that is left of a picture.
        self.whole = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, each, 1), nn.ReLU())
        self.join = layer(each * (len(dilations) + 2), channels, size=1)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        parts = [branch(x) for branch in self.branches]
        parts.append(self.whole(x).expand(-1, -1, *x.shape[-2:]))
        return torch.as_tensor(self.join(torch.cat(parts, 1)))


class Rfb(nn.Module):
    """Receptive field block: branches of growing kernels, each followed by a dilation of the kernel's size."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        each = channels // 2
        self.branches = nn.ModuleList(
            [
                nn.Sequential(layer(channels, each, size=1), layer(each, each)),
                nn.Sequential(layer(channels, each, size=1), layer(each, each), layer(each, each, dilation=3)),
                nn.Sequential(
                    layer(channels, each, size=1), layer(each, each), layer(each, each), layer(each, each, dilation=5)
                ),
            ]
        )
        self.join = nn.Conv2d(3 * each, channels, 1)
        self.short = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        return F.relu(self.join(torch.cat([branch(x) for branch in self.branches], 1)) + self.short(x))


class DrConv(nn.Module):
    """Dynamic region-aware convolution: kernels made from the picture, each pixel convolved with its region's.

    The guide picks one of four regions for each pixel, hard on the way forth and soft on the way back.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.guide = nn.Conv2d(channels, _REGIONS, 3, padding=1)
        self.pool = nn.AdaptiveAvgPool2d(3)
        self.first = nn.Conv2d(channels, _REGIONS * _REGIONS, 1)
        self.kernels = nn.Conv2d(_REGIONS * _REGIONS, _REGIONS * channels * channels, 1, groups=_REGIONS)
        nn.init.normal_(self.kernels.weight, std=0.02)
        assert self.kernels.bias is not None
        # The common start of all pictures is an ordinary convolution's.
        nn.init.normal_(self.kernels.bias, std=(2 / (9 * channels)) ** 0.5)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        count, channels, height, width = x.shape
        made = self.kernels(torch.sigmoid(self.first(self.pool(x))))
        weight = made.reshape(count * _REGIONS * channels, channels, 3, 3).to(x.dtype)
        # One group a picture, for each has kernels of its own.
        flat = x.reshape(1, count * channels, height, width)
        parts = F.conv2d(flat, weight, padding=1, groups=count)
        parts = parts.reshape(count, _REGIONS, channels, height, width)
        soft = torch.softmax(self.guide(x), 1)
        hard = F.one_hot(soft.argmax(1), _REGIONS).permute(0, 3, 1, 2).to(soft.dtype)
        mask = hard + soft - soft.detach()
        return F.relu(self.norm((parts * mask[:, :, None]).sum(1)))


class _Nothing(nn.Module):
    """Adds nothing to what it stands beside."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x)


def with_receptive_field(network: FeatureNetwork, name: Name) -> FeatureNetwork:
    """Put the module in the place of the network's own dilated parts; the network itself, changed.

    Raises:
        ValueError: the name is unknown.
    """
    kinds: dict[str, type[nn.Module]] = {"aspp": Aspp, "rfb": Rfb, "drconv": DrConv}
    if name not in kinds:
        raise ValueError(f"the receptive field {name!r} is unknown; there are {', '.join(kinds)}")
    first = next(part for part in network.coarse.modules() if isinstance(part, nn.Conv2d))
    inputs, channels = first.in_channels, first.out_channels
    network.coarse = nn.Sequential(layer(inputs, channels, 2), kinds[name](channels))
    network.context = _Nothing()  # type: ignore[assignment]  # called like the part it stands for
    return network
