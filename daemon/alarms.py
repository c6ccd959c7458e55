"""What the detector takes for a crack most of all on sheets without one: what the classifier is there to tell apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from config.schema import Recipe
from models.detector import Detector, WindowView
from models.halo import around
from simulator.classifier_crops import SIDE, Cut
from simulator.crops import stretch_of
from simulator.interference import Kind
from simulator.products import PRODUCTS
from simulator.sheet import render
from stages.plate import windows_of

ALARM = "alarm"
"""Class of these crops."""
_A_STRETCH = 30
"""Crops of one stretch of a sheet: the highest of its windows, each from another window."""
_ENDS_SHARE = 0.5
"""Of the stretches of products with zones at the ends of their sheets."""
_INTERFERENCE: tuple[tuple[Kind, ...], ...] = ((), (), ("light",), ("noise",), ("oil",))


def alarms(products: Sequence[str], first_seed: int, count: int) -> Iterator[Cut]:
    """So many crops of defect-free sheets of these products in turn, where the shipped detector's values are highest.

    Raises:
        DetectorError: the shipped weights cannot be used.
    """
    if not count:
        return
    detector = Detector.load(Recipe(name="alarms"), device="cpu", batch=1)
    made = 0
    seed = first_seed
    while made < count:
        rng = np.random.default_rng([seed, 3])
        product = stretch_of(rng, PRODUCTS[products[seed % len(products)]], _ENDS_SHARE)
        kinds = _INTERFERENCE[int(rng.integers(len(_INTERFERENCE)))]
        sheet = render(product, seed, 0, interference=kinds, strength=rng.uniform(0.3, 1.0)).image
        for x, y in _highest(detector, sheet)[: count - made]:
            pixels = sheet[y : y + SIDE, x : x + SIDE].copy()
            nothing = np.zeros((SIDE, SIDE), np.bool_)
            yield Cut(pixels, nothing, product.name, ALARM, f"{product.name}/{seed}")
            made += 1
        seed += 1


def _highest(detector: Detector, sheet: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """Left and top of the crops around the windows' highest values, the highest first."""
    rows, columns = sheet.shape
    found = []
    for window in windows_of(rows, columns, detector.recipe.windows):
        pixels = sheet[window.y : window.y + window.height, window.x : window.x + window.width]
        own = (0, 0, window.width, window.height)
        near = around(sheet, window.x, window.y, window.width, window.height)
        values = detector.features(WindowView(pixels, window.x, window.y, own, near))
        # As in a region, a single value may be chance.
        smooth = cv2.blur(values, (5, 5))
        at_y, at_x = np.unravel_index(int(smooth.argmax()), smooth.shape)
        x, y = window.x + 2 * int(at_x) - SIDE // 2, window.y + 2 * int(at_y) - SIDE // 2
        place = min(max(x, 0), columns - SIDE), min(max(y, 0), rows - SIDE)
        found.append((float(smooth.max()), *place))
    found.sort(reverse=True)
    return [(x, y) for _, x, y in found[:_A_STRETCH]]
