"""A training crop with its labels, as every family of crops draws it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LabelledCrop = tuple[NDArray[np.uint8], NDArray[np.bool_], NDArray[np.bool_]]
"""Grey picture, the cracks' pixels, and pixels that are not judged; all of one square size."""
