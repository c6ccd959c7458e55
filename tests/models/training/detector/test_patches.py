"""The published training patches."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.training.detector.patches import patches_of, skeleton


def test_patches_lie_around_skeletons_and_elsewhere() -> None:
    grey = np.random.default_rng(0).integers(0, 255, (120, 120)).astype(np.uint8)
    mask = np.zeros((120, 120), np.bool_)
    mask[50:60, 20:100] = True
    points = skeleton(mask)
    # The middle of a bar of 10 rows lies between rows 54 and 55, away from its short ends.
    assert {int(y) for x, y in points if 30 < x < 90} <= {54, 55}
    patches = patches_of(np.random.default_rng(1), [(grey, mask, ~mask & False)], 20)
    assert {patch[0].shape for patch in patches} == {(27, 27)}
    assert all(patch[1][13, 13] for patch in patches[::2])
    assert not any(patch[1].any() for patch in patches[1::2])


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 1000), st.booleans())
def test_patches_of_any_crop_have_their_size(rows: int, columns: int, seed: int, even: bool) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.random((rows, columns)) < 0.1
    crop = (rng.integers(0, 255, (rows, columns)).astype(np.uint8), mask, np.zeros_like(mask))
    side = 28 if even else 27
    assert all(part.shape == (side, side) for patch in patches_of(rng, [crop], 4, even=even) for part in patch)
