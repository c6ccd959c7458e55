"""From heights to grey levels: shading, oil, uneven light, the camera."""

import cv2
import numpy as np

from simulator.strangers.shaded_dies import SLOPE_LIMIT, Die, reflectance
from simulator.strangers.shaded_fields import Field, bands, window


def shade(die: Die, height: Field, shine: Field, grain: Field) -> Field:
    """Light that reaches the camera from each pixel, in no unit, (rows, columns); adds `grain` to `height`."""
    rows = height.shape[0]
    table = reflectance(die.light, rolled_along=die.rolled_along)
    seen = np.empty_like(height)
    depth, gloss = np.float32(0.2 / max(die.depth, 1.0)), np.float32(die.light.gloss)
    for band in bands(rows):
        # Valleys see less of the room than crests do, and a groove of the rolling is a little duller.
        seen[band] = height[band] * depth + grain[band] * np.float32(0.25) + np.float32(0.8)
    height += grain
    for band in bands(rows):
        top, bottom = max(0, band.start - 1), min(rows, band.stop + 1)
        inner = np.s_[band.start - top : band.stop - top]
        p, q = (
            (cv2.Sobel(height[top:bottom], cv2.CV_32F, dx, 1 - dx, ksize=1, scale=50) + 100 * SLOPE_LIMIT)[inner]
            for dx in (1, 0)
        )
        both = cv2.remap(table, p.astype(np.float32, copy=False), q.astype(np.float32, copy=False), cv2.INTER_LINEAR)
        seen[band] *= both[..., 0]
        seen[band] += both[..., 1] * shine[band] * gloss
    return seen


def expose(light: Field, grey: float) -> Field:
    """Grey levels with the middle of the sheet at `grey` and a soft shoulder over 190."""
    middle = float(np.median(light[light.shape[0] // 5 : -light.shape[0] // 5 : 16, ::16]))
    out = light * np.float32(grey / max(middle, 1e-6))
    over = np.nonzero(out > 190)
    out[over] = 190 + 58 * (1 - np.exp((190 - out[over]) / 58))
    return out


def fall_off(rng: np.random.Generator, rows: int, columns: int) -> Field:
    """Uneven light, about 1: weaker towards the ends of the bar, with slow waves along the line."""
    x = np.linspace(-1, 1, columns)
    across = 1 - rng.uniform(0.02, 0.18) * (x - rng.uniform(-0.4, 0.4)) ** 2 + rng.uniform(-0.06, 0.06) * x
    across += 0.015 * np.sin(x * rng.uniform(3, 9) + rng.uniform(0, 6))
    y = np.linspace(0, 1, rows)
    along = 1 + rng.uniform(-0.05, 0.05) * y + 0.01 * np.sin(y * rng.uniform(3, 12) + rng.uniform(0, 6))
    return np.outer(along, across).astype(np.float32)


def oil(rng: np.random.Generator, rows: int, columns: int) -> Field:
    """Thickness of the films and drops of oil, 0 to 1, (rows, columns)."""
    small_rows, small_columns = rows // 8 + 1, columns // 8 + 1
    film = np.zeros((small_rows, small_columns), dtype=np.float32)
    for _ in range(rng.integers(0, 4)):  # smears: soft, large, with ragged edges
        centre = rng.uniform(0.05, 0.95, 2) * (small_columns, small_rows)
        axes = rng.uniform(0.04, 0.19, 2) * min(small_rows, small_columns)
        patch = np.zeros_like(film)
        where = (int(centre[0]), int(centre[1]))
        cv2.ellipse(patch, where, (int(axes[0]), int(axes[1])), float(rng.uniform(0, 180)), 0, 360, 1.0, -1)
        soft = cv2.GaussianBlur(patch, (0, 0), float(rng.uniform(4, 10))) * np.float32(rng.uniform(0.3, 0.9))
        np.maximum(film, soft, out=film)
    ragged: Field = np.zeros_like(film)
    for size, strength in ((2.5, 9.0), (8.0, 28.0)):
        speckle = rng.standard_normal(film.shape, dtype=np.float32) * np.float32(strength)
        ragged += cv2.GaussianBlur(speckle, (0, 0), size).astype(np.float32, copy=False)
    film = np.clip(film * (1 + 0.3 * ragged) * 1.3 - 0.12, 0, 1).astype(np.float32)
    full: Field = cv2.resize(film, (columns, rows), interpolation=cv2.INTER_CUBIC).astype(np.float32, copy=False)
    np.clip(full, 0, 1, out=full)
    for _ in range(rng.integers(0, 14)):  # drops: small, with a firm edge
        x, y = rng.uniform(0, columns), rng.uniform(0, rows)
        radius = float(rng.uniform(6, 34))
        box, xx, yy = window(x, y, radius * 1.6 + 4, rows, columns)
        bearing = np.arctan2(yy, xx)
        lobes = 1 + 0.12 * np.sin(2 * bearing + rng.uniform(0, 6)) + 0.06 * np.sin(3 * bearing + rng.uniform(0, 6))
        inside = 1 / (1 + np.exp(np.clip((np.hypot(xx, yy) - radius * lobes) / 1.6, -30, 30)))
        full[box] = np.maximum(full[box], (inside * rng.uniform(0.5, 1.0)).astype(np.float32))
    return full


def through_oil(image: Field, film: Field) -> None:
    """Darkens the picture under oil, in place; the edge of a film bends light and shows as a thin bright line."""
    for band in bands(len(film)):
        here = film[band]
        if here.any():
            image[band] *= 1 - np.float32(0.38) * here
            image[band] += here * (1 - here) * np.float32(14)


def sense(rng: np.random.Generator, image: Field, *, plain: bool) -> Field:
    """The camera: a little out of focus, shot noise, and gain that jitters from row to row and from pixel to pixel."""
    rows, columns = image.shape
    soft = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.45, 0.9))).astype(np.float32, copy=False)
    strength = 0.35 if plain else float(rng.uniform(0.6, 1.3))
    of_rows = (1 + 0.004 * strength * rng.standard_normal((rows, 1))).astype(np.float32)
    of_pixels = (1 + 0.004 * strength * rng.standard_normal((1, columns))).astype(np.float32)
    for band in bands(rows):
        part = soft[band]
        sigma = np.sqrt(np.float32(0.6) + np.float32(0.035) * np.maximum(part, 0)) * np.float32(strength)
        part *= of_rows[band] * of_pixels
        part += sigma * rng.standard_normal(part.shape, dtype=np.float32)
    return soft
