"""Crops to the network's input: 224 x 224, by the statistics of ImageNet (C 19, 34)."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

INPUT = 224
"""Rows and columns of the network's input."""
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
"""Of ImageNet's red, green and blue, as shares of full scale."""
_SCALE = np.array([1 / (255 * std) for std in STD], np.float32)[:, None, None]
_SHIFT = np.array([mean / std for mean, std in zip(MEAN, STD, strict=True)], np.float32)[:, None, None]


def prepared(crops: Sequence[NDArray[np.uint8]]) -> Tensor:
    """The network's input.

    Args:
        crops: each (h, w) grey, or (h, w, 3) red, green, blue; uint8, of any size and any strides. Never written.

    Returns:
        (n, 3, 224, 224) float32. Each crop is resized as a whole: by the mean of the area along an axis that shrinks,
        linearly along one that grows; one of 224 x 224 keeps its pixels.

    Raises:
        ValueError: a crop of another shape or type, or without pixels.
    """
    batch = np.empty((len(crops), 3, INPUT, INPUT), np.float32)
    for place, crop in enumerate(crops):
        if crop.dtype != np.uint8 or crop.ndim not in {2, 3} or crop.shape[2:] not in {(), (3,)} or crop.size == 0:
            raise ValueError(f"a crop is uint8 (h, w) or (h, w, 3) with pixels; found {crop.dtype} {crop.shape}")
        pixels = resized(crop)
        planes = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
        np.multiply(planes, _SCALE, out=batch[place])
        batch[place] -= _SHIFT
    return torch.from_numpy(batch)


def resized(crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The crop at 224 x 224; the crop itself where it has that size."""
    rows, columns = crop.shape[:2]
    if rows > INPUT or columns > INPUT:
        smaller = (min(columns, INPUT), min(rows, INPUT))
        crop = np.asarray(cv2.resize(crop, smaller, interpolation=cv2.INTER_AREA), np.uint8)
    if rows < INPUT or columns < INPUT:
        crop = np.asarray(cv2.resize(crop, (INPUT, INPUT), interpolation=cv2.INTER_LINEAR), np.uint8)
    return crop
