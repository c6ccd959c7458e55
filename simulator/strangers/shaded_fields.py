"""Random fields and the placement of a sheet, on which the shaded family is built."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]


@dataclass(frozen=True)
class Placement:
    """How a sheet lies under the camera: the affine map from the die's plane (u, v) to the picture (x, y), in pixels.

    Attributes:
        forward: (2, 3), die to picture.
        inverse: (2, 3), picture to die.
    """

    forward: NDArray[np.float64]
    inverse: NDArray[np.float64]

    def points(self, die_points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Carries (n, 2) points of the die into the picture."""
        return die_points @ self.forward[:, :2].T + self.forward[:, 2]

    def coordinates(self, rows: int, columns: int) -> tuple[Field, Field]:
        """The die's u and v at each pixel of the picture, each (rows, columns)."""
        x = np.arange(columns, dtype=np.float64)
        y = np.arange(rows, dtype=np.float64)[:, None]
        (a, b, c), (d, e, f) = self.inverse
        u = (a * x + c).astype(np.float32) + (b * y).astype(np.float32)
        v = (d * x + f).astype(np.float32) + (e * y).astype(np.float32)
        return u, v


def place(rng: np.random.Generator, rows: int, columns: int) -> Placement:
    """A shift of up to 20 px, a turn of up to 0.3 degrees about the middle, a stretch of up to 0.5 % on each axis."""
    shift = rng.uniform(-1, 1, 2) * 14.0  # at most 20 px along the diagonal
    turn = math.radians(rng.uniform(-0.3, 0.3))
    stretch = 1.0 + rng.uniform(-0.005, 0.005, 2)
    middle = np.array([columns / 2, rows / 2])
    turned = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]]) * stretch
    forward = np.column_stack([turned, middle + shift - turned @ middle])
    back = np.linalg.inv(turned)
    return Placement(forward, np.column_stack([back, -back @ forward[:, 2]]))


def noise(rng: np.random.Generator, rows: int, columns: int, tall: float, wide: float) -> Field:
    """Smooth noise of about unit variance whose grains are `tall` by `wide` pixels, (rows, columns)."""
    grid = rng.standard_normal((math.ceil(rows / tall) + 4, math.ceil(columns / wide) + 4), dtype=np.float32)
    offset = rng.uniform(0.5, 1.5, 2)
    to_grid = np.array([[1 / wide, 0, offset[0]], [0, 1 / tall, offset[1]]])
    return warp(grid, to_grid, rows, columns) * np.float32(1.5 if min(tall, wide) > 1 else 1.22)


def warp(source: Field, to_source: NDArray[np.float64], rows: int, columns: int) -> Field:
    """Samples `source` where the affine map (2, 3) sends each pixel of a (rows, columns) picture."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(source, to_source, (columns, rows), flags=flags, borderMode=cv2.BORDER_REFLECT_101)
    return warped.astype(np.float32, copy=False)


def die_noise(rng: np.random.Generator, placement: Placement, shape: tuple[int, int], grain: float) -> Field:
    """Smooth noise of about unit variance that lies in the die's plane and so comes back on each of its sheets."""
    rows, columns = shape
    margin = 60.0
    grid_rows, grid_columns = (math.ceil((side + 2 * margin) / grain) + 2 for side in shape)
    grid = rng.standard_normal((grid_rows, grid_columns), dtype=np.float32)
    grid = cv2.resize(grid, (grid_columns * 4, grid_rows * 4), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    to_grid = placement.inverse * (4 / grain)
    to_grid[:, 2] += margin * 4 / grain
    return warp(grid, to_grid, rows, columns) * np.float32(1.3)


def bands(rows: int) -> list[slice]:
    """The rows in bands so narrow that what is computed on one stays in the processor's cache."""
    return [np.s_[top : min(rows, top + 128)] for top in range(0, rows, 128)]


def ramp(values: Field, start: float, width: float) -> Field:
    """A smooth step from 0 at `start` to 1 at `start + width`."""
    t = np.clip((values - np.float32(start)) / np.float32(width), 0, 1)
    step: Field = t * t * t * (t * (6 * t - 15) + 10)
    return step


def window(
    x: float, y: float, reach: float, rows: int, columns: int
) -> tuple[tuple[slice, slice], NDArray[np.float32], NDArray[np.float32]]:
    """The square of `reach` round a point, cut to the picture, and its pixels' x and y from that point."""
    top, left = max(0, int(y - reach)), max(0, int(x - reach))
    bottom, right = max(top, min(rows, int(y + reach) + 1)), max(left, min(columns, int(x + reach) + 1))
    yy, xx = np.mgrid[top:bottom, left:right].astype(np.float32)
    return np.s_[top:bottom, left:right], xx - np.float32(x), yy - np.float32(y)
