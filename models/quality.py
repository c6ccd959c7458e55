"""What a window says of the picture itself: brightness, contrast, saturation, focus and the judged share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from config.schema import Rectangle

BLACK = 8
"""Grey levels up to this one are blacked out: no light came from there."""
CLIPPED = 255
_FINE, _COARSE = 1, 4
_ROUNDING = {_FINE: 0.9, _COARSE: 6 / 12}
"""Energy of a second difference of rounding errors, squared grey levels: (1 + 4 + 1) times their variance, 1/12.

In a smooth picture the errors of neighbours are not independent: up to 0.8 was measured over 1 px on blurred sheets and
photographs (a sigma of 4 px), 1.5 is the least that a sharp one had, so 0.9 is taken off there.
"""
_EVERY = 12
"""Focus looks at each so-many-th row and column of a large window."""


@dataclass(frozen=True, slots=True)
class Quality:
    """Sums over the pixels that a window owns, so that those of several windows add up (no window counts one twice).

    A pixel is judged when it is unmasked, neither clipped nor blacked out, and lies where the picture is in focus.
    """

    unmasked: int = 0
    """Valid pixels outside the recipe's masks."""
    judged: int = 0
    clipped: int = 0
    """Unmasked pixels at full scale."""
    total: float = 0.0
    """Sum of the grey levels of the pixels that are neither clipped nor blacked out."""
    squares: float = 0.0
    """Sum of their squares."""
    lit: int = 0
    """Number of those pixels."""
    fine: float = 0.0
    """Energy of second differences over 1 px, rounding noise removed, summed over a sample of pixels."""
    coarse: float = 0.0
    """The same over 4 px."""


def own_area(
    x: int, y: int, width: int, height: int, columns: int, size: int, stride: int
) -> tuple[int, int, int, int]:
    """The part of a window that it alone counts: x0, y0, x1, y1, half-open, px of the window.

    A window owns what neither the one above nor the one to its left has seen, so the own areas are a partition of the
    plate whatever its length, which is not known while the windows of a plate that still passes are scored.

    Args:
        x: left of the window in plate coordinates.
        y: top.
        width: valid px.
        height: valid rows.
        columns: of the plate; what lies beyond them is nobody's.
        size: side of a window, px.
        stride: px from one window to the next.
    """
    shared = size - stride
    right = min(width, columns - x)
    return min(right, shared) if x > 0 else 0, min(height, shared) if y > 0 else 0, right, height


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


def measure(pixels: NDArray[np.uint8], masked: NDArray[np.bool_] | None, least_focus: float) -> Quality:
    """The qualities of the pixels that a window owns, (h, w) uint8, any strides along the rows.

    Args:
        pixels: the own area alone.
        masked: of the same shape, pixels to leave out; None when there are none.
        least_focus: fine over coarse detail below which the picture is blurred and nothing of it is judged.
    """
    if pixels.size == 0:
        return Quality()
    chosen = None if masked is None else (~masked).view(np.uint8)
    counts = cv2.calcHist([pixels], [0], chosen, [256], [0, 256]).ravel().astype(np.float64)
    grey = np.arange(256, dtype=np.float64)
    lit = counts.copy()
    lit[: BLACK + 1] = 0
    lit[CLIPPED:] = 0
    fine, coarse = _detail(pixels, masked)
    sharp = fine > 0 and fine >= least_focus * coarse
    return Quality(
        unmasked=int(counts.sum()),
        judged=int(lit.sum()) if sharp else 0,
        clipped=int(counts[CLIPPED]),
        total=float(lit @ grey),
        squares=float(lit @ (grey * grey)),
        lit=int(lit.sum()),
        fine=fine,
        coarse=coarse,
    )


def _detail(pixels: NDArray[np.uint8], masked: NDArray[np.bool_] | None) -> tuple[float, float]:
    """Energies of the second differences over 1 and 4 px along both axes, summed over the same sample of pixels.

    White noise gives equal energies; a blur takes the fine one away first. Samples at full scale or blacked out,
    and masked ones, say nothing and are left out; negative sums (less than rounding alone) are zero.
    """
    fine = coarse = 0.0
    for turned in (False, True):
        lines = pixels.T if turned else pixels
        every = max(1, min(_EVERY, lines.shape[0] // 32))
        chosen = None if masked is None else (masked.T if turned else masked)[::every]
        along = _along(np.ascontiguousarray(lines[::every]), chosen)
        fine, coarse = fine + along[0], coarse + along[1]
    return fine, coarse


def _along(sample: NDArray[np.uint8], masked: NDArray[np.bool_] | None) -> tuple[float, float]:
    """The two energies along the rows of a sample of lines."""
    last = sample.shape[1] - _COARSE
    if last <= _COARSE:
        return 0.0, 0.0
    grey = sample.astype(np.int16)
    middle = grey[:, _COARSE:last]
    usable = (middle > BLACK) & (middle < CLIPPED)
    if masked is not None:
        for reach in (-_COARSE, -_FINE, 0, _FINE, _COARSE):
            usable &= ~masked[:, _COARSE + reach : last + reach]
    count = int(np.count_nonzero(usable))
    sums = []
    for reach in (_FINE, _COARSE):
        left, right = grey[:, _COARSE - reach : last - reach], grey[:, _COARSE + reach : last + reach]
        bend = np.multiply(left + right - 2 * middle, usable, dtype=np.float32)
        sums.append(max(0.0, float(np.vdot(bend, bend)) - _ROUNDING[reach] * count))
    return sums[0], sums[1]
