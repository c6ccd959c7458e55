"""The map of evidence laid over its crop (C 28)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_SHARE = 0.45
"""Of the colour where the evidence is strongest."""


def overlay(crop: NDArray[np.uint8], heat: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The crop, coloured by the evidence: untouched where there is none, red where it is strongest.

    Args:
        crop: (h, w) grey or (h, w, 3) red, green, blue.
        heat: (rows, columns) of any size, 0..255; of `Classified.heat`: `np.frombuffer(heat, np.uint8).reshape(7, 7)`.

    Returns:
        (h, w, 3) red, green, blue.
    """
    height, width = crop.shape[:2]
    shares = cv2.resize(np.asarray(heat, np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    shares = np.clip(np.asarray(shares, np.float32), 0, 255)
    colours = cv2.applyColorMap(np.round(shares).astype(np.uint8), cv2.COLORMAP_JET)[:, :, ::-1]
    picture = np.repeat(crop[:, :, None], 3, 2) if crop.ndim == 2 else crop
    weight = _SHARE / 255 * shares[:, :, None]
    return np.asarray(np.round(picture * (1 - weight) + colours * weight), np.uint8)
