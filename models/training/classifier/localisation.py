"""Where a crack lies, asked of a classifier's middle maps while it trains.

A crack is a few hundred of a crop's 50,000 pixels: from the class alone, a network that starts from nothing does not
find what makes it within thousands of steps. The layer that answers this is thrown away with the training.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.classifier.network import Network

_CRACKED_WEIGHT = 4.0
"""Of a place with a crack against one without: there are some thirty times fewer."""


class LocalisationHead(nn.Module):
    """A linear layer on the maps of `Network.MIDDLE`."""

    def __init__(self, network: Network) -> None:
        """Listens to the network from now on."""
        super().__init__()
        self.maps: Tensor = torch.empty(0)
        """Of the network's last forward."""
        network.get_submodule(network.MIDDLE).register_forward_hook(self._listen)
        with torch.no_grad():
            network.eval()(torch.zeros(1, 3, 64, 64))
        self._layer = nn.Conv2d(self.maps.shape[1], 1, 1)

    def _listen(self, _module: nn.Module, _inputs: object, maps: Tensor) -> None:
        self.maps = maps

    def loss(self, places: Tensor) -> Tensor:
        """Cross-entropy of the network's last forward against where cracks were.

        Args:
            places: (n, 1, h, w), above 0 where a crack lies, NaN where that is not known.

        Returns:
            A mean over the places that are known; 0 where none is.
        """
        values = self._layer(self.maps).float()
        truth = functional.adaptive_max_pool2d(places, list(values.shape[2:]))
        known = truth.isfinite()
        cracked = truth.nan_to_num() > 0
        each = functional.binary_cross_entropy_with_logits(values, cracked.float(), reduction="none")
        weight = known * torch.where(cracked, _CRACKED_WEIGHT, 1.0)
        return (each * weight).sum() / weight.sum().clamp(min=1)
