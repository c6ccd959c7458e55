"""Places that repeat are told from chance, and chance alone is hardly ever taken for one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from models.measure.repeated import LEVEL, Defects, Place, cells_of, repeated_places

COLUMNS, ROWS = 9_777, 19_214
Worlds = Callable[[np.random.Generator, int], NDArray[np.float64]]
"""Places (n, 2) as shares of the sheet."""


def even(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    return rng.random((count, 2))


def one_sided(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Ever more towards one corner, up to four times the mean."""
    return 1 - np.sqrt(rng.random((count, 2)))


def along_the_edge(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Half of them in a narrow band along the travel, as where a sheet's edge is."""
    places = rng.random((count, 2))
    places[::2, 0] *= 0.01
    return places


def on_ridges(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """All of them on the ridges of a chevron, 400 px apart."""
    places = rng.random((count, 2))
    ridge = np.round((places[:, 1] * ROWS + np.abs(places[:, 0] - 0.5) * COLUMNS) / 400) * 400
    places[:, 1] = (ridge - np.abs(places[:, 0] - 0.5) * COLUMNS) / ROWS + rng.normal(0, 0.0005, count)
    return places % 1.0


def world(rng: np.random.Generator, places: Worlds, sheets: int, mean: float = 4.0, *, crowd: int = 3) -> Defects:
    """Sheets whose defects come in crowds, as the pieces of a crack do, and have nothing to do with one another."""
    count = rng.poisson(mean / crowd, sheets)
    middles = places(rng, int(count.sum())) * (COLUMNS, ROWS)
    each = np.repeat(middles, crowd, axis=0) + rng.normal(0, 60, (len(middles) * crowd, 2))
    x, y = each.clip(0, (COLUMNS - 1, ROWS - 1)).astype(np.int64).T
    return Defects(x, y, np.repeat(np.repeat(np.arange(sheets), count), crowd), sheets, COLUMNS, ROWS)


def with_fault(rng: np.random.Generator, sheets: int, on: int, x: int, y: int) -> Defects:
    """The same, and a fault of the die on so many of the sheets, each time a little elsewhere."""
    others = world(rng, even, sheets)
    which = rng.choice(sheets, on, replace=False)
    own = rng.normal((x, y), 20, (on, 2)).astype(np.int64)
    return Defects(
        np.concatenate([others.x, own[:, 0]]),
        np.concatenate([others.y, own[:, 1]]),
        np.concatenate([others.sheet, which]),
        sheets,
        COLUMNS,
        ROWS,
    )


def near(place: Place, x: int, y: int) -> bool:
    return abs(place.x - x) <= place.slack and abs(place.y - y) <= place.slack


@pytest.mark.parametrize("places", [even, one_sided, along_the_edge, on_ridges])
@pytest.mark.parametrize("sheets", [8, 400])
def test_chance_alone_names_a_place_no_more_often_than_is_said(places: Worlds, sheets: int) -> None:
    rng = np.random.default_rng(55)
    worlds = 60
    false = sum(bool(repeated_places(world(rng, places, sheets))) for _ in range(worlds))
    # 3 or more of 60 come by chance once in 300 times at the level that is said.
    assert false <= 2 + LEVEL * worlds


def test_a_fault_on_a_few_of_many_sheets_is_found_where_it_is() -> None:
    found = repeated_places(with_fault(np.random.default_rng(1), 60, 6, 4_000, 12_345))
    assert [near(place, 4_000, 12_345) for place in found] == [True]
    (place,) = found
    assert len(place.sheets) == 6
    assert place.of == 60
    assert place.expected < 1
    assert place.chance <= LEVEL


def test_two_faults_are_two_places_and_a_third_beside_the_edge_is_found_too() -> None:
    rng = np.random.default_rng(2)
    one, two, three = (with_fault(rng, 60, 20, x, y) for x, y in ((30, 40), (5_000, 9_000), (5_000, 9_900)))
    x, y, sheet = (np.concatenate([getattr(part, name) for part in (one, two, three)]) for name in ("x", "y", "sheet"))
    found = repeated_places(Defects(x, y, sheet, 60, COLUMNS, ROWS))
    assert len(found) == 3
    for where in ((30, 40), (5_000, 9_000), (5_000, 9_900)):
        assert sum(near(place, *where) for place in found) == 1


def test_many_defects_at_one_place_of_a_single_sheet_are_no_repetition() -> None:
    x = np.full(50, 700)
    assert repeated_places(Defects(x, x, np.zeros(50, np.int64), 30, COLUMNS, ROWS)) == []


def test_more_looked_at_elsewhere_makes_it_harder_to_be_named() -> None:
    world_ = with_fault(np.random.default_rng(3), 60, 5, 4_000, 12_345)
    (alone,) = repeated_places(world_)
    (among,) = repeated_places(world_, tests=10 * cells_of(world_), level=1.0)
    assert among.chance == pytest.approx(10 * alone.chance)


@pytest.mark.parametrize("columns", [0, 1, 30])
def test_no_sheets_no_defects_and_sheets_of_no_size_have_no_place(columns: int) -> None:
    nothing = np.zeros(0, np.int64)
    assert repeated_places(Defects(nothing, nothing, nothing, 0, columns, columns)) == []
    ones = np.arange(4)
    assert repeated_places(Defects(0 * ones, 0 * ones, ones, 4, columns, columns)) == []


def test_what_lies_beyond_the_sheet_is_not_looked_at() -> None:
    ones = np.arange(9)
    for x, y in ((-5, 10), (10, -5), (COLUMNS, 10), (10, ROWS)):
        assert repeated_places(Defects(0 * ones + x, 0 * ones + y, ones, 9, COLUMNS, ROWS)) == []
