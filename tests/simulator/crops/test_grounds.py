"""Two families of grounds: repeatable, labelled where a crack can be seen, full of lines, and negatives among them."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from simulator.crops import reflected, strung
from simulator.crops.labelled import LabelledCrop

Family = Callable[[np.random.Generator, int], LabelledCrop]
_FAMILIES = pytest.mark.parametrize("family", [reflected.training_window, strung.training_window])


@_FAMILIES
def test_the_same_generator_gives_the_same_crop(family: Family) -> None:
    first, second = (family(np.random.default_rng(5), 128) for _ in range(2))
    for left, right in zip(first, second, strict=True):
        np.testing.assert_array_equal(left, right)


@_FAMILIES
@pytest.mark.parametrize("size", [64, 650])
def test_a_crop_has_the_size_and_types_it_promises(family: Family, size: int) -> None:
    for seed in range(6):
        image, mask, ignore = family(np.random.default_rng(seed), size)
        assert [part.shape for part in (image, mask, ignore)] == [(size, size)] * 3
        assert [str(part.dtype) for part in (image, mask, ignore)] == ["uint8", "bool", "bool"]
        assert not (mask & ignore).any()


@_FAMILIES
def test_cracked_and_clean_crops_are_both_common(family: Family) -> None:
    rng = np.random.default_rng(2)
    assert 0.35 < np.mean([family(rng, 256)[1].any() for _ in range(100)]) < 0.75


@_FAMILIES
def test_labelled_pixels_are_brighter_than_what_lies_beside_them(family: Family) -> None:
    rng = np.random.default_rng(4)
    higher = []
    for _ in range(60):
        image, mask, ignore = family(rng, 256)
        if mask.sum() < 60:
            continue
        near = cv2.dilate(mask.view(np.uint8), np.ones((25, 25), np.uint8)) > 0
        higher.append(image[mask].mean() - image[near & ~mask & ~ignore].mean())
    assert np.mean(np.array(higher) > 0) > 0.8


@_FAMILIES
def test_most_grounds_hold_lines_as_strong_as_cracks(family: Family) -> None:
    rng = np.random.default_rng(6)
    strong = []
    for _ in range(40):
        image, mask, ignore = family(rng, 256)
        if mask.any() or ignore.any():
            continue
        band = cv2.GaussianBlur(image, (0, 0), 2).astype(float) - cv2.GaussianBlur(image, (0, 0), 12)
        strong.append(np.percentile(np.abs(band), 99) > 7)
    assert np.mean(strong) > 0.4
