"""Grain: the lines that grinding and rolling leave in metal, all in one direction."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

_LEAST_COHERENCE = 0.3
"""Of the structure tensor, 0 (no direction) to 1: ground magnet tiles have 0.45 to 0.7, rolled steel about 0.35, scale
and ash under 0.25."""
_WITHIN = math.radians(20)
_RIM, _STEEPEST = 8, 0.02
"""Px left out at the border, where a piece of metal often ends, and share of the pixels, the steepest ones: a few edges
are no grain."""


def off_grain(picture: NDArray[np.float32], marks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Those of some marks that do not run with the grain of the metal beneath, or that lie on metal without any.

    Args:
        picture: the metal without the marks, grey levels, larger than 16 px a side.
        marks: what is drawn on it, of the same shape; a mark is what is connected.

    Returns:
        The pixels of the marks that cannot be taken for grain, of the same shape.
    """
    grain = _grain(picture)
    if grain is None:
        return marks
    count, labels = cv2.connectedComponents(marks.view(np.uint8))
    kept = np.zeros_like(marks)
    for label in range(1, count):
        own = labels == label
        away = abs(_direction(own) - grain) % math.pi
        if min(away, math.pi - away) > _WITHIN:
            kept |= own
    return kept


def _grain(picture: NDArray[np.float32]) -> float | None:
    """Its direction in radians from the columns' axis, None where there is none."""
    smooth = cv2.GaussianBlur(picture, (0, 0), 1.0)
    inner = slice(_RIM, -_RIM)
    x, y = (cv2.Sobel(smooth, cv2.CV_32F, *order)[inner, inner] for order in ((1, 0), (0, 1)))
    steep = np.hypot(x, y)
    usual = steep <= np.quantile(steep, 1 - _STEEPEST)
    xx, yy, xy = (float(part[usual].mean()) for part in (x * x, y * y, x * y))
    if math.hypot(xx - yy, 2 * xy) <= _LEAST_COHERENCE * (xx + yy):
        return None
    return math.atan2(2 * xy, xx - yy) / 2 + math.pi / 2


def _direction(mark: NDArray[np.bool_]) -> float:
    """Of a mark's length, radians from the columns' axis."""
    y, x = np.nonzero(mark)
    xy = float(((x - x.mean()) * (y - y.mean())).mean())
    return math.atan2(2 * xy, float(x.var() - y.var())) / 2
