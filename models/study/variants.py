"""The feature network with fewer templates, and an unfolded form of any variant that the detector can run."""

from __future__ import annotations

from typing import Literal, cast

import torch
from torch import Tensor, nn

from config.schema import DEFAULT_TEMPLATES
from models.detector.features import FeatureNetwork, Folded, Part, ValueNetwork


class StudyNetwork(FeatureNetwork):
    """The feature network of which only some templates are fixed; learned kernels stand in the place of the others.

    Its size and cost are the same however many templates are kept.
    """

    def __init__(self, templates: Literal["all", "one", "none"] = "all") -> None:
        """`one` keeps the middle template, 11 px wide."""
        super().__init__()
        fixed = len(self.template_kernels)
        count = len(DEFAULT_TEMPLATES)
        # The bank's order: orientation, template, hand.
        kept = [
            {"all": True, "one": index // 2 % count == count // 2, "none": False}[templates] for index in range(fixed)
        ]
        self.kept: Tensor
        self.register_buffer("kept", torch.tensor(kept)[:, None, None, None], persistent=False)
        self.free = nn.Parameter(torch.randn_like(self.template_kernels) / self.side)

    def bank_kernels(self) -> Tensor:
        """Kept templates, the kernels in the place of the others, and the network's own learned ones."""
        kernels = super().bank_kernels()
        fixed = len(self.free)
        return torch.cat((torch.where(self.kept, kernels[:fixed], self.free), kernels[fixed:]))

    def folded(self, dtype: torch.dtype) -> Folded:
        """Nothing is folded, for a variant's parts are not the ones that folding knows; slower, the same values."""
        return cast(Folded, Unfolded(self, dtype))


class Unfolded(nn.Module):
    """The network as the detector calls it: values (n, h, w), float32."""

    def __init__(self, network: ValueNetwork, dtype: torch.dtype) -> None:
        super().__init__()
        self.network = network.eval()
        self.dtype = dtype

    def forward(self, x: Tensor, part: Part | None = None) -> Tensor:
        """Values of x (n, 1, h, w), or of a part of it."""
        with torch.autocast(x.device.type, dtype=torch.bfloat16, enabled=self.dtype == torch.bfloat16):
            values = torch.as_tensor(self.network(x.float())[:, 0].float())
        return values if part is None else part.of(values, 1)
