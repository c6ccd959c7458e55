"""What shows too little for an answer."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from models.classifier.judgeable import doubts, unjudgeable
from models.detector.known_window import known_window

METAL = known_window(224)


def noise(mean: float, sigma: float, shape: tuple[int, int] = (224, 224)) -> NDArray[np.uint8]:
    return np.clip(np.rint(np.random.default_rng(1).normal(mean, sigma, shape)), 0, 255).astype(np.uint8)


def partly(pixels: NDArray[np.uint8], grey: int, share: float) -> NDArray[np.uint8]:
    pixels = pixels.copy()
    pixels[: round(share * pixels.shape[0])] = grey
    return pixels


@pytest.mark.parametrize(
    ("pixels", "words"),
    [
        (np.zeros((224, 224), np.uint8), "nothing to see: 100% of it is black"),
        (noise(2, 2), "is black"),
        (np.full((224, 224), 255, np.uint8), "nothing to see: 100% of it is white"),
        (np.full((224, 224), 9, np.uint8), "of one grey (9 to 9)"),
        (np.full((1000, 1000), 128, np.uint8), "of one grey (128 to 128)"),
        (noise(128, 0.4), "of one grey"),
        (np.full((1, 1), 7, np.uint8), "1 x 1 px are too few"),
        (METAL[:31, :], "224 x 31 px are too few"),
        (METAL[:, :5], "5 x 224 px are too few"),
        (partly(METAL, 0, 0.95), "95% of it is black"),
        (partly(METAL, 255, 0.95), "95% of it is white"),
    ],
)
def test_nothing_can_be_said_of_a_picture_in_which_nothing_is_seen(pixels: NDArray[np.uint8], words: str) -> None:
    assert words in str(unjudgeable(pixels))


@pytest.mark.parametrize(
    ("pixels", "words"),
    [
        (partly(METAL, 0, 0.6), "60% of it is black or white"),
        (noise(128, 1), "hardly any contrast (grey 125 to 131)"),
        (np.tile(METAL, (5, 1)), "224 x 1120 px are reduced 5.0 times"),
        (METAL[:40, :40], "40 x 40 px are enlarged 5.6 times"),
    ],
)
def test_an_answer_on_a_picture_that_shows_little_is_doubted(pixels: NDArray[np.uint8], words: str) -> None:
    assert unjudgeable(pixels) is None
    (said,) = doubts(pixels)
    assert words in said


@pytest.mark.parametrize("pixels", [METAL, noise(60, 4), noise(200, 10, (600, 400)), METAL[:64, :64], METAL // 4 + 20])
def test_metal_is_judged_without_a_word(pixels: NDArray[np.uint8]) -> None:
    assert unjudgeable(pixels) is None
    assert doubts(pixels) == ()
