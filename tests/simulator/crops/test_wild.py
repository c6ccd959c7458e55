"""Training crops are repeatable, varied, and labelled where a crack can be seen."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.crops.wild import training_window


def test_the_same_generator_gives_the_same_crop() -> None:
    first, second = (training_window(np.random.default_rng(3), 128) for _ in range(2))
    for left, right in zip(first, second, strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("size", [64, 256, 650])
def test_a_crop_has_the_size_and_types_it_promises(size: int) -> None:
    image, mask, ignore = training_window(np.random.default_rng(1), size)
    assert [part.shape for part in (image, mask, ignore)] == [(size, size)] * 3
    assert [str(part.dtype) for part in (image, mask, ignore)] == ["uint8", "bool", "bool"]


def test_about_half_of_the_crops_hold_a_crack_and_no_pixel_is_both_crack_and_ignored() -> None:
    rng = np.random.default_rng(9)
    cracked = 0
    for _ in range(300):
        _, mask, ignore = training_window(rng, 128)
        assert not (mask & ignore).any()
        cracked += bool(mask.any())
    assert 0.4 < cracked / 300 < 0.65


def test_labelled_pixels_are_brighter_than_what_lies_beside_them() -> None:
    rng = np.random.default_rng(4)
    higher = []
    for _ in range(200):
        image, mask, ignore = training_window(rng, 192)
        if mask.sum() < 60:
            continue
        ys, xs = np.nonzero(mask)
        near = np.zeros_like(mask)
        near[max(ys.min() - 12, 0) : ys.max() + 12, max(xs.min() - 12, 0) : xs.max() + 12] = True
        beside = near & ~mask & ~ignore
        higher.append(image[mask].mean() - image[beside].mean())
    assert np.mean(np.array(higher) > 0) > 0.8


def test_brightness_and_noise_vary_far_more_than_on_the_reference_sheets() -> None:
    rng = np.random.default_rng(2)
    crops = [training_window(rng, 96)[0].astype(np.float64) for _ in range(200)]
    means = [crop.mean() for crop in crops]
    noise = [np.median(np.abs(np.diff(crop, axis=1))) for crop in crops]
    assert np.percentile(means, 5) < 60
    assert np.percentile(means, 95) > 160
    assert np.percentile(noise, 5) <= 1
    assert np.percentile(noise, 95) >= 5


def test_some_cracks_stand_alone_on_smooth_metal() -> None:
    rng = np.random.default_rng(8)
    smooth = 0
    for _ in range(300):
        image, mask, ignore = training_window(rng, 128)
        elsewhere = ~mask & ~ignore
        smooth += bool(mask.any()) and np.median(np.abs(np.diff(image.astype(int), axis=0))[elsewhere[1:]]) <= 1
    assert smooth > 15
