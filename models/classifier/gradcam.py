"""Grad-CAM (Selvaraju et al. 2017; C 28): where in the picture the evidence for a class was seen."""

from __future__ import annotations

import torch
from torch import Tensor

from models.classifier.network import CRACK, Network


def evidence(network: Network, maps: Tensor, target: int = CRACK) -> tuple[Tensor, Tensor]:
    """Logits of a network's last convolutional maps, and the evidence for a class in them.

    The gradient reaches back to these maps and no further: that is all Grad-CAM needs.

    Args:
        network: in evaluation mode.
        maps: (n, c, h, w) float32, of `Network.features`.
        target: class whose evidence is asked for, by its place in CLASSES.

    Returns:
        (n, 2) and (n, h, w) float32; the evidence is 0 where nothing speaks for the class.
    """
    with torch.enable_grad():
        leaf = maps.detach().requires_grad_()
        logits = network.head(leaf)
        (slope,) = torch.autograd.grad(logits[:, target].sum(), leaf)
    weights = slope.mean((2, 3), keepdim=True)
    return logits.detach(), torch.relu((weights * maps.detach()).sum(1))


def scaled(found: Tensor) -> Tensor:
    """Evidence (n, h, w) in 0..1, by the highest value of each picture; all 0 where there is none."""
    highest = found.amax((1, 2), keepdim=True)
    return torch.where(highest > 0, found / highest.clamp_min(torch.finfo(found.dtype).tiny), torch.zeros_like(found))
