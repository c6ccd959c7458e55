"""A stronger line is never less, and what is no line is none."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from config.load import load_recipe
from config.schema import Recipe, Rectangle, Threshold, Zone
from models.detector.detector import Detector, WindowView
from models.detector.strong_lines import CELL, cells_of, standing, strong_lines, unusual
from simulator.sheets.products import Product
from simulator.sheets.sheet import render

torch.set_num_threads(1)
Grey = NDArray[np.uint8]
SIDE = 650


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector.load(load_recipe("general"), "cpu")


@pytest.fixture(scope="module")
def sheet() -> Grey:
    """A clean sheet of 2 x 2 windows."""
    return render(Product("clean", rows=1250, columns=1250), 3, 0).image


def plain(sigma: float = 2.0) -> Grey:
    grey = np.random.default_rng(3).normal(120, sigma, (SIDE, SIDE))
    return np.asarray(np.clip(np.rint(grey), 0, 255), np.uint8)


def line(ground: Grey, contrast: float, width: float, length: float, degrees: float) -> Grey:
    """A straight, even line through the middle."""
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE / 2 - 7)
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    across, along = np.abs(c * y - s * x), np.abs(c * x + s * y)
    added = contrast * np.clip(width / 2 - across + 0.5, 0, 1) * (along <= length / 2)
    return np.asarray(np.clip(np.rint(ground + added), 0, 250), np.uint8)


def view(pixels: Grey, x: int = 0, y: int = 0) -> WindowView:
    return WindowView(pixels, x, y, (0, 0, pixels.shape[1], pixels.shape[0]))


def ng(detector: Detector, pixels: Grey) -> bool:
    return any(region.score >= 0.5 and not region.faint for region in detector.detect([view(pixels)])[0].regions)


def lines(pixels: Grey) -> int:
    return len(strong_lines(cells_of(pixels, 1)))


@pytest.mark.parametrize("width", [5, 11, 15])
@pytest.mark.parametrize("length", [120, 300, 2000])
@pytest.mark.parametrize("degrees", [90, 0, 37])
def test_what_is_ng_is_ng_with_more_contrast(detector: Detector, width: int, length: int, degrees: float) -> None:
    """The network alone loses every one of these from some 40 grey levels on."""
    found = [
        ng(detector, line(plain(), contrast, width, length, degrees)) for contrast in (10, 20, 40, 60, 90, 130, 200)
    ]
    assert found[2:] == [True] * 5
    # Of short thin lines the network loses some at 20 grey levels, where they are not yet sure.
    assert found == sorted(found) or length == 120


@pytest.mark.parametrize("contrast", [60, 90, 130])
@pytest.mark.parametrize("degrees", [90, 0, 37])
def test_a_strong_line_through_a_corrugated_sheet_is_ng(
    detector: Detector, sheet: Grey, contrast: float, degrees: float
) -> None:
    window = np.ascontiguousarray(sheet[:SIDE, :SIDE])
    assert not ng(detector, window)
    assert ng(detector, line(window, contrast, 7, 2000, degrees))


def test_a_clean_sheet_holds_no_line(sheet: Grey) -> None:
    assert lines(sheet) == 0


def test_evidence_grows_with_contrast() -> None:
    found = [strong_lines(cells_of(line(plain(), contrast, 9, 300, 90), 1)) for contrast in (30, 60, 120)]
    evidence = [one.evidence for (one,) in found]
    assert evidence == sorted(evidence)
    assert evidence[0] >= 1.0


RIM = plain()
RIM[:, :200] = 10
RIM[:, 200:212] = 200
DARK = line(plain(), -60, 9, 300, 90)
STEP = plain()
STEP[:, 300:] -= np.uint8(50)
BLOB = plain()
cv2.circle(BLOB, (300, 300), 40, 220, -1)
PATTERN = plain()
for _place in range(40, SIDE, 60):
    PATTERN[:, _place : _place + 9] += np.uint8(60)
OIL = plain()
OIL[200:500, 100:310], OIL[200:500, 325:600] = 30, 35
DASH = line(plain(), 90, 9, 50, 90)


@pytest.mark.parametrize("name", ["RIM", "DARK", "STEP", "BLOB", "PATTERN", "OIL", "DASH"])
def test_what_is_no_line_alone_is_none(name: str) -> None:
    """A bright rim, a dark line, an edge, a spot, the crests of a press, metal between oil, and what is short."""
    assert lines(globals()[name]) == 0


@pytest.mark.parametrize("side", [1, 3, 23, 60, 119])
@pytest.mark.parametrize("grey", [0, 128, 255])
def test_any_size_and_any_one_grey_hold_no_line(side: int, grey: int) -> None:
    for shape in ((side, side), (side, SIDE), (SIDE, side), (SIDE, SIDE)):
        assert lines(np.full(shape, grey, np.uint8)) == 0


def test_a_line_lies_where_it_is_and_inside_the_window(detector: Detector) -> None:
    (region,) = detector.detect([view(line(plain(), 120, 9, 300, 90))])[0].regions
    middle = SIDE / 2 - 7
    assert abs(region.x + region.width / 2 - middle) <= 2 * CELL
    assert abs(region.y + region.height / 2 - middle) <= 2 * CELL
    assert abs(region.height - 300) <= 4 * CELL
    assert region.x <= region.peak_x < region.x + region.width
    assert region.y <= region.peak_y < region.y + region.height


def test_polarity_masks_zones_and_the_floor_hold_for_strong_lines_too() -> None:
    bright, dark = line(plain(), 120, 15, 300, 90), line(plain(), -100, 15, 300, 90)

    def found(pixels: Grey, **changes: object) -> bool:
        recipe = Recipe.model_validate({"name": "own", **changes})
        return ng(Detector.load(recipe, "cpu"), pixels)

    assert [found(one, polarity="bright") for one in (bright, dark)] == [True, False]
    assert [found(one, polarity="dark") for one in (bright, dark)] == [False, True]
    assert [found(one, polarity="both") for one in (bright, dark)] == [True, True]
    assert not found(bright, masks=(Rectangle(x=250, y=0, width=150, height=SIDE),))
    assert not found(bright, zones=(Zone(rectangle=Rectangle(x=0, y=0, width=SIDE, height=SIDE), weight=-20),))
    assert not found(bright, threshold=Threshold(floor=15))
    assert found(bright, threshold=Threshold(floor=-5))
    assert strong_lines(cells_of(bright, 1))


def test_the_published_modes_look_at_the_networks_values_alone() -> None:
    recipe = Recipe(name="published", threshold=Threshold(mode="top_fraction"))
    one = Detector.load(recipe, "cpu")
    finding = one.detect([view(line(plain(), 120, 15, 300, 90))])[0]
    assert all(region.width % 2 == 0 and region.height < 300 for region in finding.regions)


@pytest.mark.parametrize("degrees", [0, 37, 90])
def test_what_good_sheets_show_at_a_place_takes_only_lines_that_are_hardly_more(degrees: float) -> None:
    for contrast in (20, 40, 80):
        ground = plain()
        cells = cells_of(line(ground, contrast, 11, 500, degrees), 1)
        found = strong_lines(cells)
        assert found
        # Grain takes none, however weak the line is; a line as strong takes it; one half as strong does not.
        assert len(unusual(found, standing(cells_of(ground, 1)))) == len(found)
        assert unusual(found, standing(cells)) == []
        half = standing(cells_of(line(ground, contrast / 2.5, 11, 500, degrees), 1))
        assert contrast < 40 or len(unusual(found, half)) == len(found)
