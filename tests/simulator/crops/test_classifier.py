from __future__ import annotations

from itertools import islice

import cv2
import numpy as np
import pytest

from simulator.crops.classifier import SIDE, TEST_PRODUCTS, Cut, sheet_crops, training_crops
from simulator.crops.classifier import test_crops as crops_for_tests
from simulator.crops.cut import TRAINING_PRODUCTS


@pytest.fixture(scope="module")
def cuts() -> list[Cut]:
    return list(training_crops(3, 60))


def test_half_of_the_crops_show_a_crack_and_all_have_the_size_that_the_line_cuts(cuts: list[Cut]) -> None:
    assert 25 <= sum(cut.crack for cut in cuts) <= 35
    for cut in cuts:
        assert cut.pixels.shape == cut.mask.shape == (SIDE, SIDE)
        assert (cut.pixels.dtype.name, cut.mask.dtype.name) == ("uint8", "bool")
        assert cut.crack == (cut.kind == "crack")


def test_training_never_sees_a_test_product(cuts: list[Cut]) -> None:
    makers = {cut.maker for cut in cuts}
    assert makers <= {*TRAINING_PRODUCTS, "samples", "otherwise", "pressed", "reflected", "strung"}
    assert not makers & set(TEST_PRODUCTS)
    assert {cut.maker for cut in crops_for_tests(12)} <= set(TEST_PRODUCTS)


def test_a_crop_without_a_crack_says_what_could_be_taken_for_one() -> None:
    kinds = {cut.kind for cut in sheet_crops(TRAINING_PRODUCTS, 40, 120) if not cut.crack}
    assert {"fold", "edge", "port", "ridges"} <= kinds


def test_crops_of_one_sheet_are_one_group_and_no_two_windows_share_one(cuts: list[Cut]) -> None:
    sheets = [cut.group for cut in cuts if cut.maker in TRAINING_PRODUCTS]
    windows = [cut.group for cut in cuts if cut.maker not in TRAINING_PRODUCTS]
    assert len(set(sheets)) == 1
    assert len(set(windows)) == len(windows)


def test_a_crack_lies_near_the_middle_unless_the_sheet_ends_there(cuts: list[Cut]) -> None:
    away = []
    for cut in cuts:
        if cut.crack:
            ys, xs = np.nonzero(cut.mask)
            away.append(np.hypot(ys - SIDE / 2, xs - SIDE / 2).min())
    assert np.median(away) < 20


def test_a_crack_of_a_familys_window_stands_out_from_the_metal_beside_it(cuts: list[Cut]) -> None:
    of_families = [cut for cut in cuts if cut.crack and cut.maker not in TRAINING_PRODUCTS]
    assert len(of_families) > 5
    for cut in of_families:
        count, labels = cv2.connectedComponents(cut.mask.view(np.uint8))
        pixels = cut.pixels.astype(np.float32)
        heights = []
        for label in range(1, count):
            own = labels == label
            beside = (cv2.dilate(own.view(np.uint8), np.ones((25, 25), np.uint8)) > 0) & ~cut.mask
            heights.append(abs(float(pixels[own].mean() - pixels[beside].mean())))
        assert max(heights) > 4


def test_the_same_seed_gives_the_same_crops_and_another_seed_others(cuts: list[Cut]) -> None:
    again = list(islice(training_crops(3, 60), 5))
    other = list(islice(training_crops(4, 60), 5))
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(again, cuts, strict=False))
    assert not all(np.array_equal(a.pixels, b.pixels) for a, b in zip(other, cuts, strict=False))
