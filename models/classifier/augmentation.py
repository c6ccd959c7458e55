"""What training does to its crops (C 19): turned, mirrored, a little brighter, flatter or softer."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_DEGREES = 15.0
_CONTRAST = 0.2
"""The deviations from the mean grow or shrink by up to this share."""
_BRIGHTNESS = 20.0
"""Grey levels up or down."""
_BLURRED = 0.3
"""Share of the crops that are blurred."""
_SIGMA = (0.3, 1.2)
"""px; more would take away the thinnest cracks, 5 px wide, and with them the truth of the label."""


def augmented(
    crop: NDArray[np.uint8], mask: NDArray[np.bool_] | None, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.bool_] | None]:
    """A changed copy of a crop, and of the mask that lies over it, by draws from `rng` alone.

    What a rotation brings in from outside is mirrored: a dark corner would be a straight edge, which resembles a crack.

    Args:
        crop: (h, w) or (h, w, 3) uint8; best at the network's input size, at which the blur is measured.
        mask: (h, w), or None.
        rng: a given state gives a given copy.

    Returns:
        Of the crop's shape; and the mask, moved as the crop is.
    """
    across, along, blurred = rng.random(3) < (0.5, 0.5, _BLURRED)
    degrees, contrast, brightness = rng.uniform(-1, 1, 3) * (_DEGREES, _CONTRAST, _BRIGHTNESS)
    sigma = rng.uniform(*_SIGMA)
    height, width = crop.shape[:2]
    flip = slice(None, None, -1 if along else 1), slice(None, None, -1 if across else 1)
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)

    def turned(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        border = cv2.BORDER_REFLECT_101
        return np.asarray(
            cv2.warpAffine(pixels, turn, (width, height), flags=cv2.INTER_LINEAR, borderMode=border), np.float32
        )

    changed = turned(crop[flip].astype(np.float32))
    if blurred:
        changed = np.asarray(cv2.GaussianBlur(changed, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101), np.float32)
    middle = changed.mean()
    changed = (changed - middle) * np.float32(1 + contrast) + middle + np.float32(brightness)
    moved = None if mask is None else np.asarray(turned(mask[flip].astype(np.float32)) > 0.5, np.bool_)
    return np.asarray(np.clip(np.round(changed), 0, 255), np.uint8), moved
