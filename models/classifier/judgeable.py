"""Whether a picture shows enough for an answer: a network gives a chance for anything, a black one too."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from models.classifier.preprocess import INPUT
from models.detector.quality import BLACK, CLIPPED

LEAST_SIDE = 32
"""px; the widest line that is looked for, 21 px, with some metal on both sides."""
_LEAST_LIT, _DOUBTFUL_LIT = 0.1, 0.5
"""Shares of the pixels that are neither blacked out nor at full scale; photographs of metal have 0.74 or more."""
_LEAST_RANGE, _DOUBTFUL_RANGE = 4, 10
"""Grey levels between the darkest and the brightest thousandth; photographs of metal have 23 or more."""
_MOST_RESIZED = 4.0
"""Times by which a picture may be enlarged or reduced: a line of 7 px is then 28 px or 2 px wide."""


def unjudgeable(pixels: NDArray[np.uint8]) -> str | None:
    """Why a grey picture (h, w) shows nothing that could be judged; None where it does."""
    rows, columns = pixels.shape
    if min(rows, columns) < LEAST_SIDE:
        return f"{columns} x {rows} px are too few to see a crack: the least is {LEAST_SIDE} x {LEAST_SIDE}"
    counts = _counts(pixels)
    lit = _lit(counts)
    if lit < _LEAST_LIT:
        dark = counts[: BLACK + 1].sum() >= counts[CLIPPED:].sum()
        found = f"black (up to {BLACK})" if dark else f"white (at {CLIPPED})"
        return f"nothing to see: {1 - lit:.0%} of it is {found}; check light and exposure"
    low, high = _range(counts)
    if high - low < _LEAST_RANGE:
        return f"nothing to see: all of it is of one grey ({low} to {high}); check light and exposure"
    return None


def doubts(pixels: NDArray[np.uint8]) -> tuple[str, ...]:
    """What speaks against an answer on a grey picture (h, w) that can be judged."""
    rows, columns = pixels.shape
    said = []
    larger, smaller = max(rows, columns) / INPUT, INPUT / min(rows, columns)
    if larger > _MOST_RESIZED:
        said.append(
            f"{columns} x {rows} px are reduced {larger:.1f} times, and thin cracks are lost: cut it, or use "
            "linesentry inspect"
        )
    if smaller > _MOST_RESIZED:
        said.append(f"{columns} x {rows} px are enlarged {smaller:.1f} times: the answer is uncertain")
    counts = _counts(pixels)
    if (lit := _lit(counts)) < _DOUBTFUL_LIT:
        said.append(f"{1 - lit:.0%} of it is black or white, where nothing is seen: check light and exposure")
    low, high = _range(counts)
    if high - low < _DOUBTFUL_RANGE:
        said.append(f"hardly any contrast (grey {low} to {high}): check light and exposure")
    return tuple(said)


def _counts(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    return cv2.calcHist([pixels], [0], None, [256], [0, 256]).ravel().astype(np.float64)


def _lit(counts: NDArray[np.float64]) -> float:
    return float(counts[BLACK + 1 : CLIPPED].sum() / counts.sum())


def _range(counts: NDArray[np.float64]) -> tuple[int, int]:
    """The grey levels that a thousandth of the pixels lies below, and above."""
    shares = np.cumsum(counts) / counts.sum()
    return int(np.searchsorted(shares, 0.001, "right")), int(np.searchsorted(shares, 0.999, "left"))
