"""The crops that the detector learns from, and what draws them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

LabelledCrop = tuple[NDArray[np.uint8], NDArray[np.bool_], NDArray[np.bool_]]
"""Grey picture, the cracks' pixels, and pixels that are not judged; all of one square size."""
CropSource = Callable[[np.random.Generator, int], LabelledCrop]
"""Draws one crop of so many px a side."""
