"""Crops full of structure are repeatable, labelled where a crack can be seen, and as varied as they must be."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.crops.pressed import training_window
from simulator.crops.ridges import relief


def test_the_same_generator_gives_the_same_crop() -> None:
    first, second = (training_window(np.random.default_rng(5), 128) for _ in range(2))
    for left, right in zip(first, second, strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("size", [64, 352, 650])
def test_a_crop_has_the_size_and_types_it_promises(size: int) -> None:
    for seed in range(6):
        image, mask, ignore = training_window(np.random.default_rng(seed), size)
        assert [part.shape for part in (image, mask, ignore)] == [(size, size)] * 3
        assert [str(part.dtype) for part in (image, mask, ignore)] == ["uint8", "bool", "bool"]
        assert not (mask & ignore).any()


def test_cracked_and_clean_crops_are_both_common() -> None:
    rng = np.random.default_rng(2)
    cracked = np.mean([training_window(rng, 256)[1].any() for _ in range(150)])
    assert 0.4 < cracked < 0.75


def test_labelled_pixels_are_brighter_than_what_lies_beside_them() -> None:
    rng = np.random.default_rng(4)
    higher = []
    for _ in range(80):
        image, mask, ignore = training_window(rng, 256)
        if mask.sum() < 60:
            continue
        ys, xs = np.nonzero(mask)
        near = np.zeros_like(mask)
        near[max(ys.min() - 12, 0) : ys.max() + 12, max(xs.min() - 12, 0) : xs.max() + 12] = True
        higher.append(image[mask].mean() - image[near & ~mask & ~ignore].mean())
    assert np.mean(np.array(higher) > 0) > 0.8


def test_relief_reaches_from_border_to_border_and_is_finite() -> None:
    rng = np.random.default_rng(8)
    for _ in range(60):
        shade, angle = relief(rng, 192)
        assert shade.shape == (192, 192)
        assert shade.dtype == np.float32
        assert np.isfinite(shade).all()
        assert np.isfinite(angle)


def test_relief_is_often_stronger_than_any_crack() -> None:
    rng = np.random.default_rng(1)
    spans = [float(np.ptp(relief(rng, 192)[0])) for _ in range(80)]
    assert np.mean(np.array(spans) > 46) > 0.3
    assert np.mean(np.array(spans) < 46) > 0.1
