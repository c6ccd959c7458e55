"""The pressed relief of a sheet: herringbone ridges, their shading, and the zones where they end.

The phase of the ridges is a sum of a part for the row and a part for the column, so that one table of
(phase, column) values serves every row.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.sheets.cracks import Grey
from simulator.sheets.products import Product
from simulator.sheets.reference import Surface

_PHASES = 512


@dataclass(frozen=True, slots=True)
class Zone:
    """Rows [first, last) with one pattern of ridges."""

    first: int
    last: int
    row_phase: NDArray[np.float64]
    """Of each row of the zone, periods."""
    column_phase: NDArray[np.float64]
    """Of each column, periods."""
    table: Grey
    """Grey levels about the mean, (512 phases, columns)."""

    def rows(self, first: int, last: int, into: Grey) -> None:
        """Write the shading of rows [first, last) of the sheet into `into` (last - first, columns)."""
        phase = self.row_phase[first - self.first : last - self.first]
        index = np.floor(phase * _PHASES).astype(np.intp) % _PHASES
        np.take(self.table, index, axis=0, out=into, mode="clip")


@dataclass(frozen=True, slots=True)
class Port:
    """A round hole, in mm on the sheet."""

    x: float
    y: float
    radius: float


@dataclass(frozen=True, slots=True)
class Relief:
    """Zones from the first row to the last, ports, and how far the ridges keep from the sheet's edges."""

    product: Product
    zones: tuple[Zone, ...]
    row_amplitude: Grey
    ports: tuple[Port, ...]
    sharpness: float

    def height(self, x: float, y: float) -> float:
        """Height of the relief at a pixel: 0 in a valley, 1 on a crest."""
        zone, row = self._zone(y)
        phase = zone.row_phase[row] + zone.column_phase[int(x)]
        return float((0.5 + 0.5 * math.cos(2 * math.pi * phase)) ** self.sharpness)

    def ridge_angle(self, x: float, y: float) -> float:
        """Direction of the ridge through a pixel, radians on the sheet (mm), from the rows' direction."""
        zone, row = self._zone(y)
        column = min(max(int(x), 1), self.product.columns - 2)
        row = min(max(row, 1), zone.row_phase.size - 2)
        dx = (zone.column_phase[column + 1] - zone.column_phase[column - 1]) / self.product.column_mm
        dy = (zone.row_phase[row + 1] - zone.row_phase[row - 1]) / self.product.row_mm
        return math.atan2(-dx, dy)

    def _zone(self, y: float) -> tuple[Zone, int]:
        for zone in self.zones:
            if y < zone.last:
                return zone, max(0, int(y) - zone.first)
        last = self.zones[-1]
        return last, last.row_phase.size - 1


def press(rng: np.random.Generator, product: Product, surface: Surface, margin: int) -> Relief:
    """Draw the relief of one sheet; `margin` px along its edges stay flat."""
    amplitude = rng.uniform(*surface.corrugation_amplitude)
    sharpness = rng.uniform(1.0, 2.2)
    light = rng.uniform(0.35, 0.9), rng.uniform(0.3, 0.8)
    highlight = rng.uniform(*surface.crest_highlight)
    ramp = max(24.0, 0.008 * min(product.rows, product.columns))
    column_amplitude = _plateau(product.columns, margin, ramp)
    period = rng.uniform(*surface.corrugation_period)
    zones = []
    end_share = product.end_share
    if end_share is None:
        end_share = rng.uniform(0.08, 0.13) if product.rows > product.columns else 0.0
    end = round(product.rows * end_share)
    bounds = [(0, end, 0.6), (end, product.rows - end, 1.0), (product.rows - end, product.rows, 0.6)]
    row_amplitude = _plateau(product.rows, margin, ramp)
    for first, last, scale in bounds:
        if last <= first:
            continue
        angle = math.radians(rng.uniform(*surface.chevron_angle))
        angle = angle if scale == 1.0 else -0.7 * angle
        zone_period = max(period * scale, surface.corrugation_period[0] * 0.75)
        row_phase, column_phase = _phases(rng, product, (first, last), zone_period, angle)
        wave = _shading(sharpness, light, highlight / amplitude, 13.0 / zone_period) * amplitude
        grid = np.arange(_PHASES)[:, None] / _PHASES + column_phase[None, :]
        table = wave[np.floor(grid * wave.size).astype(np.int32) % wave.size]
        table *= column_amplitude * _wings(rng, column_phase)
        zones.append(Zone(first, last, row_phase, column_phase, table))
        if first > 0:  # a flat groove between the zones
            row_amplitude *= 1 - _bump(product.rows, first, ramp)
    return Relief(product, tuple(zones), row_amplitude, ports_of(product), sharpness)


def _phases(
    rng: np.random.Generator, product: Product, span: tuple[int, int], period: float, angle: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Phase of the rows of `span` and of the columns: ridges fold about lines along the sheet's long side."""
    rows, columns = np.arange(*span, dtype=np.float64), np.arange(product.columns, dtype=np.float64)
    start = rng.random()
    step, lean = math.cos(angle) / period, math.sin(angle) / period
    if product.upright:
        return start + rows * step, _fold(columns, product.columns / rng.choice([1, 2])) * lean
    return start + _fold(rows, product.rows / rng.choice([1, 2])) * lean, columns * step


def _fold(position: NDArray[np.float64], wing: float) -> NDArray[np.float64]:
    """Distance from the nearest fold line, its corner rounded; fold lines lie `wing` px apart."""
    away = np.abs((position % wing) - wing / 2)
    return np.asarray(np.sqrt(away * away + 30.0**2), np.float64)


def _wings(rng: np.random.Generator, column_phase: NDArray[np.float64]) -> Grey:
    """The two wings of a chevron face the light differently."""
    slope = np.gradient(column_phase)
    spread = float(np.abs(slope).max()) or 1.0
    return np.asarray(1 + rng.uniform(-0.25, 0.25) * slope / spread, np.float32)


def _shading(sharpness: float, light: tuple[float, float], highlight: float, crest: float) -> Grey:
    """One period of brightness from valley to valley, about 0, peak near 1; the crest lies at phase 0."""
    phase = np.arange(4096) / 4096
    height = (0.5 + 0.5 * np.cos(2 * np.pi * phase)) ** sharpness
    slope = np.gradient(height)
    slope /= np.abs(slope).max()
    wave = light[0] * slope + light[1] * (2 * height - 1)
    wave /= np.abs(wave).max()
    away = np.minimum(phase, 1 - phase)
    wave += highlight * np.exp(-np.square(away / max(crest, 0.05)))
    return np.asarray(wave - wave.mean(), np.float32)


def _plateau(length: int, margin: float, ramp: float) -> Grey:
    """1 inside, 0 along both ends, smooth between."""
    position = np.arange(length, dtype=np.float64)
    inside = np.minimum(position, length - 1 - position) - margin - 0.5 * ramp
    part = np.clip(inside / ramp, 0, 1)
    return np.asarray(part * part * (3 - 2 * part), np.float32)


def _bump(length: int, centre: float, width: float) -> Grey:
    position = np.arange(length, dtype=np.float64) - centre
    return np.asarray(np.exp(-((position / width) ** 4)), np.float32)


def ports_of(product: Product) -> tuple[Port, ...]:
    """The four holes of a product, near its corners."""
    width, length = product.columns * product.column_mm, product.rows * product.row_mm
    radius = 0.075 * min(width, length)
    inset = 0.15 * min(width, length)
    return tuple(Port(x, y, radius) for y in (inset, length - inset) for x in (inset, width - inset))
