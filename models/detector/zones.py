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
    """One zone and the box around it; corners (n, 2): x, y."""

    corners: Floats
    box: tuple[float, float, float, float]
    """Least x and y, greatest x and y."""
    weight: float


class Zones:
    """A recipe's zones, made ready once."""

    def __init__(self, zones: Sequence[Zone]) -> None:
        self._placed = tuple(_placed(zone) for zone in zones)
        self._boxes = np.array([zone.box for zone in self._placed]).reshape(-1, 4)

    def at(self, x: int, y: int, width: int, height: int, scale: int) -> Weigher | None:
        """What weighs the regions of the window of width x height px at (x, y); None where no zone touches it.

        Args:
            x: in plate coordinates.
            y: likewise.
            width: px.
            height: px.
            scale: px for one feature value along each axis.
        """
        if not self._placed:
            return None
        low, high = self._boxes[:, :2], self._boxes[:, 2:]
        touching = np.all((low < (x + width, y + height)) & (high > (x, y)), axis=1)
        near = tuple(self._placed[place] for place in np.flatnonzero(touching))
        return Weigher(near, x, y, scale) if near else None


@dataclass(frozen=True, slots=True)
class Weigher:
    """The zones that a window, or a box in it, touches."""

    zones: tuple[_Placed, ...]
    x: int
    """Left of the window in plate coordinates."""
    y: int
    scale: int
    """px of the window for one feature value along each axis."""

    @property
    def most(self) -> float:
        """The most that a region here can gain, feature units."""
        return sum((max(0.0, zone.weight) for zone in self.zones), 0.0)

    def within(self, left: int, top: int, across: int, down: int) -> Weigher | None:
        """Only what touches a box of the feature map; None where no zone does."""
        x0, y0 = self.x + left * self.scale, self.y + top * self.scale
        x1, y1 = x0 + across * self.scale, y0 + down * self.scale
        near = tuple(
            zone
            for zone in self.zones
            if zone.box[0] < x1 and zone.box[1] < y1 and zone.box[2] > x0 and zone.box[3] > y0
        )
        return Weigher(near, self.x, self.y, self.scale) if near else None

    def __call__(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> float:
        """Mean weight over pixels of the feature map, feature units; overlapping zones add up.

        Args:
            rows: (n,), n at least 1; a pixel lies where its middle does.
            columns: likewise.
        """
        x = np.asarray(self.x + (columns + 0.5) * self.scale, np.float64)
        y = np.asarray(self.y + (rows + 0.5) * self.scale, np.float64)
        return sum((zone.weight * _share(zone, x, y) for zone in self.zones), 0.0)


def _placed(zone: Zone) -> _Placed:
    corners = np.array(zone.corners, np.float64)
    x, y = corners[:, 0].tolist(), corners[:, 1].tolist()
    return _Placed(corners, (min(x), min(y), max(x), max(y)), zone.weight)


def _share(zone: _Placed, x: Floats, y: Floats) -> float:
    """Share of the points that lie inside a zone by the even-odd rule.

    A point on the left or upper edge is inside and one on the right or lower is not, so neighbours share no pixel.
    """
    left, top, right, bottom = zone.box
    near = (x >= left) & (x < right) & (y >= top) & (y < bottom)
    x, y = x[near], y[near]
    inside = np.zeros(x.size, np.bool_)
    for (x0, y0), (x1, y1) in zip(zone.corners, np.roll(zone.corners, -1, axis=0), strict=True):
        if y0 != y1:
            # Both ways along an edge give the same crossing to the bit, or neighbours would share or lose pixels.
            (xa, ya), (xb, yb) = ((x0, y0), (x1, y1)) if y0 < y1 else ((x1, y1), (x0, y0))
            inside ^= (ya <= y) & (y < yb) & (x >= xa + (y - ya) * ((xb - xa) / (yb - ya)))
    return float(np.count_nonzero(inside) / near.size)
