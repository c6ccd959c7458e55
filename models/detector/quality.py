"""What a window says of the picture itself: brightness, contrast, saturation, focus and the judged share."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from config.schema import Rectangle
from models.detector.findings import COLUMN_STEPS, Quality

BLACK = 8
"""Grey levels up to this one are blacked out: no light came from there."""
CLIPPED = 255
_REACHES = _GRAIN, _FINE, _NEAR, _COARSE = 1, 3, 4, 8
"""Px over which second differences are taken."""
_ROUNDING = 6 / 12
"""Energy of a second difference of rounding errors, squared grey levels: (1 + 4 + 1) times their variance, 1/12."""
_GRAIN_ROUNDING = 0.9
"""The same over 1 px, where the errors of neighbours are not independent in a smooth picture: up to 0.8 was measured on
blurred sheets and photographs (a sigma of 4 px), and 1.5 is the least that a sharp one had."""
_BLURRED = 0.02
"""Energy over 1 px to that over 4 px below which a picture without fresh noise is blurred."""
_NOISE_SPREAD = 2.8
"""Standard deviation of the difference of two mean energies of white noise, as a share of either, for one sample."""
_EVERY = 12
"""Focus looks at each so-many-th row and column of a large window."""
_LIT_LINES = 0.9
"""Share of a column's sampled pixels that must be lit for its mean to be told."""
_LEAST_LINES = 32
"""Sampled rows of which the means of columns say something."""


def inside(masks: Sequence[Rectangle], x: int, y: int, width: int, height: int) -> NDArray[np.bool_] | None:
    """Which pixels of the view at (x, y) lie in a mask, (height, width); None when none does."""
    masked: NDArray[np.bool_] | None = None
    for mask in masks:
        left, top = max(0, mask.x - x), max(0, mask.y - y)
        right, bottom = min(width, mask.x + mask.width - x), min(height, mask.y + mask.height - y)
        if left < right and top < bottom:
            if masked is None:
                masked = np.zeros((height, width), np.bool_)
            masked[top:bottom, left:right] = True
    return masked


def measure(pixels: NDArray[np.uint8], masked: NDArray[np.bool_] | None) -> Quality:
    """The qualities of the pixels that a window owns, (h, w) uint8, any strides along the rows.

    Args:
        pixels: the own area alone.
        masked: of the same shape, pixels to leave out; None when there are none.
    """
    if pixels.size == 0:
        return Quality()
    chosen = None if masked is None else (~masked).view(np.uint8)
    counts = cv2.calcHist([pixels], [0], chosen, [256], [0, 256]).ravel().astype(np.float64)
    grey = np.arange(256, dtype=np.float64)
    lit = counts.copy()
    lit[: BLACK + 1] = 0
    lit[CLIPPED:] = 0
    every = _every(pixels.shape[0])
    rows = np.ascontiguousarray(pixels[::every])
    hidden = None if masked is None else masked[::every]
    energies, samples = _detail(pixels, masked, rows, hidden)
    grain = max(0.0, energies[_GRAIN] - _GRAIN_ROUNDING * samples)
    sharp = grain > 0 and grain >= _BLURRED * (energies[_NEAR] - _ROUNDING * samples)
    return Quality(
        unmasked=int(counts.sum()),
        judged=int(lit.sum()) if sharp else 0,
        clipped=int(counts[CLIPPED]),
        total=float(lit @ grey),
        squares=float(lit @ (grey * grey)),
        lit=int(lit.sum()),
        fine=energies[_FINE] - energies[_GRAIN],
        coarse=energies[_COARSE] - energies[_GRAIN],
        doubt=(_NOISE_SPREAD * energies[_GRAIN]) ** 2 / samples if samples else 0.0,
        columns=_columns(rows, hidden),
    )


def _every(lines: int) -> int:
    return max(1, min(_EVERY, lines // 32))


def _columns(rows: NDArray[np.uint8], masked: NDArray[np.bool_] | None) -> bytes:
    """The mean of each column of a sample of rows, as Quality.columns has it; nothing where there are few rows."""
    if len(rows) < _LEAST_LINES:
        return b""
    lit = cv2.inRange(rows, BLACK + 1, CLIPPED - 1)
    if masked is not None:
        lit[masked] = 0
    shown = cv2.bitwise_and(rows, lit)
    totals, lights = (cv2.reduce(one, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32F).ravel() for one in (shown, lit))
    counts = lights / 255
    means = COLUMN_STEPS * totals / np.maximum(counts, 1)
    return np.where(counts >= _LIT_LINES * len(rows), means + 0.5, 0).astype("<u2").tobytes()


def _detail(
    pixels: NDArray[np.uint8],
    masked: NDArray[np.bool_] | None,
    rows: NDArray[np.uint8],
    hidden: NDArray[np.bool_] | None,
) -> tuple[dict[int, float], int]:
    """Energies of the second differences over some px along both axes, summed over one sample of pixels; its size.

    White noise gives equal energies; a blur takes the fine ones away first. Samples at full scale or blacked out,
    and masked ones, say nothing and are left out. `rows` is the sample of rows, `hidden` what of it is masked.
    """
    energies = dict.fromkeys(_REACHES, 0.0)
    samples = _along(rows, hidden, energies)
    every = _every(pixels.shape[1])
    chosen = None if masked is None else masked.T[::every]
    samples += _along(np.ascontiguousarray(pixels.T[::every]), chosen, energies)
    return energies, samples


def _along(sample: NDArray[np.uint8], masked: NDArray[np.bool_] | None, energies: dict[int, float]) -> int:
    """Add the energies along the rows of a sample of lines; how many pixels were used."""
    most = max(_REACHES)
    last = sample.shape[1] - most
    if last <= most:
        return 0
    grey = sample.astype(np.int16)
    middle = grey[:, most:last]
    usable = (middle > BLACK) & (middle < CLIPPED)
    if masked is not None:
        for reach in (0, *_REACHES):
            usable &= ~(masked[:, most - reach : last - reach] | masked[:, most + reach : last + reach])
    for reach in _REACHES:
        left, right = grey[:, most - reach : last - reach], grey[:, most + reach : last + reach]
        bend = np.multiply(left + right - 2 * middle, usable, dtype=np.float32)
        energies[reach] += float(np.vdot(bend, bend))
    return int(np.count_nonzero(usable))
