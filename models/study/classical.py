"""The classical methods of the paper's introduction: Gaussian template, Gabor, Canny, Otsu.

Each makes a map at half resolution once; a level and a least length turn it into boxes. Bright lines are sought.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.measure.matching import Box

Map = NDArray[np.float32]
Image = NDArray[np.uint8]
SCALE = 2
"""Px of the plate for one of a map: the detector's own resolution."""
_DIRECTIONS = 8
_MOST_COMPONENTS = 20_000
_TILE = 650 // SCALE
_RIM = 56 // SCALE


@dataclass(frozen=True, slots=True)
class Classical:
    """A method: how its map is made, and the levels worth trying."""

    map: Callable[[Image], Map]
    levels: tuple[float, ...]


def halved(image: Image) -> Map:
    """Means of 2 x 2 px, float32 grey levels; an odd last row or column is left out."""
    rows, columns = image.shape[0] // SCALE, image.shape[1] // SCALE
    whole = image[: rows * SCALE, : columns * SCALE]
    small = cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA) if whole.size else whole
    return np.asarray(small, np.float32)


def gaussian(image: Image, sigmas: Sequence[float] = (1.3, 2.6)) -> Map:
    """Highest answer of matched filters with a Gaussian profile, in units of their usual spread.

    Widths of 7 to 21 px are sigmas of about a quarter of that; the sum of a kernel is zero.
    """
    kernels = [_line(sigma, angle) for sigma in sigmas for angle in _angles()]
    return _answers(image, kernels)


def gabor(image: Image, wavelengths: Sequence[float] = (7.0, 14.0)) -> Map:
    """Highest answer of even Gabor filters, in units of their usual spread; half a wave is a line's width."""
    kernels = []
    for wavelength in wavelengths:
        side = int(1.5 * wavelength) | 1
        for angle in _angles():
            kernel = cv2.getGaborKernel((side, side), wavelength / 3, angle, wavelength, 0.5, 0)
            kernel -= kernel.mean()
            kernels.append(np.asarray(kernel / np.linalg.norm(kernel), np.float32))
    return _answers(image, kernels)


def canny(image: Image) -> Map:
    """The gradient at which each pixel is still an edge of Canny's, of a few thresholds; 0 where it is none.

    The lower threshold is 0.4 of the upper one. The two sides of a line are joined by a closing.
    """
    smooth = cv2.GaussianBlur(halved(image), (0, 0), 1.4)
    grey = np.clip(np.rint(smooth), 0, 255).astype(np.uint8)
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))
    highest = np.zeros(grey.shape, np.float32)
    for level in CANNY_LEVELS:
        edges = cv2.Canny(grey, 0.4 * level, level, L2gradient=True)
        joined = cv2.morphologyEx(edges, cv2.MORPH_CLOSE, disk)
        highest[joined > 0] = level
    return _inner(highest)


def otsu(image: Image) -> Map:
    """Grey levels above the background, over the threshold of Otsu of each tile of 650 x 650 px of the plate."""
    grey = halved(image)
    level = np.clip(grey - cv2.blur(grey, (31, 31)), 0, 255).astype(np.uint8)
    ratio = np.zeros(grey.shape, np.float32)
    for y in range(0, grey.shape[0], _TILE):
        for x in range(0, grey.shape[1], _TILE):
            tile = level[y : y + _TILE, x : x + _TILE]
            threshold, _ = cv2.threshold(tile, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
            ratio[y : y + _TILE, x : x + _TILE] = tile / np.float32(max(1.0, threshold + 1))
    return _inner(ratio)


CANNY_LEVELS = (40.0, 60.0, 80.0, 110.0, 150.0, 200.0)
METHODS: dict[str, Classical] = {
    "gaussian": Classical(gaussian, (3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 12.0, 15.0)),
    "gabor": Classical(gabor, (3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 12.0, 15.0)),
    "canny": Classical(canny, CANNY_LEVELS),
    "otsu": Classical(otsu, (1.0, 1.3, 1.6, 2.0)),
}
LENGTHS = (12.0, 24.0, 40.0, 64.0, 100.0)
"""Least long sides of a component that are tried, px of the plate."""


@dataclass(frozen=True, slots=True)
class Components:
    """The connected groups of a map at one level, the longest first; px of the plate."""

    boxes: NDArray[np.int64]
    """(n, 4): x, y, width, height."""
    lengths: NDArray[np.float64]
    """Diagonals of the boxes."""
    best: NDArray[np.float32]
    """Highest value of each."""


def components(found: Map, level: float) -> Components:
    """The groups of at least 4 px of the plate whose pixels all reach `level`; of more than 20,000 the longest.

    Args:
        found: a method's map, at half resolution.
        level: what each pixel of a group must reach.
    """
    candidates = found >= level
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        candidates.view(np.uint8), connectivity=8, ltype=cv2.CV_32S
    )
    best = np.zeros(count, np.float32)
    np.maximum.at(best, np.asarray(labels[candidates], np.int64), found[candidates])
    boxes = stats[1:, :4].astype(np.int64) * SCALE
    lengths = np.hypot(boxes[:, 2], boxes[:, 3])
    order = np.argsort(-lengths, kind="stable")[:_MOST_COMPONENTS]
    return Components(boxes[order], lengths[order], best[1:][order])


def boxes_of(groups: Components, least_length: float) -> list[tuple[Box, float]]:
    """Boxes of the groups that are at least so long, px, with the highest value of each."""
    kept = groups.lengths >= least_length
    return [
        ((int(x), int(y), int(width), int(height)), float(best))
        for (x, y, width, height), best in zip(groups.boxes[kept], groups.best[kept], strict=True)
    ]


def _angles() -> list[float]:
    return [math.pi * index / _DIRECTIONS for index in range(_DIRECTIONS)]


def _line(sigma: float, angle: float, along: float = 6.0) -> Map:
    """A Gaussian profile across, extended along the line; zero sum, norm 1."""
    reach = math.ceil(max(3 * sigma, along))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
    across = x * math.cos(angle) + y * math.sin(angle)
    down = y * math.cos(angle) - x * math.sin(angle)
    inside = (np.abs(across) <= 3 * sigma) & (np.abs(down) <= along)
    kernel = np.where(inside, np.exp(-0.5 * (across / sigma) ** 2), 0.0)
    kernel[inside] -= kernel[inside].mean()
    return np.asarray(kernel / np.linalg.norm(kernel), np.float32)


def _answers(image: Image, kernels: Sequence[Map]) -> Map:
    """Highest answer of all kernels, over its mean size around, so that a restless part asks for more."""
    grey = halved(image)
    best = cv2.filter2D(grey, cv2.CV_32F, kernels[0], borderType=cv2.BORDER_REFLECT)
    for kernel in kernels[1:]:
        cv2.max(best, cv2.filter2D(grey, cv2.CV_32F, kernel, borderType=cv2.BORDER_REFLECT), dst=best)
    around = cv2.blur(np.abs(best), (_TILE // 2, _TILE // 2), borderType=cv2.BORDER_REFLECT)
    # A flat picture answers nothing; rounding alone must not become a line.
    return _inner(np.asarray(best / np.maximum(around, np.float32(0.5)), np.float32))


def _inner(found: Map) -> Map:
    """The map with the rim blanked in which a sheet's own outline lies; else its four sides would each be false."""
    rim = min(_RIM, *(side // 4 for side in found.shape))
    inner = np.zeros_like(found)
    inner[rim : found.shape[0] - rim, rim : found.shape[1] - rim] = found[
        rim : found.shape[0] - rim, rim : found.shape[1] - rim
    ]
    return inner
