"""Disturbances of the robustness study (M 153-157): oil, Gaussian noise, changed light; each by a strength."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from simulator.sheets import reference, textures
from simulator.sheets.cracks import Grey
from simulator.sheets.truth import Crack

Kind = Literal["oil", "noise", "light"]
_COARSE = 8


@dataclass(frozen=True, slots=True)
class OilBlock:
    """A dark patch with its top left at (x, y), px."""

    x: int
    y: int
    width: int
    height: int
    grey: float
    opacity: float
    outline: Grey
    """Coarse field, positive inside."""

    def cover(self) -> Grey:
        """Share of the light it takes at each pixel, (height, width) in [0, opacity]."""
        field = cv2.resize(self.outline, (self.width, self.height), interpolation=cv2.INTER_CUBIC)
        return np.asarray(
            np.clip(field * np.float32(12) + np.float32(0.5), 0, 1) * np.float32(self.opacity), np.float32
        )


@dataclass(frozen=True, slots=True)
class Disturbance:
    """All that disturbs one sheet."""

    oil: tuple[OilBlock, ...] = ()
    noise_sigma: float = 0.0
    contrast: float = 1.0
    brightness: float = 0.0
    column_light: Grey | None = None
    row_light: Grey | None = None

    def visible_share(self, crack: Crack) -> float:
        """Share of a crack's pixels that are not under oil."""
        hidden = np.zeros_like(crack.pixels)
        for block in self.oil:
            x0, x1 = max(crack.x, block.x), min(crack.x + crack.width, block.x + block.width)
            y0, y1 = max(crack.y, block.y), min(crack.y + crack.height, block.y + block.height)
            if x1 <= x0 or y1 <= y0:
                continue
            cover = block.cover()[y0 - block.y : y1 - block.y, x0 - block.x : x1 - block.x]
            hidden[y0 - crack.y : y1 - crack.y, x0 - crack.x : x1 - crack.x] |= cover > 0.5
        return 1.0 - float((hidden & crack.pixels).sum()) / float(crack.pixels.sum())


def disturb(
    rng: np.random.Generator,
    shape: tuple[int, int],
    kinds: Iterable[Kind],
    strength: float,
    ranges: reference.Interference,
) -> Disturbance:
    """Draw the disturbance of a sheet of `shape` (rows, columns).

    Raises ValueError for an unknown kind or a negative strength.
    """
    wanted = set(kinds)
    unknown = wanted - set(get_args(Kind))
    if unknown:
        raise ValueError(f"unknown interference {sorted(unknown)}: choose from {', '.join(get_args(Kind))}")
    if strength < 0:
        raise ValueError(f"interference strength is {strength}: give 0 or more")
    # One stream for each kind: what oil does to a sheet does not depend on what else is asked for.
    oil_rng, light_rng = rng.spawn(2)
    oil = _oil(oil_rng, shape, strength, ranges.oil) if "oil" in wanted else ()
    sigma = ranges.noise.sigma * strength if "noise" in wanted else 0.0
    if "light" not in wanted:
        return Disturbance(oil, sigma)
    light = ranges.light
    contrast = max(0.05, 1 + light_rng.choice([-1, 1]) * light_rng.uniform(0.5, 1) * light.contrast * strength)
    brightness = light_rng.choice([-1, 1]) * light_rng.uniform(0.5, 1) * light.brightness * strength
    column, row = (_fall_off(light_rng, length, light.unevenness * strength) for length in (shape[1], shape[0]))
    return Disturbance(oil, sigma, float(contrast), float(brightness), column, row)


def _fall_off(rng: np.random.Generator, length: int, share: float) -> Grey:
    position = np.linspace(0, 1, length)
    wave = np.cos(math.pi * rng.uniform(0.7, 2.0) * position + rng.uniform(0, 2 * math.pi))
    return np.asarray(1 - min(share, 0.9) / 2 * (1 + wave), np.float32)


def _oil(
    rng: np.random.Generator, shape: tuple[int, int], strength: float, ranges: reference.Oil
) -> tuple[OilBlock, ...]:
    rows, columns = shape
    most = min(ranges.size[1], 0.5 * min(shape))
    least = min(ranges.size[0], most)
    left, blocks = ranges.area_share * strength * rows * columns, []
    while left > 0:
        width, height = (int(side) for side in rng.uniform(least, most, 2))
        blocks.append(
            OilBlock(
                int(rng.integers(0, columns - width + 1)),
                int(rng.integers(0, rows - height + 1)),
                width,
                height,
                rng.uniform(*ranges.grey),
                rng.uniform(*ranges.opacity),
                _outline(rng, width, height),
            )
        )
        left -= 0.75 * width * height
    return tuple(blocks)


def _outline(rng: np.random.Generator, width: int, height: int) -> NDArray[np.float32]:
    """A block with wavering sides."""
    columns, rows = max(4, width // _COARSE), max(4, height // _COARSE)
    x = 1 - np.abs(np.linspace(-1, 1, columns))
    y = 1 - np.abs(np.linspace(-1, 1, rows))
    inset = np.minimum(x[None, :] * columns, y[:, None] * rows) / 2
    wobble = textures.cut(rng, "blotches", max(rows, columns))[:rows, :columns]
    field = np.minimum(inset - 2.0 + 0.8 * wobble, 4.0)
    field[[0, -1]] = -1
    field[:, [0, -1]] = -1
    return np.asarray(field, np.float32)
