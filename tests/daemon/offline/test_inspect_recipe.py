"""What a recipe says of polarity, masks and zones, from the pixels of a plate to its verdict."""

from __future__ import annotations

import random

import numpy as np
import pytest
from numpy.typing import NDArray

from config.schema import Gates, Limits, Recipe, Rectangle, Zone
from daemon.offline.inspect import inspect_image
from models.detector.detector import Detector
from models.images.source import ImageSource
from stages.defects import defects_of
from stages.detect import score_windows
from stages.plate import Cause, Defect, PlateResult, Verdict, windows_of

ROWS, COLUMNS = 700, 1300
SEAM = (625, 325)
"""A crack across the seam of two windows."""
ALONE = (1050, 330)
"""A crack within one window."""


class Pixels(ImageSource):
    """A plate in memory."""

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        self.height, self.width = pixels.shape
        self.bits = 8
        self.pixels = pixels

    def _rows(self, first: int, last: int) -> NDArray[np.uint8]:
        return self.pixels[first:last]

    def close(self) -> None:
        pass


def plate(
    bright: tuple[tuple[int, int], ...] = (SEAM, ALONE), dark: tuple[tuple[int, int], ...] = ()
) -> NDArray[np.uint8]:
    """A plate with cracks of 11 px through these points, 32 grey levels above or below their ground."""
    y, x = np.mgrid[0:ROWS, 0:COLUMNS]
    grain = np.random.default_rng(7).integers(0, 5, (ROWS, COLUMNS))
    grey = 126 + grain + np.rint(3 * np.sin(x / 90) + 3 * np.sin(y / 70)).astype(np.int64)
    for sign, places in ((1, bright), (-1, dark)):
        for cx, cy in places:
            away, fade = np.abs(5 * (x - cx) - 2 * (y - cy)), np.clip(90 - np.abs(y - cy), 0, 45)
            grey += sign * np.where(away < 30, (32 - away * away // 29) * fade // 45, 0)
    return np.asarray(grey, np.uint8)


def recipe(**changes: object) -> Recipe:
    return Recipe.model_validate({"name": "test", "gates": Gates(focus=Limits(), contrast=Limits()), **changes})


def inspected(pixels: NDArray[np.uint8], one: Recipe) -> PlateResult:
    return inspect_image(Pixels(pixels), one, [Detector.load(one, "cpu")])


def around(defects: tuple[Defect, ...]) -> list[tuple[int, int]]:
    """Which of the two cracks each defect lies on, from left to right; the place itself where on neither."""
    found = []
    for defect in sorted(defects, key=lambda d: d.x):
        hits = [
            p
            for p in (SEAM, ALONE)
            if defect.x < p[0] < defect.x + defect.width and defect.y < p[1] < defect.y + defect.height
        ]
        found.append(hits[0] if hits else (defect.x, defect.y))
    return found


# --- polarity ---------------------------------------------------------------------------------------------------------


def test_a_dark_recipe_says_of_the_negative_what_a_bright_one_says_of_the_picture() -> None:
    pixels = plate()
    bright = inspected(pixels, recipe(polarity="bright"))
    dark = inspected(255 - pixels, recipe(polarity="dark"))
    assert around(bright.defects) == [SEAM, ALONE]
    assert dark.defects == bright.defects
    assert dark.verdict is bright.verdict is Verdict.NG


@pytest.mark.parametrize(("polarity", "expected"), [("bright", [SEAM]), ("dark", [ALONE]), ("both", [SEAM, ALONE])])
def test_each_polarity_finds_its_own_cracks(polarity: str, expected: list[tuple[int, int]]) -> None:
    assert around(inspected(plate((SEAM,), (ALONE,)), recipe(polarity=polarity)).defects) == expected


@pytest.mark.parametrize("polarity", ["bright", "dark", "both"])
def test_a_plate_without_cracks_is_ok_in_every_polarity(polarity: str) -> None:
    found = inspected(plate((), ()), recipe(polarity=polarity))
    assert (found.verdict, found.defects) == (Verdict.OK, ())


# --- masks ------------------------------------------------------------------------------------------------------------


def box(place: tuple[int, int], margin: int = 0) -> Rectangle:
    """Around a whole crack."""
    return Rectangle(
        x=place[0] - 60 - margin, y=place[1] - 110 - margin, width=120 + 2 * margin, height=220 + 2 * margin
    )


def test_what_a_mask_covers_is_no_defect() -> None:
    assert around(inspected(plate(), recipe(masks=(box(SEAM),))).defects) == [ALONE]
    found = inspected(plate(), recipe(masks=(box(SEAM), box(ALONE))))
    assert (found.verdict, found.defects) == (Verdict.OK, ())


def test_what_a_mask_covers_is_no_fault_of_the_picture() -> None:
    pixels = plate((), ())
    pixels[100:500, 700:1200] = 255
    spoiled = inspected(pixels, recipe())
    assert spoiled.verdict is Verdict.INCONCLUSIVE
    assert Cause.COVERAGE in spoiled.causes
    masked = inspected(pixels, recipe(masks=(Rectangle(x=700, y=100, width=500, height=400),)))
    assert (masked.verdict, masked.causes, masked.coverage) == (Verdict.OK, (), 1.0)


def test_a_plate_that_is_masked_whole_is_never_ok() -> None:
    found = inspected(plate(), recipe(masks=(Rectangle(x=0, y=0, width=COLUMNS, height=ROWS),)))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.defects == ()


# --- zones ------------------------------------------------------------------------------------------------------------


def zone(place: tuple[int, int], weight: float) -> Zone:
    return Zone(rectangle=box(place), weight=weight)


def test_recipe_without_zones_and_one_with_zones_elsewhere_agree_to_the_bit() -> None:
    pixels = plate()
    elsewhere = Zone(polygon=((0, 0), (300, 0), (0, 300)), weight=20)
    plain = inspected(pixels, recipe())
    assert inspected(pixels, recipe(zones=())) == plain
    assert inspected(pixels, recipe(zones=(elsewhere,))) == plain


@pytest.mark.parametrize("place", [SEAM, ALONE])
def test_a_zone_takes_away_or_adds_to_the_score_of_the_cracks_in_it(place: tuple[int, int]) -> None:
    pixels = plate()
    plain, more = (inspected(pixels, recipe(zones=zones)).defects for zones in ((), (zone(place, 1.0),)))
    for before, after, at in zip(plain, more, around(plain), strict=True):
        assert (after.x, after.y, after.width, after.height) == (before.x, before.y, before.width, before.height)
        assert after.score > before.score if at == place else after.score == before.score
    assert around(inspected(pixels, recipe(zones=(zone(place, -20.0),))).defects) == [
        other for other in (SEAM, ALONE) if other != place
    ]


def test_a_crack_across_a_seam_is_the_same_in_any_order_of_windows() -> None:
    # The edge of the zone lies on the crack and in the strip that both windows share.
    one = recipe(zones=(Zone(polygon=((600, 0), (631, 0), (625, 700), (600, 700)), weight=2.0),))
    pixels, detector = plate(), Detector.load(one, "cpu")
    results = score_windows(detector, pixels, windows_of(ROWS, COLUMNS, one.windows)[:4], one.windows, run="", plate=0)
    expected = defects_of(results, ROWS, COLUMNS, one)
    assert SEAM in around(expected)
    assert expected != defects_of(
        score_windows(
            Detector.load(recipe(), "cpu"),
            pixels,
            windows_of(ROWS, COLUMNS, one.windows)[:4],
            one.windows,
            run="",
            plate=0,
        ),
        ROWS,
        COLUMNS,
        recipe(),
    )
    for seed in range(5):
        random.Random(seed).shuffle(results)
        assert defects_of(results, ROWS, COLUMNS, one) == expected


def test_zones_outside_the_plate_are_no_fault() -> None:
    far = Zone(rectangle=Rectangle(x=5000, y=0, width=100, height=10**9), weight=20)
    assert inspected(plate(), recipe(zones=(far,))) == inspected(plate(), recipe())
