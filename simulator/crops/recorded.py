"""What all drawn grounds go through to become crops: negatives, rough cracks, the camera's noise and focus."""

from __future__ import annotations

import cv2
import numpy as np

from simulator.crops import rough
from simulator.crops.labelled import LabelledCrop, around
from simulator.crops.skins import sensor
from simulator.crops.wild import disturbance_of
from simulator.sheets.cracks import Grey

_CRACKED_SHARE = 0.6


def recorded(rng: np.random.Generator, picture: Grey, surface: Grey, ridges: float) -> LabelledCrop:
    """A crop of a ground, as a camera records it: now and then a little out of focus.

    One in three is the negative of such a ground, cracks apart: dark crest lines, and the ground of dark cracks. A ring
    around each crack is not judged.

    Args:
        rng: draws all of it.
        picture: grey levels (size, size); may be changed.
        surface: what of it is the metal's own, likewise: what hides a crack.
        ridges: direction, radians, along or across which half of the cracks lie.
    """
    if rng.random() < 1 / 3:
        picture = np.float32(255) - picture
    noise = sensor(rng, len(picture))
    mask, ignore = np.zeros(picture.shape, np.bool_), np.zeros(picture.shape, np.bool_)
    if rng.random() < _CRACKED_SHARE:
        mask, ignore = rough.add_cracks(rng, picture, disturbance_of(surface, noise), ridges)
    if rng.random() < 0.4:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 1.3)), np.float32)
    image = np.asarray(cv2.add(picture, noise, dtype=cv2.CV_8U), np.uint8)
    return image, mask, (ignore | around(mask)) & ~mask
