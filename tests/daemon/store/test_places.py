"""Places of defects by product: which sheets count, and what is told of a place that repeats."""

from __future__ import annotations

import numpy as np
import pytest

from daemon.store.places import of_products, sizes
from tests.daemon.offline.report.periods import COLUMNS, PITCH, ROWS, found, period, plates

COUNT = 60
HERE = (4_000, 12_000)


def scattered(seed: int, sheets: int = COUNT) -> list[tuple[int, int, int]]:
    rng = np.random.default_rng(seed)
    return [(int(rng.integers(sheets)), int(rng.integers(COLUMNS)), int(rng.integers(ROWS))) for _ in range(2 * sheets)]


def at_one_place(sheets: range) -> list[tuple[int, int, int]]:
    return [(sheet, HERE[0] + sheet % 9, HERE[1] - sheet % 7) for sheet in sheets]


def test_a_fault_of_the_die_is_told_with_its_sheets_and_since_when() -> None:
    of = plates(COUNT)
    (one,) = of_products(period(of, found(scattered(1) + at_one_place(range(40, 60, 2)))))
    assert (one.sheets, one.columns, one.rows) == (COUNT, COLUMNS, ROWS)
    assert one.pitch == pytest.approx(PITCH)
    (again,) = one.repeated
    assert abs(again.place.x - HERE[0]) < 20
    assert abs(again.place.y - HERE[1]) < 20
    assert len(again.place.sheets) == 10
    assert (again.first, again.last) == (of.at[40], of.at[58])
    assert again.since_first == 20


def test_a_sheet_that_passes_again_and_again_is_no_fault_of_the_die() -> None:
    of = plates(COUNT, sheet=np.where(np.arange(COUNT) < 20, 1, np.arange(COUNT)))
    (one,) = of_products(period(of, found(scattered(1) + at_one_place(range(20)))))
    assert one.sheets == COUNT - 19
    assert one.repeated == ()


def test_the_golden_sheet_and_sheets_that_were_not_judged_do_not_count() -> None:
    which = np.arange(COUNT) < 20
    hidden = found(scattered(1) + at_one_place(range(20)))
    for of in (plates(COUNT, golden=which), plates(COUNT, scored=np.where(which, 0, 561).astype(np.int32))):
        (one,) = of_products(period(of, hidden))
        assert one.sheets == COUNT - 20
        assert one.repeated == ()
    (one,) = of_products(period(plates(COUNT), hidden))
    assert len(one.repeated) == 1


def test_dies_are_looked_at_apart() -> None:
    of = plates(COUNT, product=(np.arange(COUNT) % 2).astype(np.int32))
    each = of_products(period(of, found(scattered(1) + at_one_place(range(0, 40, 2))), products=2))
    assert {one.product.name: len(one.repeated) for one in each} == {"P0": 1, "P1": 0}


def test_vetoed_defects_are_tested_too_and_counted() -> None:
    places = scattered(1) + at_one_place(range(20))
    hidden = found(places)
    at = (abs(hidden.x - HERE[0]) < 20) & (abs(hidden.y - HERE[1]) < 20)
    hidden = found(places, vetoed=np.flatnonzero(at).tolist())
    (one,) = of_products(period(plates(COUNT), hidden))
    assert [again.vetoed for again in one.repeated] == [20]


def test_one_sheet_and_none_have_no_place_that_repeats() -> None:
    (one,) = of_products(period(plates(1), found([(0, 5, 5), (0, 6, 6)])))
    assert (one.sheets, one.repeated) == (1, ())
    assert of_products(period(plates(0), products=0)) == []
    assert of_products(period(plates(1, scored=np.zeros(1, np.int32)))) == []


def test_sizes_are_in_mm_where_they_are_known_of_all() -> None:
    of = sizes(period(plates(2), found([(0, 5, 5), (1, 6, 6)])))
    length = np.hypot(20 * PITCH[0], 100 * PITCH[1])
    assert of.unit == "mm"
    assert of.length == pytest.approx([length] * 2)
    assert of.width == pytest.approx([600 * PITCH[0] * PITCH[1] / length] * 2)
    of = sizes(period(plates(2), found([(0, 5, 5)], mm=False)))
    assert of.unit == "px"
    assert of.length == pytest.approx([np.hypot(20, 100)])
    assert len(sizes(period(plates(2))).score) == 0
