"""What every network of the classifier has: a last convolutional map, and a head that makes two logits of it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

CLASSES = ("without_crack", "crack")
"""In the order of the logits (C 17)."""
CRACK = CLASSES.index("crack")


class Network(nn.Module):
    """(n, 3, 224, 224) in, logits (n, 2) of CLASSES out.

    The modules of a subclass bear the names of the public ImageNet files, so that those load.
    """

    HEAD: ClassVar[str]
    """Name of the module that makes the logits; it alone differs from an ImageNet file in its shape."""
    MIDDLE: ClassVar[str]
    """Name of the last module whose maps are a 16th of the picture: in training they are asked where a crack lies."""
    features: Callable[[Tensor], Tensor]
    """The last convolutional map (n, c, 7, 7) of a batch (n, 3, 224, 224)."""

    def head(self, maps: Tensor) -> Tensor:
        """Logits (n, 2) of the maps (n, c, h, w): their mean over the picture, then the linear layer."""
        logits: Tensor = self.get_submodule(self.HEAD)(torch.flatten(maps.mean((2, 3)), 1))
        return logits

    def forward(self, batch: Tensor) -> Tensor:
        """Logits (n, 2)."""
        return self.head(self.features(batch))

    def folded(self, dtype: torch.dtype = torch.float32) -> Self:
        """A copy for inference: normalisations taken into the convolutions before them, maps computed in `dtype`.

        The head stays in float32, where it costs nothing: give it `maps.float()`.
        """
        network = copy.deepcopy(self).float().eval()
        for module in list(network.modules()):
            _fold(module)
        network.requires_grad_(requires_grad=False)
        network = network.to(dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
        network.get_submodule(self.HEAD).float()
        return network


def _fold(parent: nn.Module) -> None:
    """Join each normalisation among the direct children with the convolution registered just before it."""
    before: tuple[str, nn.Module] | None = None
    for name, child in list(parent.named_children()):
        if isinstance(child, nn.BatchNorm2d) and before is not None and isinstance(before[1], nn.Conv2d):
            setattr(parent, before[0], fuse_conv_bn_eval(before[1], child))
            setattr(parent, name, nn.Identity())
        before = name, child
