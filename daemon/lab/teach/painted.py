"""Good sheets with cracks painted on them, whose places are known."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from config.schema import Recipe
from models.measure.scored import TruthBox
from models.training.detector.ground import holes_of
from models.training.detector.metal import Paint

_PATCH, _APART = 352, 32
"""Side, px, of what is painted on at once, and what lies between two of them, so that no cracks of them touch."""
_MOST_PATCHES = 40
"""Of a sheet."""
_SHARE = 0.6
"""Of the patches that a sheet has room for."""
_LEAST_AREA = 60
"""Px of a crack that must lie in a patch for it to be asked for; a smaller rest was cut off by the patch's border."""


def painted(
    pixels: NDArray[np.uint8], recipe: Recipe, paint: Paint, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], list[TruthBox]]:
    """A copy of a sheet with cracks of the recipe's polarity, and where they are; too faint ones count neither way."""
    image, holes = pixels.copy(), holes_of(pixels)
    truth: list[TruthBox] = []
    rows, columns = image.shape
    places = [(x, y) for y in _starts(rows) for x in _starts(columns)]
    count = max(1, min(_MOST_PATCHES, round(_SHARE * len(places))))
    for index in rng.permutation(len(places))[:count]:
        x, y = places[index]
        patch = image[y : y + _PATCH, x : x + _PATCH]
        dark = recipe.polarity == "dark" or (recipe.polarity == "both" and rng.random() < 0.5)
        grey = (255 - patch if dark else patch).astype(np.float32)
        (height, width), side = grey.shape, max(grey.shape)
        whole = cv2.copyMakeBorder(grey, 0, side - height, 0, side - width, cv2.BORDER_REFLECT)
        square = np.asarray(whole, np.float32)
        mask, unsure = paint(rng, square, 0.0)
        metal = ~holes[y : y + _PATCH, x : x + _PATCH]
        drawn = np.clip(np.rint(np.where(metal, square[:height, :width], grey)), 0, 255).astype(np.uint8)
        image[y : y + _PATCH, x : x + _PATCH] = 255 - drawn if dark else drawn
        truth += _cracks(mask[:height, :width] & metal, unsure[:height, :width] & metal, x, y, recipe)
    return image, truth


def _starts(length: int) -> list[int]:
    """Where patches begin, spread over a length."""
    count = max(1, (length + _APART) // (_PATCH + _APART))
    return [int(start) for start in np.linspace(0, max(0, length - _PATCH), count)]


def _cracks(mask: NDArray[np.bool_], unsure: NDArray[np.bool_], x: int, y: int, recipe: Recipe) -> list[TruthBox]:
    """Stretches of one crack that are too faint join its parts; what the recipe masks is not asked for."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats((mask | unsure).astype(np.uint8), connectivity=8)
    seen = np.bincount(labels[mask], minlength=count)
    found = []
    for index in range(1, count):
        left, top, width, height, _ = stats[index].tolist()
        box = (x + left, y + top, width, height)
        asked = bool(seen[index] >= _LEAST_AREA) and not _masked(box, recipe)
        found.append(TruthBox(box, asked=asked))
    return found


def _masked(box: tuple[int, int, int, int], recipe: Recipe) -> bool:
    """Whether a mask of the recipe reaches into a box."""
    x, y, width, height = box
    return any(
        one.x < x + width and x < one.x + one.width and one.y < y + height and y < one.y + one.height
        for one in recipe.masks
    )
