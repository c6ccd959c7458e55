"""The feature network: a template bank and a small fully convolutional network; one feature value a pixel.

The bank's responses (FACTS.md 4: all of them, in training and at inference) stand beside a few learned filters. A crack
is told from a crest line, a plate edge or a port rim by what lies a hundred pixels around, so coarser levels widen the
view where it costs little (docs/decisions/0010-feature-network.md).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name torch's users know

from config.schema import DEFAULT_TEMPLATES, Pitch, Recipe, Template
from models.detector.templates import bank

GREY_SCALE = 1 / 24
"""Grey levels to network units, so that a typical crack has height 1."""
_LEARNED = 4
_QUARTER, _EIGHTH, _SIXTEENTH = 16, 32, 64


_NEAR, _FAR = 16, 32
"""Px of the input, whole cells of the sixteenth, that the finer and the finest levels need beyond a part for its values
to be those of the whole: what a cut spoils on the way up."""


class Part(NamedTuple):
    """A part of the network's input, half-open, px."""

    left: int
    top: int
    right: int
    bottom: int

    def around(self, px: int) -> Part:
        """The part with so many px more on each side, where there are; in whole cells of the sixteenth."""
        left, top = (max(0, first - px) // 8 * 8 for first in self[:2])
        right, bottom = (-(-(last + px) // 8) * 8 for last in self[2:])
        return Part(left, top, right, bottom)

    def of(self, maps: Tensor, cell: int) -> Tensor:
        """The part of some maps (..., h, w) with so many px to a value; a view."""
        rows, columns = (
            slice(first // cell, -(-last // cell)) for first, last in ((self.top, self.bottom), (self.left, self.right))
        )
        return maps[..., rows, columns]

    def within(self, outer: Part) -> Part:
        """The same part, in px of another that holds it."""
        return Part(self.left - outer.left, self.top - outer.top, self.right - outer.left, self.bottom - outer.top)


class _Layer(nn.Module):
    """3 x 3 convolution, batch normalisation, ReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, dilation: int = 1, size: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            inputs, outputs, size, stride, padding=size // 2 * dilation, dilation=dilation, bias=False
        )
        self.norm: nn.Module = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.conv(x)), inplace=not self.training)


class ValueNetwork(nn.Module):
    """A network that the detector can run: one value a pixel, (n, 1, h, w).

    What it is given are grey values less their mean, (n, 1, h, w) in units of 1 / GREY_SCALE.
    """

    def folded(self, dtype: torch.dtype) -> nn.Module:
        """The same for inference: of (n, 1, h, w), and a Part of it, the values of that, (n, h, w) float32."""
        raise NotImplementedError


class FeatureNetwork(ValueNetwork):
    """Grey values less their mean, (n, 1, h, w) in units of 1 / GREY_SCALE, to feature values (n, 1, h, w).

    Works on any h and w of at least 1. The same class is the half-resolution network (input: means of 2 x 2 px) and
    the full-resolution one; only the size of the bank's kernels differs.
    """

    def __init__(
        self,
        resolution: Literal["half", "full"] = "half",
        templates: Sequence[Template] = DEFAULT_TEMPLATES,
        pitch: Pitch | None = None,
    ) -> None:
        """Raises ValueError for templates that its kernels cannot hold."""
        super().__init__()
        self.resolution = resolution
        self.templates, self.pitch = tuple(templates), pitch
        self.side = 11 if resolution == "half" else 21
        self.template_kernels: Tensor
        self.register_buffer("template_kernels", self._kernels(), persistent=False)
        fixed = len(self.template_kernels)
        self.learned = nn.Parameter(torch.randn(_LEARNED, 1, self.side, self.side) / self.side)
        self.bank_norm = nn.BatchNorm2d(fixed + _LEARNED)
        self.quarter = _Layer(fixed + _LEARNED, _QUARTER)
        self.eighth = nn.Sequential(
            _Layer(_QUARTER, _EIGHTH, stride=2), _Layer(_EIGHTH, _EIGHTH), _Layer(_EIGHTH, _EIGHTH)
        )
        self.sixteenth = nn.Sequential(
            _Layer(_EIGHTH, _SIXTEENTH, stride=2), _Layer(_SIXTEENTH, _SIXTEENTH), _Layer(_SIXTEENTH, _SIXTEENTH)
        )
        self.coarse = nn.Sequential(
            _Layer(_SIXTEENTH, _SIXTEENTH, stride=2),
            _Layer(_SIXTEENTH, _SIXTEENTH),
            _Layer(_SIXTEENTH, _SIXTEENTH, dilation=2),
            _Layer(_SIXTEENTH, _SIXTEENTH, size=1),
        )
        self.context = nn.Sequential(
            _Layer(_SIXTEENTH, _SIXTEENTH, dilation=4),
            _Layer(_SIXTEENTH, _SIXTEENTH),
            nn.Conv2d(_SIXTEENTH, _SIXTEENTH, 1),
        )
        self.deeper: nn.Sequential | None = nn.Sequential(
            _Layer(_SIXTEENTH, _SIXTEENTH),
            _Layer(_SIXTEENTH, _SIXTEENTH, dilation=2),
            _Layer(_SIXTEENTH, _SIXTEENTH),
            nn.Conv2d(_SIXTEENTH, _SIXTEENTH, 3, padding=1),
        )
        self.more = nn.Sequential(_Layer(_SIXTEENTH, _SIXTEENTH), nn.Conv2d(_SIXTEENTH, _SIXTEENTH, 1))
        self.from_sixteenth = _Layer(_SIXTEENTH, _EIGHTH)
        self.at_eighth = _Layer(_EIGHTH, _EIGHTH)
        self.finer: nn.Sequential | None = nn.Sequential(
            _Layer(_EIGHTH, _EIGHTH), nn.Conv2d(_EIGHTH, _EIGHTH, 3, padding=1)
        )
        self.from_eighth = _Layer(_EIGHTH, _QUARTER, size=1)
        self.at_quarter = _Layer(_QUARTER, _QUARTER)
        self.head = nn.Conv2d(_QUARTER, 4, 1)
        # They start as if they were not there.
        for last in (self.context[-1], self.deeper[-1], self.more[-1], self.finer[-1]):
            nn.init.zeros_(last.weight)  # type: ignore[arg-type]
            nn.init.zeros_(last.bias)  # type: ignore[arg-type]
        nn.init.constant_(self.head.bias, -3.0)  # type: ignore[arg-type]  # most pixels are background
        self.register_load_state_dict_pre_hook(_without_later)  # type: ignore[no-untyped-call]

    def _kernels(self) -> Tensor:
        """The templates' kernels, (n, 1, side, side)."""
        scale = 0.5 if self.resolution == "half" else 1.0
        _, kernels = bank(self.templates, scale=scale, pitch=self.pitch, along=self.side)
        widest = max(max(kernel.shape) for kernel in kernels)
        if widest > self.side:
            raise ValueError(
                f"a template needs {widest} px of the network, whose kernels have {self.side} at resolution "
                f"{self.resolution}: take templates of at most {self.side / scale:.0f} px of the plate, across the "
                "sheet and, by the pitch, along the travel"
            )
        return torch.from_numpy(np.stack([_centred(kernel, self.side) for kernel in kernels])[:, None]).float()

    def bank_kernels(self) -> Tensor:
        """Fixed templates and learned filters, (n, 1, side, side)."""
        return torch.cat((self.template_kernels, self.learned))

    def forward(self, x: Tensor) -> Tensor:
        """Feature values (n, 1, h, w) of x (n, 1, h, w)."""
        responses = self.bank_norm(F.conv2d(x, self.bank_kernels().to(x.dtype), stride=2, padding=self.side // 2))
        return F.pixel_shuffle(self.decide(responses), 2)[..., : x.shape[-2], : x.shape[-1]]

    def decide(self, responses: Tensor, part: Part | None = None) -> Tensor:
        """From the bank's responses (n, c, h / 2, w / 2) to the values of 2 x 2 pixels each (n, 4, h / 2, w / 2).

        With a `part`, in px of the input and of even sides, to its values alone: what lies around it is seen, and costs
        no more than that.
        """
        quarter = self.quarter(responses)
        del responses
        eighth = self.eighth(quarter)
        sixteenth = self.sixteenth(eighth)
        coarse = self.coarse(sixteenth)
        coarse = coarse + self.context(coarse)
        if self.deeper is not None:
            coarse = coarse + self.deeper(coarse)
        sixteenth = sixteenth + _doubled(coarse, sixteenth)
        if part is None:
            far = near = part = Part(0, 0, 8 * sixteenth.shape[-1], 8 * sixteenth.shape[-2])
        else:
            far, near = part.around(_FAR), part.around(_NEAR)
        sixteenth = far.of(sixteenth, 8)
        sixteenth = self.from_sixteenth(sixteenth + self.more(sixteenth))
        eighth, quarter = near.of(eighth, 4), near.of(quarter, 2)
        eighth = self.at_eighth(eighth + _doubled(near.within(far).of(sixteenth, 8), eighth))
        if self.finer is not None:
            eighth = eighth + self.finer(eighth)
        quarter = self.at_quarter(quarter + _doubled(self.from_eighth(eighth), quarter))
        return torch.as_tensor(self.head(part.within(near).of(quarter, 2)))

    @torch.no_grad()
    def folded(self, dtype: torch.dtype) -> Folded:
        """The same network for inference: normalisations folded into the convolutions, channels last, in `dtype`."""
        return Folded(self, dtype)


_LATER = ("deeper", "finer")
"""Parts that were added to trained weights; they start as if they were not there."""


def _without_later(network: nn.Module, state: dict[str, Any], prefix: str, *_: object) -> None:
    """Weights from before a part was added are loaded as if it were not there, which is how it starts."""
    for part in _LATER:
        if not any(name.startswith(f"{prefix}{part}.") for name in state):
            fresh = network.state_dict()
            state.update({f"{prefix}{name}": fresh[name] for name in fresh if name.startswith(f"{part}.")})


def network_for(recipe: Recipe) -> FeatureNetwork:
    """A fresh network of a recipe's resolution, templates and pitch. Raises ValueError as the network does."""
    return FeatureNetwork(recipe.resolution, recipe.templates, recipe.pitch)


class Architecture(NamedTuple):
    """A kind of network that can stand in the detector."""

    name: str
    """As a card has it."""
    weights: str
    """Name of its weights, before their resolution."""
    make: Callable[[Recipe], ValueNetwork]
    """A fresh one of a recipe's resolution, templates and pitch."""


FEATURE = Architecture("feature", "detector", network_for)
"""What the line runs."""


class Folded(nn.Module):
    """A feature network made for inference alone."""

    def __init__(self, network: FeatureNetwork, dtype: torch.dtype) -> None:
        super().__init__()
        network.eval()
        kernels = network.bank_kernels()
        bank_conv = nn.Conv2d(1, len(kernels), network.side, stride=2, padding=network.side // 2, bias=False)
        bank_conv.weight.data = kernels.clone()
        self.bank = _fold(bank_conv, network.bank_norm)
        self.network = FeatureNetwork(network.resolution, network.templates, network.pitch)
        self.network.load_state_dict(network.state_dict())
        del self.network.learned
        for name in _LATER:  # weights from before a part was added: what adds nothing is not computed
            part = getattr(self.network, name)
            if part is not None and not any(map(torch.count_nonzero, part[-1].parameters())):
                setattr(self.network, name, None)
        _fold_layers(self.network)
        self.eval().requires_grad_(requires_grad=False)
        self.to(dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, x: Tensor, part: Part | None = None) -> Tensor:
        """Feature values (n, h, w), float32, of x (n, 1, h, w), or of a part of it, seen with all of it."""
        part = Part(0, 0, x.shape[-1], x.shape[-2]) if part is None else part
        even = Part(part.left // 2 * 2, part.top // 2 * 2, -(-part.right // 2) * 2, -(-part.bottom // 2) * 2)
        parts = self.network.decide(self.bank(x), even)
        values = torch.empty((len(x), 2 * parts.shape[-2], 2 * parts.shape[-1]), dtype=torch.float32, device=x.device)
        for index in range(4):  # five times as fast on a CPU as pixel_shuffle
            values[:, index // 2 :: 2, index % 2 :: 2] = parts[:, index]
        left, top, right, bottom = part.within(even)
        return values[:, top:bottom, left:right]


class _FoldedLayer(nn.Module):
    """Convolution and ReLU; one kernel on a CPU whose torch offers it (a tenth of the network's time)."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, x: Tensor) -> Tensor:
        conv = self.conv
        if x.is_cpu and _FUSED is not None:
            fused = _FUSED(x, conv.weight, conv.bias, conv.padding, conv.stride, conv.dilation, 1, "relu", [], "")
            return torch.as_tensor(fused)
        return F.relu(conv(x), inplace=True)


_FUSED = getattr(torch.ops.mkldnn, "_convolution_pointwise", None) if torch.backends.mkldnn.is_available() else None  # type: ignore[no-untyped-call]


def _fold_layers(module: nn.Module) -> None:
    """Put a folded layer in the place of each layer, at any depth."""
    for name, child in module.named_children():
        if isinstance(child, _Layer):
            assert isinstance(child.norm, nn.BatchNorm2d)
            setattr(module, name, _FoldedLayer(_fold(child.conv, child.norm)))
        else:
            _fold_layers(child)


def _fold(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Conv2d:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    folded = nn.Conv2d(
        conv.in_channels,
        conv.out_channels,
        (conv.kernel_size[0], conv.kernel_size[1]),
        conv.stride,  # type: ignore[arg-type]  # the same tuple of two
        conv.padding,  # type: ignore[arg-type]
        conv.dilation,  # type: ignore[arg-type]
    )
    folded.weight.data = (conv.weight * gain[:, None, None, None]).detach().clone()
    assert folded.bias is not None
    folded.bias.data = (norm.bias - norm.running_mean * gain).detach().clone()
    return folded


def _doubled(x: Tensor, like: Tensor) -> Tensor:
    """Each pixel twice along both axes, cut to the size of `like`."""
    return F.interpolate(x, scale_factor=2.0, mode="nearest")[..., : like.shape[-2], : like.shape[-1]]


def _centred(
    kernel: np.ndarray[tuple[int, ...], np.dtype[np.float64]], side: int
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """The kernel in the middle of a square one."""
    rows, columns = kernel.shape
    top, left = (side - rows) // 2, (side - columns) // 2
    return np.pad(kernel, ((top, side - rows - top), (left, side - columns - left)))
