"""What a crop is to the network that learns from it."""

from __future__ import annotations

import numpy as np

from models.training.detector.examples import stacked


def _weights(size: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    nothing = np.zeros((size, size), np.bool_)
    crop = np.full((size, size), 90, np.uint8), nothing, nothing
    each = [stacked(np.random.default_rng(seed), [crop])[2].numpy()[0, 0] for seed in range(20)]
    # One that is not cut as at a plate's end.
    return next(weight for weight in each if (weight > 0).all())


def test_a_crops_border_whose_surroundings_are_cut_off_counts_less() -> None:
    weight = _weights(512)
    assert (weight[24:-24, 24:-24] == 1).all()
    assert (weight[:24] < 0.5).all()
    assert (weight[:, -24:] < 0.5).all()


def test_a_patch_counts_whole() -> None:
    assert (_weights(28) == 1).all()
