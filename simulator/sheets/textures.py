"""Banks of noise and texture, made once a process and read at random places instead of being made afresh."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.float32]
_SIDE = 1024


@cache
def white(count: int, seed: int = 1) -> Grey:
    """`count` standard normal values in one row."""
    return np.random.default_rng(seed).standard_normal(count, dtype=np.float32)


def noise(rng: np.random.Generator, size: int) -> Grey:
    """Standard normal values, (size, size), from a random place of a bank of a million."""
    bank = white(1 << 20)
    start = int(rng.integers(0, max(1, bank.size - size * size)))
    return np.asarray(np.resize(bank[start : start + size * size], (size, size)), np.float32)


def _unit(tile: Grey) -> Grey:
    tile = tile - tile.mean()
    return np.ascontiguousarray(tile / tile.std(), dtype=np.float32)


def _blurred(noise: Grey, across: float, along: float) -> Grey:
    """Gaussian blur that wraps around, so that the tile has no seam."""
    rows, columns = noise.shape
    fx, fy = np.fft.rfftfreq(columns), np.fft.fftfreq(rows)
    weight = np.exp(-2 * np.pi**2 * ((across * fx[None, :]) ** 2 + (along * fy[:, None]) ** 2))
    return np.fft.irfft2(np.fft.rfft2(noise) * weight, s=noise.shape).astype(np.float32)


def _fractal(noise: Grey, power: float) -> Grey:
    rows, columns = noise.shape
    radius = np.hypot(np.fft.rfftfreq(columns)[None, :], np.fft.fftfreq(rows)[:, None])
    radius[0, 0] = 1.0
    weight = np.maximum(radius, 4 / columns) ** -power
    return np.fft.irfft2(np.fft.rfft2(noise) * weight, s=noise.shape).astype(np.float32)


def _band(noise: Grey, period: float, spread: float) -> Grey:
    """Noise of one wavelength in all directions: whorls as of a fingerprint."""
    rows, columns = noise.shape
    radius = np.hypot(np.fft.rfftfreq(columns)[None, :], np.fft.fftfreq(rows)[:, None])
    weight = np.exp(-(((radius - 1 / period) * period / spread) ** 2))
    return np.fft.irfft2(np.fft.rfft2(noise) * weight, s=noise.shape).astype(np.float32)


@cache
def tiles() -> dict[str, Grey]:
    """Seamless 1024 x 1024 tiles of mean 0 and standard deviation 1, by name.

    Streaks run down the picture, along the travel of the line.
    """
    rng = np.random.default_rng(7)

    def noise() -> Grey:
        return rng.standard_normal((_SIDE, _SIDE), dtype=np.float32)

    rolling = _unit(_blurred(noise(), 0.6, 60)) + _unit(_blurred(noise(), 2.0, 120)) * np.float32(0.7)
    brushed = np.sign(noise()) * np.square(noise())
    made = {
        "grain": _blurred(noise(), 0.7, 0.7),
        "coarse": _blurred(noise(), 2.2, 2.2),
        "blotches": _blurred(noise(), 9.0, 9.0) + np.float32(0.02) * _blurred(noise(), 30.0, 30.0),
        "rolling": rolling,
        "fine lines": _blurred(noise(), 0.5, 14.0),
        "brushed": _blurred(brushed.astype(np.float32), 0.8, 25.0),
        "long": _blurred(noise(), 3.0, 90.0),
        "fractal": _fractal(noise(), 1.0),
        "rough": _fractal(noise(), 0.6),
        "cloud": _fractal(noise(), 1.6),
        "whorls": np.tanh(_unit(_band(noise(), 11.0, 0.12)) * np.float32(1.3)),
        "fine whorls": _band(noise(), 6.0, 0.2),
        "orange peel": _band(noise(), 18.0, 0.6),
    }
    return {name: _unit(tile) for name, tile in made.items()}


def cut(rng: np.random.Generator, name: str, size: int, scale: float = 1.0) -> Grey:
    """A size x size piece of a tile at a random place, `scale` times as coarse, flipped and turned at random."""
    tile = tiles()[name]
    need = min(max(8, round(size / scale)), _SIDE)
    y, x = rng.integers(0, _SIDE - need + 1, 2)
    piece = tile[y : y + need, x : x + need]
    if rng.random() < 0.5:
        piece = piece[:, ::-1]
    if rng.random() < 0.5:
        piece = piece[::-1]
    if need != size:
        piece = cv2.resize(np.ascontiguousarray(piece), (size, size), interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]
    return piece
