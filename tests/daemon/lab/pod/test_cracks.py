"""The cracks that are painted: sizes that cover their ranges, and places where a crack may lie."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from config.schema import Pitch, Recipe, Rectangle
from daemon.lab.pod.forms import FORMS, Stroke
from daemon.lab.pod.room import Room, lay_down
from daemon.lab.pod.sizes import Ranges, drawn_sizes, ranges_of

RECIPE = Recipe(name="any", pitch=Pitch(row_mm=0.052, column_mm=0.0416))
RANGES = ranges_of(RECIPE, (3.0, 60.0))


def ground(rows: int = 1600, columns: int = 1600) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(90, 110, (rows, columns)).astype(np.uint8)


def strokes(form: str, count: int, ranges: Ranges = RANGES) -> list[Stroke]:
    rng = np.random.default_rng(2)
    return [FORMS[form](rng, sizes, ranges) for sizes in drawn_sizes(rng, count, ranges)]


def test_contrasts_fill_their_range_evenly_and_no_crack_is_shorter_than_twice_its_width() -> None:
    made = drawn_sizes(np.random.default_rng(0), 100, RANGES)
    logs = np.log([one.contrast for one in made])
    counts, _ = np.histogram(logs, bins=np.linspace(np.log(3), np.log(60), 11))
    assert counts.tolist() == [10] * 10
    assert all(one.length >= 2 * one.width * RANGES.column for one in made)
    assert all(0 < one.step < one.contrast for one in made)
    assert all(RANGES.width[0] <= one.width <= RANGES.width[1] for one in made)


def test_lengths_are_px_where_the_recipe_has_no_pitch() -> None:
    ranges = ranges_of(Recipe(name="any"), (3.0, 60.0))
    assert (ranges.unit, ranges.column, ranges.row) == ("px", 1.0, 1.0)
    assert ranges.length == (24, 286)


@pytest.mark.parametrize("form", FORMS)
def test_the_same_seed_gives_the_same_cracks(form: str) -> None:
    for one, other in zip(strokes(form, 6), strokes(form, 6), strict=True):
        assert np.array_equal(one.added, other.added)
        assert np.array_equal(one.inside, other.inside)


@pytest.mark.parametrize("form", FORMS)
def test_a_crack_has_the_contrast_and_about_the_length_that_it_is_said_to_have(form: str) -> None:
    rng = np.random.default_rng(2)
    for sizes in drawn_sizes(rng, 30, RANGES):
        stroke = FORMS[form](rng, sizes, RANGES)
        assert stroke.added.max() == pytest.approx(sizes.contrast, rel=0.05)
        rows, columns = np.nonzero(stroke.inside)
        far = np.hypot(np.ptp(columns) * RANGES.column, np.ptp(rows) * RANGES.row)
        assert 0.4 * sizes.length <= far <= 1.6 * sizes.length + 2 * sizes.width * RANGES.column


@pytest.mark.parametrize("form", FORMS)
def test_cracks_lie_on_metal_off_masks_off_what_was_found_and_apart(form: str) -> None:
    image = ground()
    image[:, :300] = 10  # beside the sheet
    masked, found = Rectangle(x=1200, y=0, width=400, height=500), (400, 1200, 200, 100)
    recipe = RECIPE.model_copy(update={"masks": (masked,)})
    room, rng = Room(image, recipe, [found]), np.random.default_rng(3)
    placed = [(stroke, room.place(rng, stroke, 1)) for stroke in strokes(form, 40)]
    boxes = [(*at, stroke.added.shape[1], stroke.added.shape[0]) for stroke, at in placed if at is not None]
    assert len(boxes) >= 3
    for x, y, width, height in boxes:
        assert 324 <= x <= x + width <= 1600 - 24
        assert 24 <= y <= y + height <= 1600 - 24
        for left, top, across, down in ((1200, 0, 400, 500), found):
            assert x >= left + across or x + width <= left or y >= top + down or y + height <= top
    for number, one in enumerate(boxes):
        for other in boxes[:number]:
            across = max(one[0], other[0]) - min(one[0] + one[2], other[0] + other[2])
            down = max(one[1], other[1]) - min(one[1] + one[3], other[1] + other[3])
            assert max(across, down) >= 300  # the merger joins over 16


def test_where_there_is_no_room_no_crack_is_placed() -> None:
    rng = np.random.default_rng(4)
    for image in (ground(60, 60), ground(10, 2000), np.full((1600, 1600), 252, np.uint8)):
        assert [Room(image, RECIPE, []).place(rng, one, 1) for one in strokes("smooth", 5)] == [None] * 5


def test_a_crack_that_would_be_cut_off_at_white_is_not_placed() -> None:
    bright = np.full((1600, 1600), 230, np.uint8)
    strong = strokes("smooth", 20, ranges_of(RECIPE, (50.0, 60.0)))
    rng = np.random.default_rng(5)
    assert all(Room(bright, RECIPE, []).place(rng, one, 1) is None for one in strong)
    assert any(Room(bright, RECIPE, []).place(rng, one, -1) is not None for one in strong)


@pytest.mark.parametrize("sign", [1, -1])
def test_paint_is_added_where_it_is_laid_and_nowhere_else(sign: int) -> None:
    image = ground()
    before = image.copy()
    (stroke,) = strokes("smooth", 1)
    lay_down(image, stroke, 500, 700, sign)
    height, width = stroke.added.shape
    change = image.astype(int) - before
    assert np.array_equal(change[700 : 700 + height, 500 : 500 + width], np.rint(sign * stroke.added))
    change[700 : 700 + height, 500 : 500 + width] = 0
    assert not change.any()
