"""Faster gradients of depthwise convolutions on a CPU.

oneDNN has no quick kernels for two of them: the gradient of the input at stride 2, and that of weights larger than
3 x 3, in bfloat16 above all. Both are sums that its quick kernels can do.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

_QUICK = 3
"""Side of the largest weights whose gradient is quick."""


def quicken(network: nn.Module) -> None:
    """Have the depthwise convolutions of a network take these gradients; what it computes stays the same."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and _is_slow(module):
            module._conv_forward = partial(_forward, module)  # type: ignore[method-assign]  # noqa: SLF001 - as torch's own subclasses do


def _is_slow(module: nn.Conv2d) -> bool:
    side = module.kernel_size[0]
    return (
        module.groups == module.in_channels == module.out_channels > 1
        and (side > _QUICK or module.stride == (2, 2))
        and module.kernel_size == (side, side)
        and module.stride in {(1, 1), (2, 2)}
        and module.padding in {(padding, padding) for padding in range(side)}
        and module.dilation == (1, 1)
        and module.bias is None
    )


def _forward(module: nn.Conv2d, maps: Tensor, weight: Tensor, _bias: Tensor | None) -> Tensor:
    if maps.device.type != "cpu" or not torch.is_grad_enabled():
        return functional.conv2d(maps, weight, None, module.stride, module.padding, 1, module.groups)
    found: Tensor = _Depthwise.apply(maps, weight, module.stride[0], int(module.padding[0]))  # type: ignore[no-untyped-call]
    return found


class _Depthwise(torch.autograd.Function):
    """Convolution of maps (n, c, h, w) with weights (c, 1, k, k)."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:  # noqa: ANN401 - torch's
        found = functional.conv2d(maps, weight, None, stride, padding, 1, len(weight))
        ctx.stride, ctx.padding, ctx.dtypes = stride, padding, (maps.dtype, weight.dtype)
        ctx.save_for_backward(maps.to(found.dtype), weight.to(found.dtype))
        return found

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:  # noqa: ANN401 - torch's
        maps, weight = ctx.saved_tensors
        stride, padding = ctx.stride, ctx.padding
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        of_maps = _of_maps(gradient, maps, weight, stride, padding).to(ctx.dtypes[0])
        return of_maps, _of_weight(gradient, maps, weight, stride, padding).to(ctx.dtypes[1]), None, None


def _of_maps(gradient: Tensor, maps: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    """At stride 2 as at stride 1, with zeros between: all that a stride does is to leave every other value out."""
    if stride > 1:
        sides = [side + 2 * padding - weight.shape[-1] + 1 for side in maps.shape[2:]]
        empty = torch.empty(*gradient.shape[:2], *sides, dtype=gradient.dtype, memory_format=torch.channels_last)
        spread = empty.zero_()
        spread[:, :, ::stride, ::stride] = gradient
        gradient = spread
    return _gradients(gradient, maps, weight, 1, padding, of_maps=True)


def _of_weight(gradient: Tensor, maps: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    """In parts of 3 x 3: each is that of a smaller convolution of shifted maps."""
    side = weight.shape[-1]
    if side <= _QUICK:
        return _gradients(gradient, maps, weight, stride, padding, of_maps=False)
    wide = functional.pad(maps, (padding,) * 4)
    found = torch.empty_like(weight)
    rows, columns = (stride * (count - 1) + _QUICK for count in gradient.shape[2:])
    starts = [*range(0, side - _QUICK, _QUICK), side - _QUICK]
    for top in starts:
        for left in starts:
            part = wide[:, :, top : top + rows, left : left + columns]
            small = weight[:, :, :_QUICK, :_QUICK]
            block = _gradients(gradient, part, small, stride, 0, of_maps=False)
            found[:, :, top : top + _QUICK, left : left + _QUICK] = block
    return found


def _gradients(gradient: Tensor, maps: Tensor, weight: Tensor, stride: int, padding: int, *, of_maps: bool) -> Tensor:
    given = gradient, maps.contiguous(memory_format=torch.channels_last), weight.contiguous(), None
    how = [stride] * 2, [padding] * 2, [1, 1], False, [0, 0], len(weight)
    found = torch.ops.aten.convolution_backward(*given, *how, [of_maps, not of_maps, False])
    one: Tensor = found[0] if of_maps else found[1]
    return one
