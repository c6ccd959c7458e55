"""The picture by which detector and classifier are proved: its answer is stored with the weights."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def known_window(size: int) -> NDArray[np.uint8]:
    """A ridged surface with one bright crack of 11 px along a diagonal, made from integers alone."""
    y, x = np.mgrid[0:size, 0:size]
    grey = 110 + 12 * (np.abs((x + y // 3) % 120 - 60) - 30) // 30 + (x * 7 + y * 13 + x * y) % 5
    away = np.abs(5 * (x - size // 2) - 2 * (y - size // 2))
    long = np.abs(2 * (x - size // 2) + 5 * (y - size // 2)) < 5 * size // 4
    grey += np.where(long & (away < 30), 32 - away * away // 29, 0)
    return np.asarray(np.clip(grey, 0, 255), np.uint8)
