"""The size of a pixel from a target of dots, drawn with a known scale."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from models.optics.scale import ScaleError, measure_scale

ROW, COLUMN = 0.052, 0.0416


def target(
    *, angle: float = 0.0, skew: float = 0.0, across: float = 5.0, along: float = 5.0, dots: tuple[int, int] = (9, 7)
) -> NDArray[np.uint8]:
    """Dark dots of 2 mm on white, as a line-scan camera with those pitches sees them."""
    turned, tilted = math.radians(angle), math.radians(angle + skew)
    width, height = round((dots[0] + 1) * across / COLUMN), round((dots[1] + 1) * along / ROW)
    ys, xs = np.mgrid[0:height, 0:width].astype(np.float64)
    x_mm, y_mm = (xs - width / 2) * COLUMN, (ys - height / 2) * ROW
    # The inverse of x = cos u - sin v, y = sin u + cos v, with an angle of its own for each.
    determinant = math.cos(turned) * math.cos(tilted) + math.sin(turned) * math.sin(tilted)
    u = (math.cos(tilted) * x_mm + math.sin(turned) * y_mm) / determinant + across * (dots[0] - 1) / 2
    v = (math.cos(turned) * y_mm - math.sin(tilted) * x_mm) / determinant + along * (dots[1] - 1) / 2
    column, row = np.clip(np.rint(u / across), 0, dots[0] - 1), np.clip(np.rint(v / along), 0, dots[1] - 1)
    away = np.hypot(u - column * across, v - row * along)
    grey = 40 + 160 / (1 + np.exp((1.0 - away) / 0.02))
    noise = np.random.default_rng(2).normal(0, 2, grey.shape)
    return np.asarray(np.clip(np.rint(grey + noise), 0, 255), np.uint8)


@pytest.mark.parametrize("image", [target(), 255 - target()], ids=["dark dots", "bright dots"])
def test_both_pitches_are_found_from_dark_and_from_bright_dots(image: NDArray[np.uint8]) -> None:
    found = measure_scale(image, 5.0, 5.0)
    assert found.row_mm == pytest.approx(ROW, rel=2e-4)
    assert found.column_mm == pytest.approx(COLUMN, rel=2e-4)
    assert abs(found.row_mm - ROW) < 5 * found.row_error_mm + 1e-6
    assert found.dots == 63
    assert abs(found.angle) < 0.02
    assert found.worst_mm < 0.02


def test_a_target_that_lies_turned_gives_the_same_pitches_and_its_angle() -> None:
    found = measure_scale(target(angle=2.0), 5.0, 5.0)
    assert found.row_mm == pytest.approx(ROW, rel=3e-4)
    assert found.column_mm == pytest.approx(COLUMN, rel=3e-4)
    assert found.angle == pytest.approx(2.0, abs=0.05)
    assert abs(found.skew) < 0.05


def test_a_camera_that_is_not_square_to_the_travel_is_told() -> None:
    assert measure_scale(target(skew=0.5), 5.0, 5.0).skew == pytest.approx(0.5, abs=0.05)


def test_distances_may_differ_in_the_two_directions() -> None:
    found = measure_scale(target(across=4.0, along=6.0), 4.0, 6.0)
    assert found.row_mm == pytest.approx(ROW, rel=3e-4)
    assert found.column_mm == pytest.approx(COLUMN, rel=3e-4)


def test_a_dot_that_is_missing_and_a_mark_beside_change_nothing() -> None:
    image = target()
    middle = (image.shape[1] // 2, image.shape[0] // 2)
    cv2.circle(image, middle, 60, 200, -1)
    cv2.rectangle(image, (10, 10), (40, 14), 40, -1)
    found = measure_scale(image, 5.0, 5.0)
    assert found.dots == 62
    assert found.row_mm == pytest.approx(ROW, rel=3e-4)


def test_a_belt_that_goes_unevenly_is_no_even_grid() -> None:
    image = target(dots=(9, 9))
    rows = np.arange(image.shape[0])
    uneven = np.clip(rows + 14 * np.sin(rows / 150), 0, len(rows) - 1).astype(int)
    with pytest.raises(ScaleError, match=r"no even grid: the one at x .* move it evenly"):
        measure_scale(image[uneven], 5.0, 5.0)


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (np.full((300, 300), 120, np.uint8), "no dots are to be seen"),
        (np.random.default_rng(1).integers(0, 256, (300, 300), dtype=np.uint8), "dots"),
        (target(dots=(3, 3)), "9 dots were found, least is 16"),
        (target(dots=(8, 3)), "a grid of 8 x 3 dots was found"),
    ],
    ids=["nothing", "noise", "few", "flat"],
)
def test_what_is_no_target_is_refused_with_what_was_found(image: NDArray[np.uint8], said: str) -> None:
    with pytest.raises(ScaleError, match=said):
        measure_scale(image, 5.0, 5.0)
