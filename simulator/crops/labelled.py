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
