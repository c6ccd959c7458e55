"""What the detector takes for a crack most of all on sheets without one: what the classifier is there to tell apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import cv2
import numpy as np

from config.schema import Recipe
from models.detector.detector import Detector
from simulator.crops.classifier import SIDE, Cut, stretches
from simulator.sheets.interference import Kind
from simulator.sheets.sheet import Sheet
from stages.detect import swaths
from stages.plate import windows_of

HARD_NEGATIVE = "alarm"
"""Class of these crops, under its first name: cards of weights count pictures by it."""
PER_STRETCH = 30
"""Crops of one stretch of a sheet: the highest of its windows, each from another window."""
_INTERFERENCE: tuple[tuple[Kind, ...], ...] = ((), (), ("light",), ("noise",), ("oil",))


def hard_negatives(
    products: Sequence[str], first_seed: int, count: int, per_stretch: int = PER_STRETCH
) -> Iterator[Cut]:
    """So many crops of defect-free sheets of these products in turn, where the shipped detector's values are highest.

    Args:
        products: of the sheets.
        first_seed: of the first sheet; each has one of its own.
        count: of all crops.
        per_stretch: crops of one sheet, at most.

    Raises:
        DetectorError: the shipped weights cannot be used.
    """
    if not count:
        return
    detector = Detector.load(Recipe(name="hard-negatives"), device="cpu")
    found = stretches(products, first_seed, 0, _INTERFERENCE, stream=3)
    cuts = (cut for _, sheet, product in found for cut in _highest(detector, sheet, product.name, per_stretch))
    yield from islice(cuts, count)


def _highest(detector: Detector, sheet: Sheet, product: str, most: int) -> list[Cut]:
    """The crops around the windows' highest values, the highest first."""
    image = sheet.image
    rows, columns = image.shape
    found = []
    cutting = detector.recipe.windows
    for windows, views in swaths(image, windows_of(rows, columns, cutting), cutting):
        for window, values in zip(windows, detector.features_of(views), strict=True):
            # As in a region, a single value may be chance.
            smooth = cv2.blur(values, (5, 5))
            at_y, at_x = np.unravel_index(int(smooth.argmax()), smooth.shape)
            x, y = window.x + 2 * int(at_x) - SIDE // 2, window.y + 2 * int(at_y) - SIDE // 2
            place = min(max(x, 0), columns - SIDE), min(max(y, 0), rows - SIDE)
            found.append((float(smooth.max()), *place))
    found.sort(reverse=True)
    nothing = np.zeros((SIDE, SIDE), np.bool_)
    return [
        Cut(image[y : y + SIDE, x : x + SIDE].copy(), nothing, product, HARD_NEGATIVE, f"{product}/{sheet.truth.seed}")
        for _, x, y in found[:most]
    ]
