"""Sheets laid upon each other, and what stands at one place on most of them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from daemon.lab.teach.places import Offset, Place, common_places, offsets, on_sheet
from models.measure.matching import Box

REDUCED = 8


def relief(dx: int = 0, dy: int = 0, seed: int = 3) -> NDArray[np.float32]:
    """A reduced picture of a die's relief, moved by so many px of it; with noise of its own."""
    y, x = np.mgrid[0:120, 0:160]
    x, y = x - dx, y - dy
    ridges = 20 * np.sin((x + 0.6 * np.abs(y - 60)) / 4)
    port = 60.0 * ((x - 40) ** 2 + (y - 30) ** 2 < 200)
    noise = np.random.default_rng(seed).normal(0, 3, x.shape)
    return np.asarray(120 + ridges + port + noise, np.float32)


@pytest.mark.parametrize(("dx", "dy"), [(0, 0), (2, -1), (-3, 4)])
def test_a_sheet_that_lies_elsewhere_is_laid_upon_the_first(dx: int, dy: int) -> None:
    _, found = offsets([relief(), relief(dx, dy, seed=5)])
    assert found.known
    assert abs(found.dx - dx * REDUCED) < 4
    assert abs(found.dy - dy * REDUCED) < 4


def test_sheets_of_different_sizes_are_compared_where_both_are() -> None:
    _, found = offsets([relief(), relief(1, 0, seed=5)[:110, :150]])
    assert found.known
    assert abs(found.dx - REDUCED) < 4


def test_sheets_that_have_nothing_in_common_are_taken_to_lie_alike() -> None:
    noise = np.random.default_rng(1).normal(0, 3, (120, 160)).astype(np.float32)
    assert offsets([relief(), noise])[1] == Offset(0.0, 0.0, known=False)


def alarms(*boxes: tuple[int, Box]) -> list[tuple[float, Box, int]]:
    return [(2.0, box, sheet) for sheet, box in boxes]


def test_what_alarms_near_one_place_on_half_of_the_sheets_is_a_place() -> None:
    here = [(sheet, (100 + 3 * sheet, 200 - 2 * sheet, 10, 50)) for sheet in range(5)]
    elsewhere = [(sheet, (1000 * sheet, 900, 10, 50)) for sheet in range(9)]
    (found,) = common_places(alarms(*here, *elsewhere), 9)
    assert found.sheets == (0, 1, 2, 3, 4)
    assert found.of == 9
    assert abs(found.x - 105) < 20
    assert abs(found.y - 225) < 20


def test_two_alarms_on_one_sheet_count_once() -> None:
    twice = [(sheet, (100 + 15 * number, 200, 10, 50)) for sheet in range(2) for number in range(2)]
    assert common_places(alarms(*twice), 4) == []


def test_three_sheets_are_the_least() -> None:
    here = [(sheet, (100, 200, 10, 50)) for sheet in range(3)]
    assert common_places(alarms(*here[:2]), 3) == []
    assert len(common_places(alarms(*here), 3)) == 1


def test_a_place_moves_with_its_sheet() -> None:
    place = Place((100, 200, 10, 50), (0, 1, 2), 3, 2.0, slack=5)
    assert on_sheet(place, Offset(0.0, 0.0)) == (95, 195, 20, 60)
    assert on_sheet(place, Offset(16.0, -8.0)) == (111, 187, 20, 60)


def test_on_a_long_sheet_a_place_may_lie_farther_apart() -> None:
    here = [(sheet, (100 + 40 * sheet, 200, 10, 50)) for sheet in range(3)]
    assert common_places(alarms(*here), 3) == []
    assert len(common_places(alarms(*here), 3, slack=96)) == 1
