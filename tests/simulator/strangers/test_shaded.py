"""The shaded family: repeatable, one die behind all sheets of a product, cracks that an eye can see."""

import cv2
import numpy as np
import pytest

from simulator.strangers.shaded import render
from simulator.strangers.shaded_dies import KINDS, make_die
from simulator.strangers.shaded_places import APART, WEAKEST, noise_of

ROWS, COLUMNS = 640, 900


def test_the_same_arguments_give_the_same_bits() -> None:
    first, second = (render(3, 0, 4, ROWS, COLUMNS) for _ in range(2))
    assert (first.image == second.image).all()
    assert (first.instances == second.instances).all()
    assert first.image.shape == first.instances.shape == (ROWS, COLUMNS)
    assert (first.image.dtype.name, first.instances.dtype.name) == ("uint8", "uint16")


def test_another_seed_gives_another_sheet_of_the_same_product() -> None:
    """All sheets of a die agree once moved by what a placement may move them; those of two dies do not."""

    def agreement(first: int, second: int, other: int) -> float:
        a, b = (
            cv2.GaussianBlur(render(seed, die, 0, ROWS, COLUMNS, plain=True).image, (0, 0), 3)
            for seed, die in ((first, 0), (second, other))
        )
        # 20 px of shift, and what turn and stretch move a piece 200 px from the middle.
        piece = a[ROWS // 2 - 150 : ROWS // 2 + 150, COLUMNS // 2 - 200 : COLUMNS // 2 + 200]
        around = b[ROWS // 2 - 172 : ROWS // 2 + 172, COLUMNS // 2 - 222 : COLUMNS // 2 + 222]
        assert not (a == b).all()
        return float(cv2.matchTemplate(around, piece, cv2.TM_CCOEFF_NORMED).max())

    assert agreement(1, 2, 0) > 0.85
    assert agreement(1, 2, 6) < 0.6


def test_dies_of_all_kinds_can_be_pressed() -> None:
    seen = [render(1, die, 1, 400, 520).image.astype(float) for die in range(len(KINDS))]
    assert {make_die(die).kind for die in range(len(KINDS))} == set(KINDS)
    assert all(image.std() > 5 for image in seen)


@pytest.mark.parametrize("die", range(len(KINDS)))
def test_each_crack_is_brighter_than_what_surrounds_it_and_stands_apart(die: int) -> None:
    sheet = render(5, die, 3, ROWS, COLUMNS)
    image, cracked = sheet.image.astype(np.float32), (sheet.instances > 0).astype(np.uint8)
    assert set(np.unique(sheet.instances)) == set(range(4))
    for number in range(1, 4):
        mask = (sheet.instances == number).astype(np.uint8)
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (25, 25))
        ring = (cv2.dilate(mask, disc) > 0) & (cv2.dilate(mask, np.ones((7, 7), np.uint8)) == 0)
        contrast = image[mask > 0].mean() - image[ring].mean()
        assert contrast > max(WEAKEST, 2 * noise_of(image, ring))
        others = cv2.distanceTransform(1 - (cracked & (1 - mask)), cv2.DIST_L2, 5)
        assert others[mask > 0].min() >= APART


def test_a_crack_changes_only_what_lies_about_it() -> None:
    clean, cracked = (render(8, 2, cracks, ROWS, COLUMNS) for cracks in (0, 3))
    assert not clean.instances.any()
    far = cv2.distanceTransform((cracked.instances == 0).astype(np.uint8), cv2.DIST_L2, 5) > 40
    assert (clean.image == cracked.image)[far].all()
    inside = cracked.instances > 0
    assert (cracked.image.astype(int) - clean.image)[inside].mean() >= WEAKEST


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ((-1, 0, 0, 400, 400), "seed -1"),
        ((0, 0, 0, 100, 400), "at least 256"),
        ((0, 0, 90, 400, 400), "no place for crack"),
    ],
)
def test_what_cannot_be_rendered_is_refused_with_the_reason(wrong: tuple[int, int, int, int, int], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        render(*wrong)
