"""A rendered sheet shows what its truth says, and the same seed gives the same bytes."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from simulator.sheets.cracks import profile
from simulator.sheets.products import PRODUCTS, Product
from simulator.sheets.reference import Reference, load_reference
from simulator.sheets.sheet import Sheet, render
from simulator.sheets.truth import Crack

SMALL = Product("small", 1500, 1100)
SEED = 11


def changed(**parts: dict[str, Any]) -> Reference:
    """The reference with some fields of its parts replaced."""
    raw = load_reference().model_dump()
    for part, fields in parts.items():
        raw[part] |= fields
    return Reference.model_validate(raw)


@cache
def quiet(step: tuple[float, float] = (1.0, 22.0)) -> Reference:
    """No noise, no texture: what is left is relief and cracks."""
    return changed(
        sensor={"gain": 0, "dark_noise": 0, "dsnu": 0, "prnu": 0},
        surface={"rolling_texture": (0, 0), "grain": (0, 0), "fingerprint_patches": (0, 0), "grey": (120, 120)},
        cracks={"step": step},
    )


@cache
def cracks_alone(step: tuple[float, float] = (1.0, 22.0)) -> tuple[Sheet, NDArray[np.int16]]:
    """A quiet sheet, and what its cracks add to it, grey levels."""
    sheet = render(SMALL, SEED, 12, reference=quiet(step))
    bare = render(SMALL, SEED, 0, reference=quiet(step))
    return sheet, sheet.image.astype(np.int16) - bare.image


def across(added: NDArray[np.int16], crack: Crack) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Distances in px across the sheet and added grey levels, along the normal in the middle of a crack."""
    points = np.array(crack.polyline) * (SMALL.column_mm, SMALL.row_mm)
    middle = len(points) // 2
    along = points[middle + 1] - points[middle - 1]
    normal = np.array([-along[1], along[0]]) / np.hypot(*along)
    distance = np.arange(-30, 30.1, 0.25)
    places = (points[middle] + distance[:, None] * SMALL.column_mm * normal) / (SMALL.column_mm, SMALL.row_mm) - 0.5
    found = cv2.remap(
        added.astype(np.float32), places[:, 0].astype(np.float32), places[:, 1].astype(np.float32), cv2.INTER_LINEAR
    )
    return distance, np.asarray(found, np.float32).ravel()


@pytest.mark.parametrize(
    ("width", "height", "step", "peak"), [(21, 38, 18, 12.17055), (11, 24, 10, 6.23667), (7, 8, 3, 3.90937)]
)
def test_the_profile_is_the_published_closed_form(width: float, height: float, step: float, peak: float) -> None:
    at = np.array([-1e-4, 0.0, peak, width, width + 30], np.float32) - np.float32(width / 2)
    values = profile(at, width, height, step, 3.0)
    np.testing.assert_allclose(values, [0, 0, height, step, 0], atol=0.01)
    nearby = profile(at[2] + np.array([-0.5, 0.5], np.float32), width, height, step, 3.0)
    assert nearby.max() < height


def test_the_same_seed_gives_the_same_bytes_and_another_does_not() -> None:
    first, second = (render(SMALL, SEED, 5, interference=["oil", "noise", "light"]) for _ in range(2))
    assert first.image.tobytes() == second.image.tobytes()
    assert first.truth == second.truth
    np.testing.assert_array_equal(first.truth.mask(), second.truth.mask())
    assert render(SMALL, SEED + 1, 5).image.tobytes() != render(SMALL, SEED, 5).image.tobytes()


def test_cracks_are_as_high_as_their_truth_says() -> None:
    sheet, added = cracks_alone()
    assert len(sheet.truth.cracks) == 12
    for crack in sheet.truth.cracks:
        box = added[crack.y : crack.y + crack.height, crack.x : crack.x + crack.width]
        assert 7 <= crack.height_grey <= 46
        assert box[crack.pixels].max() == pytest.approx(crack.height_grey, abs=1.5)


def test_cracks_are_as_wide_as_their_truth_says_in_every_direction() -> None:
    sheet, added = cracks_alone((1.0, 1.0))
    for crack in sheet.truth.cracks:
        distance, values = across(added, crack)
        # A symmetric parabola stands above an eighth of its height over sqrt(7/8) of its width.
        wide = distance[values > crack.height_grey / 8 + 0.5]
        assert 7 <= crack.width_px <= 21
        assert np.ptp(wide) == pytest.approx(crack.width_px * math.sqrt(7 / 8), abs=1.6)


def test_one_side_of_a_crack_lies_higher_by_the_step() -> None:
    sheet, added = cracks_alone((12.0, 22.0))
    both_hands = {crack.mirrored for crack in sheet.truth.cracks}
    assert both_hands == {True, False}
    for crack in sheet.truth.cracks:
        assert 1 <= crack.step < crack.height_grey
        distance, values = across(added, crack)
        half = crack.width_px / 2
        high, low = -half if crack.mirrored else half, half if crack.mirrored else -half
        assert np.interp(high, distance, values) == pytest.approx(crack.step, abs=0.25 * crack.step + 3)
        assert np.interp(low + math.copysign(1.5, low), distance, values) <= 1.5


def test_boxes_hold_exactly_the_cracks_pixels() -> None:
    sheet, added = cracks_alone()
    mask = sheet.truth.mask()
    for index, crack in enumerate(sheet.truth.cracks):
        ys, xs = np.nonzero(mask == index + 1)
        assert (crack.x, crack.y) == (xs.min(), ys.min())
        assert (crack.x + crack.width, crack.y + crack.height) == (xs.max() + 1, ys.max() + 1)
        # Only inside its width does a crack rise above its step.
        around = added[crack.y - 12 : crack.y + crack.height + 12, crack.x - 12 : crack.x + crack.width + 12]
        own = mask[crack.y - 12 : crack.y + crack.height + 12, crack.x - 12 : crack.x + crack.width + 12] > 0
        assert around[~own].max() <= crack.step + 1
    assert (added[mask > 0] > 0).mean() > 0.75


def test_cracks_keep_their_length_and_their_distance() -> None:
    sheet, _ = cracks_alone()
    mask = sheet.truth.mask()
    for index, crack in enumerate(sheet.truth.cracks):
        points = np.array(crack.polyline) * (SMALL.column_mm, SMALL.row_mm)
        assert np.hypot(*np.diff(points, axis=0).T).sum() == pytest.approx(crack.length_mm, rel=0.03)
        assert 1 <= crack.length_mm <= 12
        away = cv2.distanceTransform((mask != index + 1).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        assert away[(mask > 0) & (mask != index + 1)].min() > 40


def test_clusters_hold_every_crack_once() -> None:
    sheet, _ = cracks_alone()
    members = sorted(index for indices in sheet.truth.clusters.values() for index in indices)
    assert members == list(range(12))


def test_what_oil_hides_is_dark_and_recorded() -> None:
    reference = quiet()
    oil = render(SMALL, SEED, 12, interference=["oil"], strength=6, reference=reference)
    bare = render(SMALL, SEED, 0, interference=["oil"], strength=6, reference=reference)
    plain, _ = cracks_alone()
    added = oil.image.astype(np.int16) - bare.image
    shares = [crack.visible for crack in oil.truth.cracks]
    assert min(shares) < 0.1
    assert max(shares) == 1
    for crack, before in zip(oil.truth.cracks, plain.truth.cracks, strict=True):
        assert crack == before.seen(crack.visible)
        box = added[crack.y : crack.y + crack.height, crack.x : crack.x + crack.width][crack.pixels]
        if crack.visible == 0:
            assert box.max() < 0.55 * crack.height_grey
        elif crack.visible == 1:
            assert box.max() > 0.45 * crack.height_grey


def test_noise_and_light_change_what_they_say() -> None:
    middle = (slice(500, 1000), slice(400, 700))
    plain = render(SMALL, SEED, 0).image[middle].astype(np.float64)
    noisy = render(SMALL, SEED, 0, interference=["noise"], strength=2).image[middle].astype(np.float64)
    assert np.std(noisy - plain) > 10
    assert abs(noisy.mean() - plain.mean()) < 1
    lit = render(SMALL, SEED, 0, interference=["light"]).image[middle].astype(np.float64)
    assert abs(lit.mean() - plain.mean()) > 5


def test_a_sheet_has_dark_surroundings_and_ports_and_a_bright_inside() -> None:
    image = render(SMALL, SEED, 0).image
    assert image[:2].mean() < 30
    assert image[:, -2:].mean() < 30
    assert 60 < image[600:900, 300:800].mean() < 190


def test_progress_reaches_the_last_row() -> None:
    seen: list[tuple[int, int]] = []
    render(SMALL, SEED, 0, on_progress=lambda done, rows: seen.append((done, rows)))
    assert seen == sorted(seen)
    assert seen[-1] == (SMALL.rows, SMALL.rows)


def test_what_cannot_be_rendered_is_refused_with_what_was_found() -> None:
    with pytest.raises(ValueError, match="density is -1"):
        render(SMALL, SEED, -1)
    with pytest.raises(ValueError, match=r"unknown interference \['fog'\]"):
        render(SMALL, SEED, interference=["fog"])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="strength is -1"):
        render(SMALL, SEED, interference=["oil"], strength=-1)
    with pytest.raises(ValueError, match="100 x 1100 px is too small"):
        render(Product("tiny", 100, 1100), SEED)


def test_products_are_the_published_ones() -> None:
    sizes = {name: (product.rows, product.columns) for name, product in PRODUCTS.items()}
    assert sizes == {"P10B": (19214, 9777), "02CG": (19080, 6006), "EA10B": (19118, 8960), "U20B": (3247, 14653)}
    p10b = PRODUCTS["P10B"]
    assert p10b.rows * p10b.row_mm == pytest.approx(1000, rel=0.001)
    assert p10b.columns * p10b.column_mm == pytest.approx(407, rel=0.001)
    assert set(load_reference().test_seeds) == set(PRODUCTS)
