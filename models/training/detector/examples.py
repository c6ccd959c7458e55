"""From crops to what the network learns from: turned, reduced, cut as windows at a plate's end are, and weighed."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.detector.features import GREY_SCALE
from models.training.detector.crops import LabelledCrop

_BORDER, _BORDER_WEIGHT = 48, 0.3
"""Px of a crop along its borders whose surroundings are cut off, and how much they count: a plate ends there, too."""


def stacked(rng: np.random.Generator, crops: Sequence[LabelledCrop], scale: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    """Crops, turned and flipped by chance, as the network takes them.

    Args:
        rng: of the turns and cuts.
        crops: of one size.
        scale: px of a crop for one of the network along each axis: 2 at half resolution, 1 at full.

    Returns:
        Grey values in network units, what each pixel should be, and how much it counts: (n, 1, size / scale,
        size / scale) each, float32.
    """
    parts = [_example(rng, crop, scale) for crop in crops]
    image, target, weight = (torch.from_numpy(np.stack(kind)[:, None]) for kind in zip(*parts, strict=True))
    return image.contiguous(memory_format=torch.channels_last), target, weight


def _example(
    rng: np.random.Generator, crop: LabelledCrop, scale: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    turns, flip = int(rng.integers(4)), bool(rng.integers(2))
    image, mask, ignore = (reduced(turned(part, turns, flip), scale) for part in crop)
    rows, columns = image.shape
    if rng.random() < 0.25:  # the plate ends inside the window; the last one is often narrow
        rows = int(rng.integers(50 // scale, 160 // scale) if rng.random() < 0.5 else rng.integers(rows // 4, rows))
        if rng.random() < 0.3:
            columns = int(rng.integers(columns // 4, columns))
    rows = min(rows, image.shape[0])
    valid = np.zeros(image.shape, np.float32)
    valid[:rows, :columns] = 1
    # The mean of a window is not that of a crop, so it is not taken off exactly.
    grey = (image - image[:rows, :columns].mean() + rng.normal(0, 6)) * rng.uniform(0.75, 1.25) * GREY_SCALE * valid
    target = (mask >= 0.5).astype(np.float32)
    sure = (ignore < 0.5) & ((mask == 0) | (mask >= 0.5))
    weight = sure * valid * _even(target) * _inner(valid.shape, _BORDER // scale)
    return grey.astype(np.float32), target, weight.astype(np.float32)


def _inner(shape: tuple[int, ...], border: int) -> NDArray[np.float32]:
    """Weights that count a strip along the crop's borders less: a line in the plate sees 160 px around, not so here."""
    if min(shape) < 4 * border:  # a patch is seen whole
        return np.ones(shape, np.float32)
    inner = np.full(shape, _BORDER_WEIGHT, np.float32)
    inner[border : shape[0] - border, border : shape[1] - border] = 1
    return inner


def turned(part: NDArray[np.generic], turns: int, flip: bool) -> NDArray[np.float32]:
    """A part of a crop (rows, columns) turned by quarter turns, then mirrored if asked; float32."""
    part = np.rot90(part, turns)
    return np.asarray(part[:, ::-1] if flip else part, np.float32)


def reduced(grey: NDArray[np.float32], scale: int) -> NDArray[np.float32]:
    """Means of scale x scale px, scale 1 or 2; sides are multiples of it."""
    if scale == 1:
        return grey
    total = grey[0::2, 0::2] + grey[1::2, 0::2] + grey[0::2, 1::2] + grey[1::2, 1::2]
    return np.asarray(total / 4, np.float32)


def _even(target: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weights that let a short crack count nearly as much as a long one."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(target.astype(np.uint8), connectivity=8)
    weights = np.ones(count, np.float32)
    weights[1:] = np.clip(np.sqrt(500.0 / stats[1:, cv2.CC_STAT_AREA]), 0.7, 4.0)
    return np.asarray(weights[labels], np.float32)
