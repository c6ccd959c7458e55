from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.classifier.crops import SIDE, crop_at
from models.classifier.preprocess import INPUT

PLATE = np.random.default_rng(1).integers(0, 256, (900, 700), np.uint8)


def test_crop_has_the_size_that_the_network_takes() -> None:
    assert SIDE == INPUT


def test_pixel_lies_in_the_middle() -> None:
    assert np.array_equal(crop_at(PLATE, 300, 400), PLATE[288:512, 188:412])


@given(x=st.integers(-100, 800), y=st.integers(-100, 1000))
def test_crop_lies_inside_the_plate_and_holds_its_pixel(x: int, y: int) -> None:
    crop = crop_at(PLATE, x, y)
    assert crop.shape == (SIDE, SIDE)
    top, left = min(max(y - 112, 0), 900 - SIDE), min(max(x - 112, 0), 700 - SIDE)
    assert np.array_equal(crop, PLATE[top : top + SIDE, left : left + SIDE])


def test_smaller_plate_is_mirrored_beyond_its_edges() -> None:
    small = PLATE[:100, :150]
    crop = crop_at(small, 20, 90)
    assert np.array_equal(crop[:100, :150], small)
    assert np.array_equal(crop[100:200, :150], small[::-1])
    assert np.array_equal(crop[:100, 150:], small[:, :-75:-1])


@given(rows=st.integers(1, 300), columns=st.integers(1, 300), x=st.integers(-5, 305), y=st.integers(-5, 305))
def test_plate_of_any_size_gives_a_whole_crop(rows: int, columns: int, x: int, y: int) -> None:
    assert crop_at(PLATE[:rows, :columns], x, y).shape == (SIDE, SIDE)


def test_crop_is_a_copy_of_its_own() -> None:
    plate = PLATE.copy()
    crop = crop_at(plate, 300, 400)
    plate[:] = 0
    assert crop.any()
    assert crop.flags.c_contiguous


def test_plate_without_pixels_is_refused() -> None:
    with pytest.raises(ValueError, match="0 x 700"):
        crop_at(PLATE[:0], 1, 1)
