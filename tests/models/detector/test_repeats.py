"""What comes again at equal distances in a window counts less; what comes once counts in full."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.detector.repeats import Repeats

CALM = -7.0


def window(places: list[tuple[int, int]], value: float = 4.0, others: float = 4.0) -> NDArray[np.float32]:
    """Half resolution; dashes of 3 x 20 values, the first with its own value."""
    values = np.full((325, 325), CALM, np.float32)
    for index, (y, x) in enumerate(places):
        values[y : y + 20, x : x + 3] = others if index else value
    return values


def less(values: NDArray[np.float32], y: int, x: int, scale: int = 2) -> float:
    """Of the group at a place; candidates are above 0."""
    _, labels = cv2.connectedComponents((values > 0).view(np.uint8), connectivity=8)
    rows, columns = np.nonzero(labels == labels[y, x])
    own = values[rows, columns]
    return Repeats(values, scale).less(rows, columns, own, float(own.clip(max=1e3).max()))


def test_one_line_counts_in_full() -> None:
    assert less(window([(100, 100)]), 100, 100) == 0


@pytest.mark.parametrize("step", [(70, 0), (0, 60), (70, -35), (50, 40)])
def test_four_in_a_row_count_less_wherever_the_region_stands_among_them(step: tuple[int, int]) -> None:
    places = [(40 + at * step[0], 120 + at * step[1]) for at in range(4)]
    for y, x in places:
        assert less(window(places), y, x) > 5


def test_places_that_are_only_restless_are_enough() -> None:
    places = [(30 + 70 * at, 160) for at in range(4)]
    assert less(window(places, others=1.0), 30, 160) > 1
    assert less(window(places, value=8.0, others=-3.0), 30, 160) == 0


def test_three_cracks_may_lie_in_a_row_by_chance() -> None:
    places = [(100, 60), (100, 120), (100, 180)]
    assert less(window(places), 100, 60) == 0


def test_places_at_uneven_distances_are_no_row() -> None:
    places = [(20, 160), (80, 130), (170, 160), (290, 200)]
    assert less(window(places), 20, 160) == 0


def test_a_long_line_is_not_its_own_repetition() -> None:
    values = np.full((325, 325), CALM, np.float32)
    values[150:153, 20:300] = 4
    assert less(values, 150, 20) == 0


def test_a_long_line_is_not_the_repetition_of_a_short_one_before_it() -> None:
    """The short one is lowered, as a piece of a crest line is that goes on; what is left of a broken crack counts."""
    values = window([(40, 200)])
    values[90:320, 200:203] = 4
    assert less(values, 40, 200) > 5
    assert less(values, 90, 200) == 0


def test_a_crack_on_a_crest_line_is_compared_without_the_line() -> None:
    """Crest lines at every 60 values, as high as a region grows down to; the crack crosses one of them."""
    values = np.full((325, 325), CALM, np.float32)
    values[:, 30::60] = values[:, 31::60] = 2
    alone = less(values, 100, 90)
    values[100:103, 80:110] = 8
    assert alone > 5
    assert less(values, 100, 90) == 0


def test_what_comes_again_beyond_the_window_counts_less_too() -> None:
    values = np.concatenate([window([(100, 200)]), *(window([(100, 20)]) for _ in range(3))], axis=1)
    assert less(values[:, :325], 100, 200) == 0
    values = np.concatenate([window([(100, 200)])] * 3 + [window([])], axis=1)
    assert less(values, 100, 200) == 0, "farther apart than is looked"
    values = window([(100, 10), (100, 110), (100, 210), (100, 310)])
    assert less(values[:, :260], 100, 10) == 0
    assert less(values, 100, 10) > 5


def test_full_resolution_gives_about_the_same() -> None:
    places = [(30 + 70 * at, 160) for at in range(4)]
    values = window(places, others=1.0)
    large = np.kron(values, np.ones((2, 2), np.float32))
    assert less(large, 60, 320, scale=1) == pytest.approx(less(values, 30, 160), abs=0.5)


@settings(deadline=None, max_examples=60)
@given(
    shape=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    seed=st.integers(0, 2**32),
    hostile=st.sampled_from([np.nan, np.inf, -np.inf, 1e30, 0.0]),
)
def test_any_window_gives_a_finite_answer(shape: tuple[int, int], seed: int, hostile: float) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 6, shape).astype(np.float32)
    values[rng.random(shape) < 0.1] = hostile
    with np.errstate(invalid="ignore"):
        y, x = np.unravel_index(np.argmax(values > 0), shape)
    if values[y, x] > 0:
        found = less(values, int(y), int(x))
        assert np.isfinite(found)
        assert found >= 0
