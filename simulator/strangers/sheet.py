"""A sheet of a strange family: its picture and what is wrong with it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class StrangerSheet:
    """A picture and its truth.

    Attributes:
        image: (rows, columns) uint8, grey levels.
        instances: (rows, columns) uint16; 0 is background, k is crack k.
    """

    image: NDArray[np.uint8]
    instances: NDArray[np.uint16]
