"""A training crop with its labels, as every family of crops draws it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

LabelledCrop = tuple[NDArray[np.uint8], NDArray[np.bool_], NDArray[np.bool_]]
"""Grey picture, the cracks' pixels, and pixels that are not judged; all of one square size."""


def around(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Some cracks' pixels with a ring of 3 px, in which nobody can say where a crack ends."""
    return np.asarray(cv2.dilate(mask.view(np.uint8), np.ones((7, 7), np.uint8)) > 0, np.bool_)


def labelled(
    rng: np.random.Generator,
    picture: NDArray[np.float32],
    noise: NDArray[np.float32],
    mask: NDArray[np.bool_],
    ignore: NDArray[np.bool_],
) -> LabelledCrop:
    """A crop as a camera records it, now and then a little out of focus; a ring around each crack is not judged.

    Args:
        rng: draws the focus.
        picture: grey levels (size, size).
        noise: of the sensor, likewise; not blurred.
        mask: the cracks' pixels.
        ignore: other pixels that are not judged.
    """
    if rng.random() < 0.4:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 1.3)), np.float32)
    image = np.asarray(cv2.add(picture, noise, dtype=cv2.CV_8U), np.uint8)
    return image, mask, (ignore | around(mask)) & ~mask
