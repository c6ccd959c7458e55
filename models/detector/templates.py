"""The adaptive template: a zero-mean parabola F(W, H, dH) across a line, extended along it (FACTS.md 1; M 41-71)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from config.schema import Pitch, Template


@dataclass(frozen=True, slots=True)
class Parabola:
    """f(x) = k1 x^2 + k2 x + k3 on [0, width]: integral zero, f(peak) - f(0) = H, f(width) - f(0) = dH."""

    width: float
    k1: float
    k2: float
    k3: float
    peak: float
    """Where f is highest, px from the start."""

    def __call__(self, x: NDArray[np.floating]) -> NDArray[np.float64]:
        """The values at x, float64, grey levels."""
        return np.asarray((self.k1 * x + self.k2) * x + self.k3, np.float64)


def parabola(width: float, height: float, step: float) -> Parabola:
    """The closed form of F(W, H, dH), starting at its lower end (FACTS.md 1; M 48-60, Eq. 1-7).

    The other hand, which starts at its higher end, is its mirror image: see `profile`.

    Args:
        width: W, px or any unit of length, more than 0.
        height: H, grey levels, more than 0.
        step: dH, grey levels, at least 0 and less than the height.

    Raises:
        ValueError: the three values describe no line.
    """
    finite = math.isfinite(width) and math.isfinite(height)
    if not (finite and width > 0 and height > 0 and 0 <= step < height):
        raise ValueError(
            f"a template needs width > 0, height > 0 and 0 <= step < height; found width {width}, "
            f"height {height}, step {step}"
        )
    p = 1 + math.sqrt(1 - step / height)
    return Parabola(width, -height * p**2 / width**2, 2 * height * p / width, -height * p * (3 - p) / 3, width / p)


def profile(width: float, height: float, step: float, *, mirrored: bool = False) -> NDArray[np.float64]:
    """The template across its line: float64 of shape (ceil(width) made odd,), zero mean, Euclidean norm 1.

    Sampled at the midpoints of pixels, the line's middle on the middle pixel; pixels outside the line are zero, a
    pixel that the line's end cuts counts with the share that it covers. Sampled sums are not zero (midpoints of a whole
    width leave -k1 W / 12), so the mean over the line is taken off before the norm is (FACTS.md 1).

    Raises:
        ValueError: the values describe no line, or one that a single pixel holds, which leaves nothing to sample.
    """
    line = parabola(width, height, step)
    if width <= 1:
        raise ValueError(f"a line of {width:g} px of the network is no wider than a pixel: take a wider template")
    side = math.ceil(width) | 1
    x = np.arange(side) + 0.5 - (side - width) / 2
    cover = np.clip(np.minimum(x + 0.5, width - x + 0.5), 0.0, 1.0)
    values = line(np.clip(x, 0.0, width))
    values = cover * (values - np.average(values, weights=cover))
    values /= np.linalg.norm(values)
    return np.asarray(values[::-1] if mirrored else values, np.float64).copy()


@dataclass(frozen=True, slots=True)
class Oriented:
    """A template of the bank, extended along the line."""

    template: Template
    angle: float
    """Direction of the profile, degrees from the rows (x) towards the travel (y): 0 finds lines along the travel."""
    mirrored: bool


def bank(
    templates: Sequence[Template],
    *,
    scale: float = 1.0,
    pitch: Pitch | None = None,
    angles: Sequence[float] = (0.0, 90.0),
    along: int = 11,
) -> tuple[list[Oriented], list[NDArray[np.float64]]]:
    """All templates in both hands and all orientations, each a square-free kernel (rows, columns), norm 1, zero mean.

    Args:
        templates: widths in px across the sheet (along x); another orientation has the same length in mm, so its
            width in px follows from the pitch normal to it (FACTS.md 3).
        scale: pixels of the network for one of the plate, 0.5 at half resolution.
        pitch: the plate's pitches; None for square pixels.
        angles: orientations of the profile, degrees.
        along: extent along the line, px of the network.

    Returns:
        What each kernel is, and the kernels, in the same order.
    """
    names, kernels = [], []
    for angle in angles:
        for template in templates:
            width = template.width * _pixels(angle, pitch) * scale
            for mirrored in (False, True):
                across = profile(width, template.height, template.step, mirrored=mirrored)
                names.append(Oriented(template, angle, mirrored))
                kernels.append(_extended(across, angle, along))
    return names, kernels


def _pixels(angle: float, pitch: Pitch | None) -> float:
    """Px along a direction for one px across the sheet, of the same length in mm."""
    if pitch is None:
        return 1.0
    ratio = pitch.column_mm / pitch.row_mm
    return math.hypot(math.cos(math.radians(angle)), math.sin(math.radians(angle)) * ratio)


def _extended(across: NDArray[np.float64], angle: float, along: int) -> NDArray[np.float64]:
    """The profile repeated along its line in a kernel of that orientation; the mean over the line is zero again."""
    if angle % 180 == 0:
        kernel = np.tile(across, (along, 1))
    elif angle % 180 == 90:
        kernel = np.tile(across[:, None], (1, along))
    else:
        c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        reach = max(len(across), along) // 2
        y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float64)
        u, v = c * x + s * y, c * y - s * x
        inside = (np.abs(u) <= len(across) / 2) & (np.abs(v) <= along / 2)
        kernel = np.interp(u, np.arange(len(across)) - len(across) // 2, across) * inside
        kernel[inside] -= kernel[inside].mean()
    return np.asarray(kernel / np.linalg.norm(kernel), dtype=np.float64)
