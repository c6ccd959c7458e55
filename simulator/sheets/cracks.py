"""Microcracks: bright lines with asymmetric shoulders along gently curved centre lines (M 41-71, 115).

Geometry is in mm on the sheet, so that a width is the same length in every direction although the two pitches differ.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.float32]
_NODES = 64


def profile(across: Grey, width: float | Grey, height: float, step: float, decay: float) -> Grey:
    """Grey levels added at signed distances `across` from the centre line (any one unit of length).

    The closed form f(x) = k1 x^2 + k2 x on [0, width] (M 41-71, Eq. 1-7 without the constant): 0 at the lower end,
    `height` at its interior maximum, `step` at the other end, from where it fades exponentially over `decay`.
    """
    p = 1.0 + math.sqrt(1.0 - step / height)
    u = across / width + np.float32(0.5)
    inside = np.float32(height * p) * u * (np.float32(2.0) - np.float32(p) * u)
    outside = np.float32(step) * np.exp(-np.maximum((u - 1) * width, 0) / np.float32(decay))
    value = np.where(u > 1, outside, inside)
    value[u < 0] = 0
    return value.astype(np.float32, copy=False)


@dataclass(frozen=True, slots=True)
class CentreLine:
    """A curve g(t) over a chord: t runs along the chord of `chord` mm from (x, y) at `angle` (radians), g across it."""

    x: float
    y: float
    angle: float
    chord: float
    sag: Grey
    slope: Grey

    def points(self, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """`count` points of the curve as x and y in mm."""
        t = np.linspace(0.0, self.chord, count)
        g = np.interp(t, np.linspace(0.0, self.chord, self.sag.size), self.sag)
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        return self.x + t * cos - g * sin, self.y + t * sin + g * cos

    def moved(self, dx: float, dy: float) -> CentreLine:
        """The same curve elsewhere, mm."""
        return CentreLine(self.x + dx, self.y + dy, self.angle, self.chord, self.sag, self.slope)

    def coordinates(self, x: Grey, y: Grey) -> tuple[Grey, Grey]:
        """Where points (mm, broadcast against each other) lie: share of the way along the curve, distance across it.

        The share is below 0 or above 1 beyond the ends; the distance is signed, in mm. The foot point is found by
        two Newton steps.
        """
        cos, sin = np.float32(math.cos(self.angle)), np.float32(math.sin(self.angle))
        dx, dy = x - np.float32(self.x), y - np.float32(self.y)
        t = dx * cos + dy * sin
        v = dy * cos - dx * sin
        foot = t
        for _ in range(2):
            g, slope = self._at(foot)
            foot = foot + ((t - foot) + slope * (v - g)) / (1 + slope * slope)
        g, _ = self._at(foot)
        across = np.copysign(np.hypot(t - foot, v - g), v - g)
        return (foot / np.float32(self.chord)).astype(np.float32, copy=False), across.astype(np.float32, copy=False)

    def _at(self, t: Grey) -> tuple[Grey, Grey]:
        last = self.sag.size - 1
        position = np.clip(t, 0, self.chord) * np.float32(last / self.chord)
        index = np.minimum(position.astype(np.int32), last - 1)
        part = position - index
        slope = self.slope[index] * (1 - part) + self.slope[index + 1] * part
        sag = self.sag[index] * (1 - part) + self.sag[index + 1] * part
        beyond = t - np.clip(t, 0, self.chord)
        return sag + slope * beyond, slope


def centre_line(rng: np.random.Generator, angle: float, length: float, bend: float) -> CentreLine:
    """A smooth random curve of arc length `length` mm centred on the origin; `bend` is about its largest slope."""
    t = np.linspace(0.0, 1.0, _NODES + 1)
    slope = np.zeros_like(t)
    for order in (1, 2, 3):
        slope += rng.normal(0, 0.5 / order) * np.cos(order * math.pi * t + rng.uniform(0, 2 * math.pi))
    slope *= bend
    slope -= slope.mean()
    chord = length / float(np.mean(np.hypot(1.0, slope)))
    sag = np.concatenate([[0.0], np.cumsum((slope[1:] + slope[:-1]) / 2)]) * chord / _NODES
    sag -= sag.mean()
    cos, sin = math.cos(angle), math.sin(angle)
    return CentreLine(
        -chord / 2 * cos, -chord / 2 * sin, angle, chord, sag.astype(np.float32), slope.astype(np.float32)
    )


@dataclass(frozen=True, slots=True)
class Form:
    """The cross-section of a crack: width in mm normal to the line, height and step in grey levels."""

    width_mm: float
    height: float
    step: float
    decay_mm: float
    mirrored: bool
    taper: float
    """Share of the length over which each end fades in."""


@dataclass(frozen=True, slots=True)
class Patch:
    """A crack in pixels: what it adds at (x, y) and which pixels are its own."""

    x: int
    y: int
    added: Grey
    inside: NDArray[np.bool_]
    """Pixels within the width and between the ends."""
    fade: Grey
    """1 along the crack, falling to 0 at its tapered ends."""


def paint(
    line: CentreLine, form: Form, column_mm: float, row_mm: float, bounds: tuple[int, int] | None
) -> Patch | None:
    """The pixels of a crack; `bounds` (rows, columns) cuts it to the image. None when nothing lies inside."""
    reach = form.width_mm / 2 + 4 * form.decay_mm
    xs, ys = line.points(_NODES + 1)
    x0, x1 = math.floor((xs.min() - reach) / column_mm), math.ceil((xs.max() + reach) / column_mm) + 1
    y0, y1 = math.floor((ys.min() - reach) / row_mm), math.ceil((ys.max() + reach) / row_mm) + 1
    if bounds is not None:
        x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, bounds[1]), min(y1, bounds[0])
    if x1 <= x0 or y1 <= y0:
        return None
    x = ((np.arange(x0, x1) + 0.5) * column_mm).astype(np.float32)
    y = ((np.arange(y0, y1) + 0.5) * row_mm).astype(np.float32)
    along, across = line.coordinates(x[None, :], y[:, None])
    if form.mirrored:
        across = -across
    end = np.clip(np.minimum(along, 1 - along) / np.float32(form.taper), 0, 1)
    fade = (end * end * (3 - 2 * end)).astype(np.float32, copy=False)
    width = (form.width_mm * (np.float32(0.6) + np.float32(0.4) * fade)).astype(np.float32, copy=False)
    added = (profile(across, width, form.height, form.step, form.decay_mm) * fade).astype(np.float32, copy=False)
    inside = (np.abs(across) <= width / 2) & (fade > 0)
    return Patch(x0, y0, added, inside, fade)
