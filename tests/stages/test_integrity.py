"""What no working camera delivers is told, by its own cause, and nothing is told of a working one."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from config.schema import Gates, Recipe, Rectangle
from models.detector.integrity import examine
from models.detector.quality import inside, measure
from models.detector.swaths import own_area
from simulator.line import garbled
from simulator.line.garbled import Garble
from simulator.sheets.products import Product
from simulator.sheets.sheet import render
from stages.integrity import Faults, faults_of
from stages.plate import Cause, Verdict, WindowResult, windows_of
from stages.verdict import bands_of, facts_of, verdict_of

RECIPE = Recipe(name="test")
Image = NDArray[np.uint8]


def examined(picture: Image, recipe: Recipe = RECIPE) -> list[WindowResult]:
    """The windows of a plate as a worker reports them, without defects."""
    rows, columns = picture.shape
    results = []
    for window in windows_of(rows, columns, recipe.windows):
        x, y, width, height = window.x, window.y, window.width, window.height
        pixels = picture[y : y + height, x : x + width]
        own = own_area(x, y, width, height, columns, recipe.windows.size, recipe.windows.stride)
        masked = inside(recipe.masks, x, y, width, height)
        x0, y0, x1, y1 = own
        quality = measure(pixels[y0:y1, x0:x1], None if masked is None else masked[y0:y1, x0:x1])
        traces = examine(pixels, own, masked)
        results.append(
            WindowResult(
                "", 0, window.index, (), truncated=False, quality=quality, threshold=0.0, seconds=0.0, integrity=traces
            )
        )
    return results


def faults(picture: Image, recipe: Recipe = RECIPE) -> Faults:
    return faults_of(examined(picture, recipe), picture.shape[1], recipe)


@cache
def _sheet(seed: int) -> Image:
    return render(Product("sheet", 1800, 1300), seed, 3).image


def sheet(seed: int = 5) -> Image:
    return _sheet(seed).copy()


def garble(how: Garble, picture: Image) -> Image:
    how(picture, np.random.default_rng(3))
    return picture


@pytest.mark.parametrize(
    ("cause", "how"),
    [
        pytest.param(cause, how, id=f"{cause}: {name}")
        for cause in Cause
        for name, how in getattr(garbled, cause.name, {}).items()
    ],
)
def test_each_fault_of_a_camera_is_told_by_its_own_cause(cause: Cause, how: Garble) -> None:
    assert cause in [found for found, _ in faults(garble(how, sheet())).causes]


def test_a_working_camera_is_told_nothing_of() -> None:
    for seed in range(3):
        assert faults(sheet(seed)) == Faults()


def test_neither_a_black_belt_nor_an_overexposed_one_nor_a_hole_is_a_fault() -> None:
    for grey in (0, 255):
        picture = sheet()
        picture[:300] = picture[:, :200] = picture[-90:] = grey
        picture[700:1000, 500:800] = grey
        assert faults(picture) == Faults()


def test_a_plain_belt_is_no_noise_of_the_camera_and_is_not_judged() -> None:
    picture = sheet()
    picture[1200:] = np.rint(np.random.default_rng(1).normal(77, 2, (600, 1300))).astype(np.uint8)
    results = examined(picture)
    assert faults_of(results, 1300, RECIPE) == Faults()
    assert [result.integrity.noise > 0 for result in results] == [False] * 6 + [True] * 3


def test_one_row_at_the_end_of_a_small_picture_may_be_doubled() -> None:
    picture = sheet()[:400, :400].copy()
    picture[-1] = picture[-2]
    assert faults(picture) == Faults()


def test_a_slot_in_the_sheet_is_no_dead_columns() -> None:
    picture = sheet()
    picture[550:1300, 500:520] = 0
    assert faults(picture) == Faults()


def test_a_picture_without_grain_tells_nothing_of_copies_and_is_not_judged() -> None:
    rows, columns = np.mgrid[:1300, :1300]
    smooth = np.asarray((rows + columns) / 2600 * 200 + 30, np.uint8)
    results = examined(smooth)
    assert faults_of(results, 1300, RECIPE).causes == ()
    assert sum(result.quality.judged for result in results) == 0


@pytest.mark.parametrize("quality", [50, 90])
@pytest.mark.parametrize("scale", [0.5, 2.0, 3.0])
def test_a_picture_that_was_resized_and_compressed_is_no_fault(quality: int, scale: float) -> None:
    part = sheet()[:900, :900]
    resized = cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    _, data = cv2.imencode(".jpg", resized, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert faults(np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)) == Faults()


def test_one_dead_column_hides_nothing_and_is_a_warning() -> None:
    picture = sheet()
    picture[:, 500] = 77
    found = faults(picture)
    assert found.causes == ()
    assert found.warnings == ("columns 500 to 501 of 1300 hold one value, in 3 of 3 bands",)


def test_what_is_masked_is_no_fault() -> None:
    picture = sheet()
    picture[:, 500:600] = picture[900, 500:600]
    picture[900:1000, 500:600] = 80
    masked = RECIPE.model_copy(update={"masks": (Rectangle(x=490, y=0, width=120, height=1800),)})
    assert Cause.COLUMNS_DEAD in dict(faults(picture).causes)
    assert faults(picture, masked) == Faults()


def test_the_words_say_where() -> None:
    picture = sheet()
    picture[900:1000] = picture[899]
    words = "100 rows equal to the bit to the one before, first after row 600"
    assert dict(faults(picture).causes)[Cause.ROWS_REPEATED] == words
    picture = sheet()
    picture[:, 580:700] = 0
    words = "columns 580 to 700 of 1300 hold one value, in 3 of 3 bands"
    assert dict(faults(picture).causes)[Cause.COLUMNS_DEAD] == words


@pytest.mark.parametrize("action", ["fail", "warn"])
def test_a_fault_binds_whatever_the_gates_do_unless_the_recipe_says_that_it_is_only_told(action: str) -> None:
    picture = sheet()
    picture[900:1500] = picture[899]
    for integrity, verdict in (("fail", Verdict.INCONCLUSIVE), ("warn", Verdict.OK)):
        gates = Gates.model_validate({"action": action, "integrity": integrity, "judged": 0.5})
        recipe = RECIPE.model_copy(update={"gates": gates})
        results = examined(picture, recipe)
        facts = facts_of("", 0, rows=1800, columns=1300, results=results, recipe=recipe)
        found = faults_of(results, 1300, recipe)
        plate = verdict_of(facts, (), bands_of(results, 1300, recipe), recipe, found)
        assert plate.verdict is verdict
        assert Cause.ROWS_REPEATED in (plate.causes if integrity == "fail" else [cause for cause, _ in found.causes])
        if integrity == "warn":
            assert plate.warnings == tuple(words for _, words in found.causes)


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_a_picture_enlarged_by_copying_its_pixels_is_only_told(factor: int) -> None:
    part = sheet()[:600, :500]
    enlarged = cv2.resize(part, None, fx=factor, fy=factor, interpolation=cv2.INTER_NEAREST)
    found = faults(np.asarray(enlarged, np.uint8))
    assert found.causes == ()
    assert "enlarged" in found.warnings[0]
