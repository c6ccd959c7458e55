"""Boxes: their overlap, its loss, and the suppression of repeated ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.study.boxes import giou, nms, overlaps

_SIDE = st.floats(0.5, 60, width=32)
_PLACE = st.floats(-20, 100, width=32)
_BOX = st.tuples(_PLACE, _PLACE, _SIDE, _SIDE, st.floats(0, 1, width=32))


def _arrays(boxes: list[tuple[float, ...]]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    found = np.array(boxes, np.float32).reshape(-1, 5)
    return np.concatenate((found[:, :2], found[:, :2] + found[:, 2:4]), axis=1), found[:, 4]


@settings(max_examples=60, deadline=None)
@given(st.lists(_BOX, max_size=25), st.floats(0.0, 0.9))
def test_no_box_stays_that_overlaps_a_better_one_too_much_and_none_goes_without_such_a_one(
    boxes: list[tuple[float, ...]], most: float
) -> None:
    corners, scores = _arrays(boxes)
    stay = nms(corners, scores, most)
    assert len(set(stay.tolist())) == len(stay)
    assert (np.diff(scores[stay]) <= 0).all()
    for place, index in enumerate(stay):
        assert (overlaps(corners[index], corners[stay[:place]]) <= most).all()
    for index in set(range(len(boxes))) - set(stay.tolist()):
        better = stay[scores[stay] >= scores[index]]
        assert (overlaps(corners[index], corners[better]) > most).any()


@settings(max_examples=30, deadline=None)
@given(st.lists(_BOX, max_size=15))
def test_suppression_leaves_alone_what_it_left(boxes: list[tuple[float, ...]]) -> None:
    corners, scores = _arrays(boxes)
    stay = nms(corners, scores, 0.4)
    again = nms(corners[stay], scores[stay], 0.4)
    assert sorted(again.tolist()) == list(range(len(stay)))


@settings(max_examples=50, deadline=None)
@given(_BOX, _BOX)
def test_generalised_overlap_is_the_overlap_less_what_the_hull_holds_beside(
    one: tuple[float, ...], other: tuple[float, ...]
) -> None:
    corners, _ = _arrays([one, other])
    a, b = torch.from_numpy(corners[:1]), torch.from_numpy(corners[1:])
    value = float(giou(a, b))
    assert -1 - 1e-4 <= value <= float(overlaps(corners[0], corners[1:])[0]) + 1e-4
    assert value == pytest.approx(float(giou(b, a)), abs=1e-5)
    assert float(giou(a, a)) == pytest.approx(1, abs=1e-4)


def test_boxes_far_apart_still_have_a_way_to_each_other() -> None:
    near, far = torch.tensor([[20.0, 0, 30, 10]]), torch.tensor([[80.0, 0, 90, 10]])
    own = torch.tensor([[0.0, 0, 10, 10]])
    assert float(giou(own, near)) > float(giou(own, far))
