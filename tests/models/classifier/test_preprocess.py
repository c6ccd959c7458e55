from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.classifier.preprocess import INPUT, MEAN, STD, prepared, resized


def noise(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(5).integers(0, 256, shape, np.uint8)


def restored(batch: torch.Tensor) -> NDArray[np.float32]:
    values = batch * torch.tensor(STD)[:, None, None] + torch.tensor(MEAN)[:, None, None]
    return np.asarray((255 * values).numpy(), np.float32)


def test_crop_of_the_input_size_keeps_its_pixels() -> None:
    crop = noise(INPUT, INPUT)
    batch = prepared([crop])
    assert batch.shape == (1, 3, INPUT, INPUT)
    assert batch.dtype == torch.float32
    for plane in restored(batch)[0]:
        assert np.allclose(plane, crop, atol=1e-3)


def test_colours_keep_their_planes() -> None:
    crop = noise(INPUT, INPUT, 3)
    assert np.allclose(restored(prepared([crop]))[0], crop.transpose(2, 0, 1), atol=1e-3)


def test_photograph_of_any_size_is_taken_as_a_whole() -> None:
    for shape in ((448, 672), (1, 1), (3, 500), (500, 3), (100, 90, 3), (225, 223)):
        assert prepared([noise(*shape)]).shape == (1, 3, INPUT, INPUT)


def test_shrinking_takes_the_mean_of_the_area() -> None:
    crop = noise(2 * INPUT, 2 * INPUT)
    means = crop.reshape(INPUT, 2, INPUT, 2).mean((1, 3))
    assert np.abs(resized(crop) - means).max() <= 1


def test_growing_invents_no_levels() -> None:
    crop = np.array([[50, 90], [60, 80]], np.uint8)
    large = resized(crop)
    assert large.shape == (INPUT, INPUT)
    assert (large.min(), large.max()) == (50, 90)
    assert np.all(np.diff(large[0].astype(int)) >= 0)


def test_crops_are_read_in_place_at_any_strides_and_never_written() -> None:
    plate = noise(600, 700)
    plate.flags.writeable = False
    view = plate[100:324, 650:202:-2]
    assert torch.equal(prepared([view]), prepared([view.copy()]))


def test_batch_is_the_crops_in_their_order_each_as_if_alone() -> None:
    crops = [noise(INPUT, INPUT), noise(90, 300), noise(400, 224, 3)]
    batch = prepared(crops)
    for place, crop in enumerate(crops):
        assert torch.equal(batch[place : place + 1], prepared([crop]))


def test_no_crops_are_an_empty_batch() -> None:
    assert prepared([]).shape == (0, 3, INPUT, INPUT)


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (5,), (5, 5, 4), (5, 5, 1), (2, 5, 5, 3)])
def test_crop_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="a crop is uint8"):
        prepared([np.zeros(shape, np.uint8)])


def test_crop_of_another_type_is_refused() -> None:
    with pytest.raises(ValueError, match="float32"):
        prepared([np.zeros((5, 5), np.float32)])
