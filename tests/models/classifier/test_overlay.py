from __future__ import annotations

import subprocess
import sys

import numpy as np

from models.classifier.overlay import overlay

CROP = np.random.default_rng(1).integers(0, 256, (224, 224), np.uint8)


def test_crop_without_evidence_stays_as_it_is() -> None:
    assert np.array_equal(overlay(CROP, np.zeros((7, 7), np.uint8)), np.repeat(CROP[:, :, None], 3, 2))


def test_strongest_place_turns_red_and_the_rest_stays() -> None:
    crop = np.full((224, 224), 100, np.uint8)
    heat = np.zeros((7, 7), np.uint8)
    heat[1, 5] = 255
    picture = overlay(crop, heat)
    assert picture.shape == (224, 224, 3)
    assert picture.dtype == np.uint8
    red, green, blue = picture[48, 176].astype(int)
    assert red > green
    assert red > blue
    assert np.all(picture[112:, :112] == 100)


def test_colours_of_a_photograph_are_kept() -> None:
    crop = np.random.default_rng(2).integers(0, 256, (100, 150, 3), np.uint8)
    assert np.array_equal(overlay(crop, np.zeros((7, 7), np.uint8)), crop)


def test_neither_crops_nor_overlay_bring_in_torch() -> None:
    program = "import sys, models.classifier.crops, models.classifier.overlay; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
