import cv2
import numpy as np
import pytest

from simulator.strangers.drawn import render
from simulator.strangers.drawn_cracks import APART

ROWS, COLUMNS = 600, 900


def test_the_same_arguments_draw_the_same_sheet() -> None:
    one, other = (render(3, 4, 4, ROWS, COLUMNS) for _ in range(2))
    np.testing.assert_array_equal(one.image, other.image)
    np.testing.assert_array_equal(one.instances, other.instances)


def test_another_seed_draws_another_sheet_of_the_same_die() -> None:
    one, other, strange = (
        render(seed, die, 0, ROWS, COLUMNS, plain=True).image for seed, die in [(1, 0), (2, 0), (1, 5)]
    )
    assert (one != other).mean() > 0.5

    def likeness(image: np.ndarray) -> float:
        found = cv2.matchTemplate(
            cv2.GaussianBlur(image, (0, 0), 3), cv2.GaussianBlur(one, (0, 0), 3)[60:-60, 60:-60], cv2.TM_CCOEFF_NORMED
        )
        return float(found.max())

    assert likeness(other) > likeness(strange) + 0.2


@pytest.mark.parametrize("die", range(6))
def test_every_crack_is_brighter_than_the_clean_sheet_and_than_the_noise_there(die: int) -> None:
    cracked, clean = (render(5, die, cracks, ROWS, COLUMNS) for cracks in (4, 0))
    added = cracked.image.astype(np.float32) - clean.image
    assert cracked.instances.max() >= 2
    assert not added[cv2.dilate((cracked.instances > 0).astype(np.uint8), np.ones((49, 49))) == 0].any()
    for k in range(1, int(cracked.instances.max()) + 1):
        mask = cracked.instances == k
        around = cv2.dilate(mask.astype(np.uint8), np.ones((41, 41))).astype(bool)
        fine = clean.image - cv2.blur(clean.image.astype(np.float32), (21, 21))
        assert added[mask].mean() >= max(7, 1.8 * float(np.median(np.abs(fine[around]))) / 0.6745)


def test_cracks_lie_apart() -> None:
    instances = render(7, 1, 10, 900, 900).instances
    assert instances.max() >= 6
    for k in range(1, int(instances.max()) + 1):
        distance = cv2.distanceTransform((instances != k).astype(np.uint8), cv2.DIST_L2, 5)
        others = (instances > 0) & (instances != k)
        assert float(distance[others].min()) >= APART - 1


@pytest.mark.parametrize("plain", [True, False])
def test_a_clean_sheet_has_no_instance(plain: bool) -> None:
    sheet = render(1, 3, 0, ROWS, COLUMNS, plain=plain)
    assert sheet.image.shape == sheet.instances.shape == (ROWS, COLUMNS)
    assert sheet.image.dtype == np.uint8
    assert sheet.instances.dtype == np.uint16
    assert not sheet.instances.any()
    assert sheet.image.std() > 2
