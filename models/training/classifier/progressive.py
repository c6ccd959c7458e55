"""Progressive sizes: parts of crops first, which take a third of the time and teach the most, and wholes last."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from models.classifier.preprocess import INPUT

PLACE = 8
"""Px of the side of a place that is told to hold a crack or none."""
_SIDES = ((0.5, 128), (0.75, 176), (1.0, INPUT))
"""Px of the crops up to that share of the training;"""
TAUGHT_SIDES = ((0.3, 96), (0.7, 128), (0.85, 192), (1.0, INPUT))
"""of one with a teacher, which answers for any part: the smaller they are, the more of them are seen. Multiples of 32,
for the maps of two networks are compared, and one of them rounds a half up where the other one cuts it off."""
_WITHIN = 24
"""Px by which the pixel that a part of a crop is cut around lies within it."""


def side_at(share: float, *, taught: bool = False) -> int:
    """Px of the crops at that share of a training, `taught` by a teacher or by labels alone."""
    return next((side for until, side in (TAUGHT_SIDES if taught else _SIDES) if share < until), INPUT)


def parts_of(crops: Tensor, places: Tensor, spots: NDArray[np.float64], side: int) -> tuple[Tensor, Tensor]:
    """Parts of crops, side x side px at their own scale, and the places in them; wholes, shrunk, without a spot.

    A line in a part is as wide as it will be in the whole, so what is learnt of it holds there.
    """
    if side == INPUT:
        return crops, places
    parts, theirs = [], []
    for crop, place, spot in zip(crops, places, spots, strict=True):
        if np.isnan(spot[0]):
            size = (side, side)
            parts.append(functional.interpolate(crop[None], size, mode="bilinear", antialias=True, align_corners=False))
            theirs.append(functional.adaptive_max_pool2d(place[None], side // PLACE))
            continue
        corner = spot[:2] - _WITHIN - spot[2:] * (side - 2 * _WITHIN)
        row, column = (np.clip(corner, 0, INPUT - side) // PLACE).astype(int).tolist()
        top, left, count = row * PLACE, column * PLACE, side // PLACE
        parts.append(crop[None, :, top : top + side, left : left + side])
        theirs.append(place[None, :, row : row + count, column : column + count])
    return torch.cat(parts).contiguous(memory_format=torch.channels_last), torch.cat(theirs)


def spot_of(rng: np.random.Generator, mask: NDArray[np.bool_] | None, *, crack: bool) -> NDArray[np.float64]:
    """Row and column of a pixel that a part of the crop must show, of its crack if it has one, and where in it it lies.

    Px and shares 0..1, as (4,); NaN where any part might miss the crack.
    """
    draws = rng.random(4)
    if not crack:
        return np.asarray(draws * (INPUT, INPUT, 1, 1))
    if mask is None or not mask.any():
        return np.full(4, np.nan)
    rows, columns = np.nonzero(mask)
    at = int(draws[0] * len(rows))
    return np.array((rows[at], columns[at], draws[2], draws[3]))
