"""What runs with the grain of the metal cannot be told from it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from simulator.crops.grain import off_grain


def ground(angle: float, seed: int = 3) -> NDArray[np.float32]:
    """Metal ground in that direction, degrees from the columns' axis."""
    noise = np.random.default_rng(seed).standard_normal((400, 400)).astype(np.float32)
    lines = cv2.GaussianBlur(noise, (0, 0), sigmaX=25, sigmaY=0.8)
    turned = cv2.warpAffine(lines, cv2.getRotationMatrix2D((200, 200), -angle, 1), (400, 400))
    return np.asarray(120 + 200 * turned[88:312, 88:312], np.float32)


def line(angle: float, x: int = 112, y: int = 112) -> NDArray[np.bool_]:
    """A mark of 80 px in that direction."""
    dx, dy = 40 * np.cos(np.radians(angle)), 40 * np.sin(np.radians(angle))
    first, last = (round(x - dx), round(y - dy)), (round(x + dx), round(y + dy))
    return np.asarray(cv2.line(np.zeros((224, 224), np.uint8), first, last, (1,), 5) > 0)


@pytest.mark.parametrize("angle", [0, 35, 90, 91, 160, 179])
def test_a_line_with_the_grain_is_taken_for_grain_and_one_across_is_not(angle: float) -> None:
    metal = ground(angle)
    assert not off_grain(metal, line(angle)).any()
    assert not off_grain(metal, line(angle + 10)).any()
    for away in (30, 90, 150):
        assert np.array_equal(off_grain(metal, line(angle + away)), line(angle + away))


def test_of_several_marks_those_off_the_grain_remain() -> None:
    along, across = line(90, x=40), line(0, x=150)
    assert np.array_equal(off_grain(ground(90), along | across), across)


def test_metal_without_a_grain_takes_no_mark_for_it() -> None:
    metal = 120 + 10 * np.random.default_rng(1).standard_normal((224, 224)).astype(np.float32)
    for angle in (0, 45, 90):
        assert np.array_equal(off_grain(metal, line(angle)), line(angle))


def test_the_edge_of_a_piece_of_metal_is_no_grain() -> None:
    metal = 120 + 10 * np.random.default_rng(1).standard_normal((224, 224)).astype(np.float32)
    metal[:, :100] -= 90
    assert off_grain(metal, line(90)).any()
