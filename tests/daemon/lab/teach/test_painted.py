"""Good sheets with cracks painted on them."""

from __future__ import annotations

import numpy as np
import pytest

from config.schema import Recipe, Rectangle
from daemon.lab.teach.painted import painted
from simulator.crops.cut import paint_on_metal

SHEET = np.random.default_rng(2).normal(120, 3, (800, 1200)).astype(np.uint8)


def test_cracks_are_painted_where_the_truth_says_and_nowhere_else() -> None:
    image, truth = painted(SHEET, Recipe(name="any"), paint_on_metal, np.random.default_rng(4))
    assert sum(one.counts for one in truth) >= 3
    change = np.abs(image.astype(int) - SHEET)
    rest = change.copy()
    for one in truth:
        x, y, width, height = one.box
        assert (change[y : y + height, x : x + width] > 3).any() or not one.counts
        # The soft sides of a crack lie outside its box.
        rest[max(0, y - 30) : y + height + 30, max(0, x - 30) : x + width + 30] = 0
    assert rest.max() <= 1
    assert image.dtype == np.uint8


def test_other_seeds_paint_other_cracks_and_the_same_seed_the_same() -> None:
    recipe = Recipe(name="any")
    one, two, three = (painted(SHEET, recipe, paint_on_metal, np.random.default_rng(seed)) for seed in (4, 4, 5))
    assert (one[0] == two[0]).all()
    assert [crack.box for crack in one[1]] == [crack.box for crack in two[1]]
    assert [crack.box for crack in one[1]] != [crack.box for crack in three[1]]


@pytest.mark.parametrize(("polarity", "brighter"), [("bright", True), ("dark", False)])
def test_cracks_have_the_recipes_polarity(polarity: str, brighter: bool) -> None:
    recipe = Recipe.model_validate({"name": "any", "polarity": polarity})
    image, _ = painted(SHEET, recipe, paint_on_metal, np.random.default_rng(4))
    change = image.astype(int) - SHEET
    assert (abs(change.max()) > abs(change.min())) == brighter


def test_what_a_mask_covers_need_not_be_found() -> None:
    recipe = Recipe(name="any", masks=(Rectangle(x=0, y=0, width=1200, height=800),))
    _, truth = painted(SHEET, recipe, paint_on_metal, np.random.default_rng(4))
    assert truth
    assert not any(one.counts for one in truth)


def test_nothing_is_painted_into_a_port() -> None:
    sheet = SHEET.copy()
    sheet[100:700, 100:1100] = 10
    image, truth = painted(sheet, Recipe(name="any"), paint_on_metal, np.random.default_rng(4))
    assert (image[100:700, 100:1100] == 10).all()
    assert all(x < 100 or y < 100 or x + w > 1100 or y + h > 700 for x, y, w, h in (one.box for one in truth))


def test_the_smallest_sheet_has_room_for_a_crack() -> None:
    image, _ = painted(SHEET[:352, :360], Recipe(name="any"), paint_on_metal, np.random.default_rng(4))
    assert (image != SHEET[:352, :360]).any()
