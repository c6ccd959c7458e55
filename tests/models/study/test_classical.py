"""Classical methods and patches."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.detector.regions import Criteria
from models.measure.matching import Box, match
from models.study.classical import METHODS, boxes_of, components, halved
from models.study.patches import joined, patch_boxes

_LINE: Box = (300, 200, 15, 160)
_CRITERIA = Criteria(scale=2, seed=0.0, grow=-1.0, floor=0.0, least_area=4, opening=False)


def _picture(*, line: bool) -> NDArray[np.uint8]:
    rng = np.random.default_rng(0)
    image = rng.normal(110, 2, (640, 640))
    if line:
        x, y, width, height = _LINE
        image[y : y + height, x : x + width] += 45 * np.sin(np.linspace(0.2, np.pi - 0.2, width))
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 1.0).round(), np.uint8)


@pytest.mark.parametrize("name", list(METHODS))
def test_each_method_finds_an_easy_line_and_little_else_at_one_of_its_levels(name: str) -> None:
    method = METHODS[name]
    found = method.map(_picture(line=True))
    best = max(
        match([box for box, _ in boxes_of(components(found, level), 100)], [_LINE]).f1 for level in method.levels
    )
    assert best == 1


@pytest.mark.parametrize("name", list(METHODS))
@pytest.mark.parametrize("grey", [0, 110, 255])
def test_no_method_finds_anything_on_a_flat_picture(name: str, grey: int) -> None:
    method = METHODS[name]
    found = method.map(np.full((401, 333), grey, np.uint8))
    assert all(len(components(found, level).boxes) == 0 for level in method.levels)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.sampled_from(list(METHODS)))
def test_pictures_of_any_size_have_a_map_of_half_of_it(rows: int, columns: int, name: str) -> None:
    image = np.random.default_rng(rows).integers(0, 255, (rows, columns)).astype(np.uint8)
    if rows < 2 or columns < 2:
        assert halved(image).size == 0
        return
    found = METHODS[name].map(image)
    assert found.shape == (rows // 2, columns // 2)
    assert np.isfinite(found).all()


def test_groups_are_cut_by_length_and_carry_their_highest_value() -> None:
    found = np.zeros((40, 60), np.float32)
    found[5, 5:25] = 3
    found[5, 9] = 7
    found[30:32, 40:42] = 4
    groups = components(found, 2)
    assert boxes_of(groups, 0) == [((10, 10, 40, 2), 7.0), ((80, 60, 4, 4), 4.0)]
    assert boxes_of(groups, 20) == [((10, 10, 40, 2), 7.0)]


def _patches(values: NDArray[np.float32], stride: int) -> list[Box]:
    found = patch_boxes(values, stride, _CRITERIA)
    return [box for box, _ in found]


def test_overlapping_patches_keep_a_line_whole_and_those_side_by_side_cut_it() -> None:
    values = np.full((128, 128), -9, np.float32)
    values[10:90, 50:54] = 4
    assert _patches(values, 32) == [(100, 20, 8, 160)]
    assert sorted(_patches(values, 64)) == [(100, 20, 8, 44), (100, 64, 8, 64), (100, 128, 8, 52)]


def test_what_lies_between_patches_far_apart_is_not_seen() -> None:
    values = np.full((128, 128), -9, np.float32)
    values[10:14, 40:60] = 4  # columns 64 to 127 of the window
    values[100:120, 10:14] = np.nan
    assert _patches(values, 128) == []
    assert _patches(values, 64) == [(80, 20, 40, 8)]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 60)] * 2, *[st.integers(1, 30)] * 2), max_size=12))
def test_joined_boxes_share_nothing_and_hold_all_that_was_there(boxes: list[Box]) -> None:
    result = [box for box, _ in joined([(box, 0.5) for box in boxes])]
    for place, one in enumerate(result):
        assert match([one], result[:place] + result[place + 1 :]).true == 0
    for x, y, width, height in boxes:
        assert any(a <= x and b <= y and x + width <= a + c and y + height <= b + d for a, b, c, d in result)
