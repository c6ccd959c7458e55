from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest

from simulator.crops import cut as crops
from simulator.crops import other_formulas as otherwise
from simulator.crops.cut import SheetCrops, scratch_on_metal, training_crop
from simulator.crops.labelled import LabelledCrop
from simulator.sheets.products import PRODUCTS, Product
from simulator.sheets.reference import load_reference
from simulator.sheets.relief import press
from simulator.sheets.sheet import Sheet, render


@pytest.mark.parametrize("source", [otherwise.training_window, SheetCrops(), training_crop])
def test_crops_have_their_size_and_judge_no_pixel_twice(
    source: Callable[[np.random.Generator, int], LabelledCrop],
) -> None:
    rng = np.random.default_rng(2)
    cracked = 0
    for _ in range(25):
        image, mask, ignore = source(rng, 160)
        assert image.shape == mask.shape == ignore.shape == (160, 160)
        assert [part.dtype.name for part in (image, mask, ignore)] == ["uint8", "bool", "bool"]
        assert not (mask & ignore).any()
        cracked += bool(mask.any())
    assert 5 <= cracked <= 24


def test_sheets_to_train_on_are_of_training_products_and_no_test_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    sheet = render(replace(PRODUCTS["U20B"], rows=600), 1, 3)
    asked: list[tuple[str, int]] = []

    def watched(product: Product, seed: int, *_: object, **__: object) -> Sheet:
        asked.append((product.name, seed))
        return sheet

    monkeypatch.setattr(crops, "render", watched)
    monkeypatch.setattr(crops, "_CROPS_A_SHEET", 1)
    source = SheetCrops()
    rng = np.random.default_rng(0)
    for _ in range(200):
        source(rng, 160)
    assert {name for name, _ in asked} == {"P10B", "U20B"}
    kept = {seed for seeds in load_reference().test_seeds.values() for seed in seeds}
    assert len({seed for _, seed in asked}) == 200
    assert min(seed for _, seed in asked) > 100 * max(kept)


def test_same_seed_draws_the_same_crop() -> None:
    first, second = (otherwise.training_window(np.random.default_rng(9), 200) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_marked_pixels_are_brighter_than_their_surroundings() -> None:
    rng = np.random.default_rng(4)
    differences = []
    for _ in range(60):
        image, mask, ignore = otherwise.training_window(rng, 200)
        near = ignore & ~mask
        if mask.sum() > 200 and near.any():
            differences.append(float(image[mask].mean()) - float(np.median(image[near])))
    assert np.median(differences) > 5


def test_a_scratch_is_painted_thin_bright_and_where_it_says() -> None:
    rng = np.random.default_rng(6)
    longest = 0
    for _ in range(40):
        picture = np.full((224, 224), 90, np.float32)
        mask = scratch_on_metal(rng, picture)
        assert 0 < mask.sum() < 0.1 * mask.size
        assert float(picture[mask].mean()) > 92
        assert np.allclose(picture[cv2.dilate(mask.view(np.uint8), np.ones((15, 15), np.uint8)) == 0], 90)
        rows, columns = np.nonzero(mask)
        longest = max(longest, int(np.ptp(rows)), int(np.ptp(columns)))
    assert longest > 150


@pytest.mark.parametrize("name", PRODUCTS)
def test_ridges_of_a_stretch_fold_along_the_long_side_of_the_whole_product(name: str) -> None:
    whole = PRODUCTS[name]
    stretch = replace(whole, rows=min(1200, whole.rows))
    zone = press(np.random.default_rng(0), stretch, load_reference().surface, 24).zones[0]
    folded, straight = (zone.column_phase, zone.row_phase)[:: 1 if whole.rows > whole.columns else -1]
    assert len(set(np.sign(np.diff(folded)))) >= 2
    assert len(set(np.sign(np.diff(straight)))) == 1


def test_a_stretch_may_show_the_zones_at_the_ends_of_a_sheet() -> None:
    stretch = replace(PRODUCTS["P10B"], rows=1200, end_share=0.25)
    zones = press(np.random.default_rng(0), stretch, load_reference().surface, 24).zones
    assert [(zone.first, zone.last) for zone in zones] == [(0, 300), (300, 900), (900, 1200)]
    end, middle, _ = (float(np.abs(np.diff(zone.row_phase)).mean()) for zone in zones)
    assert end > 1.1 * middle  # narrower ridges
    ends_alone = replace(stretch, end_share=0.5)
    assert len(press(np.random.default_rng(0), ends_alone, load_reference().surface, 24).zones) == 2
