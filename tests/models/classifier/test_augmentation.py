from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.classifier.augmentation import augmented

CROP = np.random.default_rng(3).integers(60, 180, (224, 224), np.uint8)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**32), rows=st.integers(1, 80), columns=st.integers(1, 80), colour=st.booleans())
def test_any_crop_keeps_its_shape_and_type(seed: int, rows: int, columns: int, colour: bool) -> None:
    crop = CROP[:rows, :columns]
    crop = np.dstack([crop] * 3) if colour else crop
    changed, _ = augmented(crop, None, np.random.default_rng(seed))
    assert changed.shape == crop.shape
    assert changed.dtype == np.uint8


def test_given_state_gives_a_given_copy_and_the_crop_stays() -> None:
    before = CROP.copy()
    one, same, other = (augmented(CROP, None, np.random.default_rng(seed))[0] for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    assert np.array_equal(CROP, before)


def test_every_state_draws_equally_often() -> None:
    # so that what one crop is given does not depend on what was drawn for those before it
    for seed in range(20):
        rng, same = np.random.default_rng(seed), np.random.default_rng(seed)
        augmented(CROP, None, rng)
        augmented(CROP[:50, :40], None, same)
        assert rng.random() == same.random()


def test_brightness_and_contrast_change_mildly() -> None:
    rng = np.random.default_rng(5)
    means = [float(augmented(CROP, None, rng)[0].mean()) - float(CROP.mean()) for _ in range(200)]
    assert max(abs(mean) for mean in means) < 22
    assert min(means) < -10
    assert max(means) > 10


def test_thin_crack_remains_after_any_change() -> None:
    crop = np.full((224, 224), 110, np.uint8)
    crop[110:115, 72:152] = 135
    rng = np.random.default_rng(6)
    for _ in range(200):
        changed = augmented(crop, None, rng)[0].astype(int)
        assert (changed > np.median(changed) + 10).sum() > 150


def test_both_flips_and_both_turns_come() -> None:
    crop = np.full((224, 224), 20, np.uint8)
    crop[30:60, 30:60] = 220
    rng = np.random.default_rng(7)
    corners = set()
    for _ in range(60):
        rows, columns = np.nonzero(augmented(crop, None, rng)[0] > 120)
        corners.add((rows.mean() > 112, columns.mean() > 112))
    assert len(corners) == 4


def test_a_mask_moves_with_its_crop() -> None:
    mask = np.zeros((224, 224), np.bool_)
    mask[20:60, 30:34] = True
    rng = np.random.default_rng(8)
    for _ in range(40):
        changed, moved = augmented(mask * np.uint8(200), mask, rng)
        assert moved is not None
        assert changed[moved].mean() > changed[~moved].mean() + 80
        assert 0.5 * mask.sum() < moved.sum() < 1.6 * mask.sum()
