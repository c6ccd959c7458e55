"""A sheet as the line-scan camera sees it, rendered band by band from a seed."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from simulator.sheets import textures
from simulator.sheets.cracks import Grey, Patch
from simulator.sheets.interference import Disturbance, Kind, disturb
from simulator.sheets.layout import place_cracks
from simulator.sheets.products import Product
from simulator.sheets.reference import Reference, Sensor, load_reference
from simulator.sheets.relief import Relief, press
from simulator.sheets.truth import Truth

_BAND = 128
_TILE_ROWS = 1024
_FREE_OF_CRACKS = 24
"""Px along a sheet's edge that hold no crack."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A rendered sheet."""

    image: NDArray[np.uint8]
    """(rows, columns)."""
    truth: Truth


def render(
    product: Product,
    seed: int,
    density: int | None = None,
    *,
    interference: Iterable[Kind] = (),
    strength: float = 1.0,
    on_progress: Callable[[int, int], None] | None = None,
    reference: Reference | None = None,
) -> Sheet:
    """Render one sheet; the same arguments give the same bytes.

    Args:
        product: Its size and pitches.
        seed: Everything about the sheet follows from it; cracks do not depend on the interference.
        density: Cracks on the sheet; the reference's when None, fewer where no room is left.
        interference: Any of "oil", "noise", "light".
        strength: Of the interference, 1 is the reference's.
        on_progress: Called with (rows done, rows) after each band.
        reference: The ranges everything is drawn from, `reference.yaml` when None.

    Raises:
        ValueError: An unknown interference, a negative strength or density, or a sheet too small to hold its margins.
    """
    reference = reference or load_reference()
    count = reference.cracks.density if density is None else density
    if count < 0:
        raise ValueError(f"density is {count}: give 0 or more cracks a sheet")
    if min(product.rows, product.columns) < 256:
        raise ValueError(f"a sheet of {product.rows} x {product.columns} px is too small: give at least 256 x 256")
    kinds = tuple(sorted(set(interference)))
    entropy = np.random.SeedSequence([seed, zlib.crc32(product.name.encode())])
    look, layout, disturbing, sensing = (np.random.default_rng(child) for child in entropy.spawn(4))
    disturbance = disturb(disturbing, (product.rows, product.columns), kinds, strength, reference.interference)
    surface = _Surface(look, product, reference)
    margin = surface.margin + _FREE_OF_CRACKS
    placed = place_cracks(layout, surface.relief, reference.cracks, count, margin)
    image = np.empty((product.rows, product.columns), np.uint8)
    camera = _Camera(sensing, product, reference.sensor, disturbance)
    band = np.empty((_BAND, product.columns), np.float32)
    scratch = np.empty_like(band)
    for first in range(0, product.rows, _BAND):
        last = min(first + _BAND, product.rows)
        grey = band[: last - first]
        surface.draw(first, last, grey)
        for _, patch in placed:
            _add(grey, first, patch)
        surface.cut_out(first, grey)
        _disturb(grey, first, disturbance, surface.grey)
        camera.expose(grey, scratch[: last - first], image[first:last])
        if on_progress is not None:
            on_progress(last, product.rows)
    cracks = tuple(crack.seen(disturbance.visible_share(crack)) for crack, _ in placed)
    truth = Truth(product.name, seed, product.rows, product.columns, cracks, kinds, strength if kinds else 0.0)
    return Sheet(image, truth)


def _overlap(first: int, rows: int, top: int, height: int) -> tuple[slice, slice] | None:
    """Rows of a band and of a patch that coincide; None when they do not meet."""
    start, end = max(first, top), min(first + rows, top + height)
    if end <= start:
        return None
    return slice(start - first, end - first), slice(start - top, end - top)


def _add(grey: Grey, first: int, patch: Patch) -> None:
    rows = _overlap(first, grey.shape[0], patch.y, patch.added.shape[0])
    if rows is not None:
        grey[rows[0], patch.x : patch.x + patch.added.shape[1]] += patch.added[rows[1]]


def _disturb(grey: Grey, first: int, disturbance: Disturbance, mean: float) -> None:
    if disturbance.column_light is not None and disturbance.row_light is not None:
        grey -= np.float32(mean)
        grey *= np.float32(disturbance.contrast)
        grey += np.float32(mean + disturbance.brightness)
        grey *= disturbance.column_light
        grey *= disturbance.row_light[first : first + grey.shape[0], None]
    for block in disturbance.oil:
        rows = _overlap(first, grey.shape[0], block.y, block.height)
        if rows is not None:
            under = grey[rows[0], block.x : block.x + block.width]
            under += (np.float32(block.grey) - under) * block.cover()[rows[1]]


class _Surface:
    """The sheet itself: relief, textures, light, ports and outline, without noise."""

    def __init__(self, rng: np.random.Generator, product: Product, reference: Reference) -> None:
        ranges = reference.surface
        self._product = product
        self.grey = rng.uniform(*ranges.grey)
        scale = min(1.0, min(product.rows, product.columns) / 3000)
        low, high = (max(4.0, scale * bound) for bound in ranges.margin)
        margins = rng.uniform(low, high, 4)
        skew = rng.uniform(-1, 1, 4) * ranges.skew * scale
        along_rows, along_columns = np.arange(product.rows), np.arange(product.columns)
        # Distance of each side of the outline from the picture's border, px.
        self._left = np.maximum(margins[0] + skew[0] * along_rows, 2)
        self._right = np.maximum(margins[1] + skew[1] * along_rows, 2)
        self._top = np.maximum(margins[2] + skew[2] * along_columns, 2)
        self._bottom = np.maximum(margins[3] + skew[3] * along_columns, 2)
        self.margin = int(max(side.max() for side in (self._left, self._right, self._top, self._bottom))) + 2
        self._background = np.float32(rng.uniform(*ranges.background))
        self.relief: Relief = press(rng, product, ranges, self.margin)
        self._texture = self._weave(rng, rng.uniform(*ranges.rolling_texture), rng.uniform(*ranges.grain))
        self._column_light = self._light(rng, product.columns, ranges.uneven_light)
        self._row_light = self._light(rng, product.rows, ranges.uneven_light)
        patches = int(rng.integers(ranges.fingerprint_patches[0], ranges.fingerprint_patches[1] + 1))
        self._prints = [self._fingerprint(rng, rng.uniform(*ranges.fingerprint_strength)) for _ in range(patches)]

    def _weave(self, rng: np.random.Generator, rolling: float, grain: float) -> Grey:
        """Texture of 1,024 rows by all columns, added to every 1,024 rows; the mean grey is in it."""
        tiles = textures.tiles()
        tile = tiles["rolling"] * np.float32(rolling)
        tile = tile + np.roll(tiles["fractal"], tuple(rng.integers(0, 1024, 2)), (0, 1)) * np.float32(0.8 * grain)
        tile += np.roll(tiles["coarse"], tuple(rng.integers(0, 1024, 2)), (0, 1)) * np.float32(0.6 * grain)
        tile = np.roll(tile, tuple(rng.integers(0, 1024, 2)), (0, 1))
        repeats = -(-self._product.columns // tile.shape[1])
        woven = np.tile(tile, (1, repeats))[:, : self._product.columns]
        return np.ascontiguousarray(woven + np.float32(self.grey), np.float32)

    @staticmethod
    def _light(rng: np.random.Generator, length: int, share: float) -> Grey:
        position = np.linspace(-1, 1, length)
        centre, depth = rng.uniform(-0.5, 0.5), rng.uniform(0, share)
        return np.asarray(1 + depth / 3 - depth * np.square((position - centre) / 1.5), np.float32)

    def _fingerprint(self, rng: np.random.Generator, strength: float) -> Patch:
        size = min(int(rng.uniform(220, 480)), self._product.rows // 2, self._product.columns // 2)
        axis = np.linspace(-1, 1, size, dtype=np.float32)
        window = np.clip(1.2 - np.hypot(axis[None, :] * rng.uniform(1, 1.5), axis[:, None]) * 1.2, 0, 1)
        whorls = textures.cut(rng, "whorls", size, 1.2) * window * strength
        x, y = rng.integers(0, self._product.columns - size), rng.integers(0, self._product.rows - size)
        return Patch(int(x), int(y), whorls.astype(np.float32), np.empty((0, 0), np.bool_), axis)

    def draw(self, first: int, last: int, into: Grey) -> None:
        """Write rows [first, last) without cracks, ports and outline, grey levels."""
        for zone in self.relief.zones:
            start, end = max(first, zone.first), min(last, zone.last)
            if end > start:
                zone.rows(start, end, into[start - first : end - first])
        amplitude = self.relief.row_amplitude[first:last]
        if (amplitude != 1).any():
            into *= amplitude[:, None]
        row = first
        while row < last:
            start = row % _TILE_ROWS
            count = min(last - row, _TILE_ROWS - start)
            part = into[row - first : row - first + count]
            cv2.add(part, self._texture[start : start + count], dst=part)
            row += count
        for patch in self._prints:
            _add(into, first, patch)
        into *= self._column_light
        into *= self._row_light[first:last, None]

    def cut_out(self, first: int, grey: Grey) -> None:
        """Lay the ports and the background beside the sheet over rows from `first` on."""
        for port in self.relief.ports:
            self._port(first, grey, port.x, port.y, port.radius)
        rows, columns = grey.shape
        reach = self.margin + 2
        position = np.arange(reach, dtype=np.float32)
        left = self._left[first : first + rows, None].astype(np.float32)
        right = self._right[first : first + rows, None].astype(np.float32)
        self._fade(grey[:, :reach], (position[None, :] - left) / 2)
        self._fade(grey[:, columns - reach :], (position[::-1][None, :] - right) / 2)
        total = self._product.rows
        row = np.arange(first, first + rows, dtype=np.float32)[:, None]
        if first < reach:
            self._fade(grey, (row - self._top[None, :].astype(np.float32)) / 2)
        if first + rows > total - reach:
            self._fade(grey, (np.float32(total - 1) - row - self._bottom[None, :].astype(np.float32)) / 2)

    def _fade(self, grey: Grey, inside: Grey) -> None:
        """Blend to the background where `inside` falls from 1 to 0."""
        share = np.clip(inside, 0, 1)
        grey -= self._background
        grey *= share
        grey += self._background

    def _port(self, first: int, grey: Grey, x_mm: float, y_mm: float, radius: float) -> None:
        product = self._product
        reach = 1.35 * radius
        x0, x1 = int((x_mm - reach) / product.column_mm), int((x_mm + reach) / product.column_mm)
        y0, y1 = int((y_mm - reach) / product.row_mm), int((y_mm + reach) / product.row_mm)
        rows = _overlap(first, grey.shape[0], y0, y1 - y0)
        x0, x1 = max(x0, 0), min(x1, product.columns)
        if rows is None or x1 <= x0:
            return
        x = (np.arange(x0, x1) * product.column_mm - x_mm).astype(np.float32)
        start = first + rows[0].start
        y = (np.arange(start, first + rows[0].stop) * product.row_mm - y_mm).astype(np.float32)
        away = np.hypot(x[None, :], y[:, None])
        part = grey[rows[0], x0:x1]
        texture_row = np.arange(start, first + rows[0].stop) % _TILE_ROWS
        flat = self._texture[texture_row, x0:x1]
        # The rim is flat, with a broad bead around it; inside, one sees the dark below.
        bead = 18 * np.exp(-np.square((away - 1.12 * radius) / (0.05 * radius)))
        share = np.clip((1.3 * radius - away) / (0.12 * radius), 0, 1)
        part += (flat + bead - part) * share
        part += (self._background - part) * np.clip((radius - away) / (2 * product.column_mm), 0, 1)


class _Camera:
    """EMVA 1288: shot noise by the gain, dark noise, and the columns' own gains and offsets."""

    def __init__(self, rng: np.random.Generator, product: Product, sensor: Sensor, disturbance: Disturbance) -> None:
        self._rng = rng
        self._gain = np.float32(sensor.gain)
        self._floor = np.float32(sensor.dark_noise**2 + disturbance.noise_sigma**2)
        columns = product.columns
        self._column_gain = (1 + sensor.prnu * rng.standard_normal(columns)).astype(np.float32)
        self._column_offset = (sensor.dsnu * rng.standard_normal(columns)).astype(np.float32)
        self._bank = textures.white(_BAND * columns + (1 << 20)) if self._gain or self._floor else None

    def expose(self, grey: Grey, scratch: Grey, into: NDArray[np.uint8]) -> None:
        """Grey levels to 8-bit pixels; `grey` and `scratch` are overwritten."""
        grey *= self._column_gain
        grey += self._column_offset
        if self._bank is None:
            scratch.fill(0)
        else:
            np.maximum(grey, 0, out=scratch)
            scratch *= self._gain
            scratch += self._floor
            cv2.sqrt(scratch, dst=scratch)
            start = int(self._rng.integers(0, self._bank.size - grey.size + 1))
            cv2.multiply(scratch, self._bank[start : start + grey.size].reshape(grey.shape), dst=scratch)
        cv2.add(grey, scratch, dst=into, dtype=cv2.CV_8U)
