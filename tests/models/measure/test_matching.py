from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.measure.matching import Box, Match, match, pairs

boxes = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(1, 20), st.integers(1, 20)), max_size=6)


def test_second_box_on_one_defect_is_a_false_fragment() -> None:
    result = match([(0, 0, 10, 10), (20, 0, 10, 10), (100, 100, 5, 5)], [(0, 0, 30, 10)])
    assert result == Match(true=1, missed=0, false=2, fragments=1)


def test_touching_boxes_do_not_match() -> None:
    assert match([(0, 0, 10, 10)], [(10, 0, 10, 10)]) == Match(true=0, missed=1, false=1, fragments=0)


def test_matching_is_the_largest_possible() -> None:
    wide, left = (0, 0, 30, 10), (0, 0, 10, 10)
    assert sorted(pairs([wide, left], [left, (20, 0, 10, 10)])) == [0, 1]


def test_box_on_a_hidden_defect_counts_neither_way() -> None:
    assert match([(0, 0, 10, 10)], [], ignored=[(5, 5, 10, 10)]) == Match()


def test_empty_plate_has_perfect_figures() -> None:
    assert (match([], []).recall, match([], []).precision) == (1.0, 1.0)
    assert match([], [(0, 0, 1, 1)]).f1 == 0.0


@given(boxes, boxes)
def test_counts_add_up(found: list[Box], truth: list[Box]) -> None:
    result = match(found, truth)
    assert result.true + result.false == len(found)
    assert result.true + result.missed == len(truth)
    assert result.fragments <= result.false
    taken = [index for index in pairs(found, truth) if index >= 0]
    assert len(taken) == len(set(taken)) == result.true
    assert (result + result).recall == pytest.approx(result.recall)
