"""Grad-CAM (Selvaraju et al. 2017; C 28): where in the picture the evidence for a class was seen."""

from __future__ import annotations

import torch
from torch import Tensor

from models.classifier.network import CRACK, Network


def gradcam(network: Network, batch: Tensor, target: int = CRACK) -> Tensor:
    """Maps of a batch.

    Args:
        network: in evaluation mode, any dtype of its maps.
        batch: (n, 3, h, w).
        target: class whose evidence is shown, by its place in CLASSES.

    Returns:
        (n, h / 32, w / 32) float32: 1 at the strongest place of each picture; all 0 where nothing speaks for the class.
    """
    with torch.no_grad():
        maps = network.features(batch).float()
    return scaled(evidence(network, maps, target)[1])


def evidence(network: Network, maps: Tensor, target: int = CRACK) -> tuple[Tensor, Tensor]:
    """Logits (n, 2) of the last convolutional maps (n, c, h, w), and the evidence (n, h, w) for a class in them.

    The gradient reaches back to these maps and no further: that is all Grad-CAM needs.
    """
    with torch.enable_grad():
        leaf = maps.detach().requires_grad_()
        logits = network.head(leaf)
        (slope,) = torch.autograd.grad(logits[:, target].sum(), leaf)
    weights = slope.mean((2, 3), keepdim=True)
    return logits.detach(), torch.relu((weights * maps.detach()).sum(1))


def scaled(found: Tensor) -> Tensor:
    """Evidence (n, h, w) in 0..1, by the highest value of each picture."""
    highest = found.amax((1, 2), keepdim=True)
    return torch.where(highest > 0, found / highest.clamp_min(torch.finfo(found.dtype).tiny), torch.zeros_like(found))
