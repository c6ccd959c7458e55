"""Crops of a product's own ground."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from models.training.detector.ground import Ground, ProductGround, holes_of

Grey = NDArray[np.float32]
Mask = NDArray[np.bool_]
SIDE = 64


def line(_: np.random.Generator, picture: Grey, __: float) -> tuple[Mask, Mask]:
    """Paints one bright row, of which the left half is too faint to be asked for."""
    mask, unsure = np.zeros(picture.shape, np.bool_), np.zeros(picture.shape, np.bool_)
    picture[30:33] += 60
    mask[30:33, 32:], unsure[30:33, :32] = True, True
    return mask, unsure


def drawn(ground: ProductGround, count: int = 40) -> list[tuple[NDArray[np.uint8], Mask, Mask]]:
    rng = np.random.default_rng(1)
    return [ground.fresh(rng, SIDE) for _ in range(count)]


def test_half_of_the_crops_are_painted_and_the_rest_is_the_ground_as_it_is() -> None:
    crops = drawn(ProductGround([Ground(np.full((200, 300), 100, np.uint8))], line), 400)
    painted = [crop for crop in crops if crop[1].any()]
    assert 150 < len(painted) < 250
    for image, mask, _ in crops:
        assert image.shape == mask.shape == (SIDE, SIDE)
        assert abs(float(image[~mask & (np.arange(SIDE) > 40)[:, None]].mean()) - 100) < 1
    assert all(image[mask].mean() > 150 for image, mask, _ in painted)


def test_what_is_too_faint_and_a_ring_around_a_crack_are_not_learnt() -> None:
    image, mask, ignored = next(
        crop for crop in drawn(ProductGround([Ground(np.zeros((99, 99), np.uint8))], line)) if crop[1].any()
    )
    assert ignored[31, 5]
    assert ignored[35, 50]
    assert not ignored[50, 50]
    assert not (ignored & mask).any()
    assert image.dtype == np.uint8


def test_what_a_piece_ignores_stays_ignored_in_its_crops() -> None:
    ignored = np.zeros((SIDE, SIDE), np.bool_)
    ignored[:10] = True
    for _, mask, kept in drawn(ProductGround([Ground(np.zeros((SIDE, SIDE), np.uint8), ignored)], line)):
        assert kept[:10].all()
        assert not kept[45:].any()
        assert not mask[:10].any()


def test_a_piece_that_is_too_small_is_mirrored() -> None:
    pixels = np.tile(np.arange(40, dtype=np.uint8) * 5, (40, 1))
    plain = [crop[0] for crop in drawn(ProductGround([Ground(pixels)], line)) if not crop[1].any()]
    assert all(abs(int(image[10, 45]) - int(image[10, 34])) < 12 for image in plain)


def test_dark_cracks_are_painted_bright_on_the_negative() -> None:
    image, _, _ = next(
        crop
        for crop in drawn(ProductGround([Ground(np.full((99, 99), 200, np.uint8))], line, "dark"))
        if not crop[1].any()
    )
    assert abs(float(image.mean()) - 55) < 1


def test_with_both_polarities_each_crop_is_one_of_the_two() -> None:
    crops = drawn(ProductGround([Ground(np.full((99, 99), 200, np.uint8))], line, "both"))
    levels = {round(float(np.median(image))) for image, _, _ in crops}
    assert levels == {55, 200}


def test_places_that_look_like_a_crack_come_more_often() -> None:
    pixels = np.zeros((1000, 1000), np.uint8)
    pixels[700, 700] = 255
    seen = sum(
        bool((crop[0] > 200).any()) for crop in drawn(ProductGround([Ground(pixels, hard=((700, 700),))], line), 300)
    )
    assert 60 < seen < 130


def test_no_crack_is_painted_where_there_is_no_metal() -> None:
    holes = np.zeros((SIDE, SIDE), np.bool_)
    holes[:, 40:] = True
    for image, mask, ignored in drawn(ProductGround([Ground(np.full((SIDE, SIDE), 9, np.uint8), holes=holes)], line)):
        assert not mask[:, 40:].any()
        assert not ignored[:, 50:].any()
        assert image[:, 40:].max() < 20


def test_a_port_is_a_hole_and_a_narrow_shadow_is_metal() -> None:
    sheet = np.full((400, 400), 120, np.uint8)
    sheet[100:200, 100:200] = 12
    sheet[300:310] = 12
    found = holes_of(sheet)
    assert found[97:203, 97:203].all()
    assert found.sum() == 106 * 106


def test_two_in_three_crops_come_again_once_there_are_enough() -> None:
    ground = ProductGround([Ground(np.random.default_rng(3).integers(0, 255, (400, 400), np.uint8))], line)
    rng = np.random.default_rng(1)
    first = [ground(rng, SIDE) for _ in range(48)]
    assert len({crop[0].tobytes() for crop in first}) == 48
    known, again = {crop[0].tobytes() for crop in first}, 0
    for _ in range(300):
        content = ground(rng, SIDE)[0].tobytes()
        again += content in known
        known.add(content)
    assert 160 < again < 240


def test_the_fingerprint_is_that_of_pixels_and_of_what_is_ignored() -> None:
    pixels = np.zeros((50, 50), np.uint8)
    plain = ProductGround([Ground(pixels)], line).fingerprint()
    assert plain == ProductGround([Ground(pixels.copy())], line).fingerprint()
    assert plain != ProductGround([Ground(pixels + 1)], line).fingerprint()
    assert plain != ProductGround([Ground(pixels, np.ones((50, 50), np.bool_))], line).fingerprint()


def test_nothing_is_learnt_from_no_ground() -> None:
    with pytest.raises(ValueError, match="no ground"):
        ProductGround([], line)


def test_a_real_crack_is_learnt_where_it_is_bright_and_not_judged_where_it_is_dark() -> None:
    pixels, crack = np.full((SIDE, SIDE), 100, np.uint8), np.zeros((SIDE, SIDE), np.bool_)
    crack[20:24, 5:60] = True
    pixels[crack] = 180
    for _, mask, ignored in drawn(ProductGround([Ground(pixels, cracks=crack)], line)):
        assert np.array_equal(mask, crack)
        assert not (ignored & crack).any()
        assert ignored[18, 30]
    for _, mask, ignored in drawn(ProductGround([Ground(pixels, cracks=crack)], line, "dark")):
        assert not mask.any()
        assert ignored[crack].all()
