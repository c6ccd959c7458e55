"""Zones: parts of a plate where evidence of a crack counts more, or less (docs/decisions/0014-zones.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from config.schema import Zone

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Placed:
    """One zone; corners (n, 2): x, y."""

    corners: Floats
    weight: float


@dataclass(frozen=True, slots=True)
class Weigher:
    """The zones that a window touches, as its regions meet them."""

    zones: tuple[_Placed, ...]
    x: int
    """Left of the window in plate coordinates."""
    y: int
    scale: int
    """px of the window for one feature value along each axis."""

    @property
    def most(self) -> float:
        """The most that a region of this window can gain, feature units."""
        return sum((max(0.0, zone.weight) for zone in self.zones), 0.0)

    def __call__(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> float:
        """Mean weight over pixels of the feature map, feature units; overlapping zones add up.

        Args:
            rows: (n,), n at least 1; a pixel lies where its middle does.
            columns: likewise.
        """
        x = np.asarray(self.x + (columns + 0.5) * self.scale, np.float64)
        y = np.asarray(self.y + (rows + 0.5) * self.scale, np.float64)
        return sum((zone.weight * _share(zone.corners, x, y) for zone in self.zones), 0.0)


class Zones:
    """A recipe's zones, made ready once."""

    def __init__(self, zones: Sequence[Zone]) -> None:
        self._placed = [_Placed(np.array(zone.corners, np.float64), zone.weight) for zone in zones]
        self._low = np.array([placed.corners.min(axis=0) for placed in self._placed])
        self._high = np.array([placed.corners.max(axis=0) for placed in self._placed])

    def at(self, x: int, y: int, width: int, height: int, scale: int) -> Weigher | None:
        """What weighs the regions of the window of width x height px at (x, y); None where no zone touches it."""
        if not self._placed:
            return None
        touching = np.all((self._low < (x + width, y + height)) & (self._high > (x, y)), axis=1)
        if not touching.any():
            return None
        return Weigher(tuple(self._placed[place] for place in np.flatnonzero(touching)), x, y, scale)


def _share(corners: Floats, x: Floats, y: Floats) -> float:
    """Share of the points that lie inside a polygon by the even-odd rule.

    A point on the left or upper edge is inside and one on the right or lower is not, so neighbours share no pixel.
    """
    low, high = corners.min(axis=0), corners.max(axis=0)
    near = (x >= low[0]) & (x < high[0]) & (y >= low[1]) & (y < high[1])
    x, y = x[near], y[near]
    inside = np.zeros(x.size, np.bool_)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if y0 != y1:
            # Both ways along an edge give the same crossing to the bit, or neighbours would share or lose pixels.
            (xa, ya), (xb, yb) = ((x0, y0), (x1, y1)) if y0 < y1 else ((x1, y1), (x0, y0))
            inside ^= (ya <= y) & (y < yb) & (x >= xa + (y - ya) * ((xb - xa) / (yb - ya)))
    return float(np.count_nonzero(inside) / near.size)
