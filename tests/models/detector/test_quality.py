from __future__ import annotations

from dataclasses import astuple

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from config.schema import Rectangle
from models.detector.findings import COLUMN_STEPS, Quality
from models.detector.quality import inside, measure


def surface(rows: int = 300, columns: int = 300, noise: float = 1.5) -> NDArray[np.uint8]:
    rng = np.random.default_rng(4)
    wave = 110 + 30 * np.sin(np.arange(columns) / 25)[None] + rng.normal(0, noise, (rows, columns))
    return np.clip(np.rint(wave), 0, 255).astype(np.uint8)


def test_sharp_noisy_surface_is_judged_whole() -> None:
    quality = measure(surface(), None)
    assert quality.judged == quality.unmasked == 90_000
    assert quality.focus > 0.08
    assert quality.total / quality.lit == pytest.approx(110, abs=2)


@pytest.mark.parametrize("sigma", [4, 8])
@pytest.mark.parametrize("noise", [1.5, 12])
def test_blurred_surface_is_not_judged_although_rounding_adds_detail(sigma: float, noise: float) -> None:
    blurred = np.asarray(cv2.GaussianBlur(surface(noise=noise), (0, 0), sigma), np.uint8)
    quality = measure(blurred, None)
    assert quality.judged == 0
    assert quality.focus < 0.08


def textured(seed: int) -> NDArray[np.float32]:
    """Ridges with a grain of a few px, as rolled metal has."""
    rng = np.random.default_rng(seed)
    grain = cv2.GaussianBlur(rng.normal(0, 6, (2000, 2000)).astype(np.float32), (0, 0), 1.2)
    return np.asarray(120 + 25 * np.sin(np.arange(2000) / 12)[None] + grain, np.float32)


@pytest.mark.parametrize("sigma", [4, 8])
@pytest.mark.parametrize("noise", [1, 3])
def test_defocus_is_seen_through_the_noise_that_the_sensor_adds_after_it(sigma: float, noise: float) -> None:
    for seed, blurred in ((1, False), (1, True)):
        seen = cv2.GaussianBlur(textured(seed), (0, 0), sigma) if blurred else textured(seed)
        seen = seen + np.random.default_rng(2).normal(0, noise, seen.shape)
        quality = measure(np.asarray(np.clip(np.rint(seen), 0, 255), np.uint8), None)
        assert (quality.focus < 0.08) == blurred


@pytest.mark.parametrize("grey", [0, 5, 255, 128])
def test_black_white_and_flat_pictures_are_not_judged(grey: int) -> None:
    quality = measure(np.full((200, 150), grey, np.uint8), None)
    assert (quality.unmasked, quality.judged) == (30_000, 0)
    assert quality.clipped == (30_000 if grey == 255 else 0)


def test_masked_pixels_count_nowhere() -> None:
    image = surface()
    dirty = image.copy()
    dirty[50:150, 40:90] = 255
    masked = inside([Rectangle(x=140, y=1050, width=50, height=100)], 100, 1000, 300, 300)
    assert masked is not None
    quality = measure(dirty, masked)
    assert quality.unmasked == 90_000 - 5_000
    assert quality.clipped == 0
    same = measure(image, masked)
    assert astuple(quality)[:-1] == pytest.approx(astuple(same)[:-1], rel=0.02)
    assert quality.columns == same.columns


def test_the_mean_of_each_column_is_told_where_it_is_lit() -> None:
    image = surface()
    image[:, 30:33] = 0
    image[:100, 60] = 255
    means = np.frombuffer(measure(image, None).columns, "<u2") / COLUMN_STEPS
    known = np.ones(300, np.bool_)
    known[[30, 31, 32, 60]] = False
    assert np.array_equal(means > 0, known)
    assert np.abs(means - image.mean(axis=0))[known].max() < 1.5


def test_a_window_of_few_rows_tells_no_means() -> None:
    assert measure(surface(rows=20), None).columns == b""


def test_mask_elsewhere_is_no_mask() -> None:
    assert inside([Rectangle(x=0, y=0, width=100, height=5000)], 100, 0, 650, 650) is None


def test_parts_of_a_picture_add_up_to_the_whole() -> None:
    image = surface()
    parts = [measure(image[y : y + 100, x : x + 150], None) for y in (0, 100, 200) for x in (0, 150)]
    whole = measure(image, None)
    for name in ("unmasked", "judged", "clipped", "total", "squares", "lit"):
        assert sum(getattr(part, name) for part in parts) == getattr(whole, name)


def test_view_of_a_larger_picture_is_read_in_place() -> None:
    plate = surface(700, 900)
    assert measure(plate[100:400, 200:500], None) == measure(plate[100:400, 200:500].copy(), None)


@pytest.mark.parametrize("shape", [(0, 50), (1, 1), (5, 700), (700, 5), (9, 9)])
def test_tiny_areas_have_a_quality(shape: tuple[int, int]) -> None:
    quality = measure(np.full(shape, 100, np.uint8), None)
    assert quality.unmasked == shape[0] * shape[1]
    assert quality == Quality() or quality.lit == quality.unmasked
