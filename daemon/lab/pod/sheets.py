"""The good sheets that cracks are painted on: a folder's, or simulated ones of the recipe's product."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from config.schema import Recipe
from daemon.cameras.simulated import product_of
from daemon.offline.inspect import CAMERA_WIDTH
from models.images import ImageError, open_image
from models.training.photographs import is_picture, labels_of
from simulator.sheets.products import PRODUCTS, Product
from simulator.sheets.sheet import render
from simulator.sheets.write import mask_path
from stages.image_sheet import plate_columns

_ANY_PRODUCT = "02CG"
"""For a recipe without a size: a product whose sheets no network that ships was trained on."""
_SIMULATED, _MOST_ROWS = 12, 3300
_FIRST_SEED = 700_000
"""Far from the test seeds of simulator/sheets/reference.yaml, and below those that training draws from."""


class PodError(ValueError):
    """What was asked for cannot be measured; the message says what was found and what to do."""


@dataclass(frozen=True, slots=True)
class GoodSheet:
    """One sheet that is called good."""

    name: str
    load: Callable[[], NDArray[np.uint8]]
    """Its plate's pixels, (rows, columns), to be written into. Raises ImageError."""


@dataclass(frozen=True, slots=True)
class Sheets:
    """All of them."""

    source: str
    simulated: bool
    good: tuple[GoodSheet, ...]
    left_out: tuple[tuple[str, str], ...] = ()
    """Names and reasons of those that cannot be used."""


def simulated_sheets(recipe: Recipe, seed: int) -> Sheets:
    """Clean stretches of up to 3,300 rows of the recipe's product; of 02CG for a recipe without a size."""
    sized = recipe.length is not None and recipe.columns is not None
    whole = product_of(recipe) if sized else PRODUCTS[_ANY_PRODUCT]
    side = whole.long_side or ("rows" if whole.rows >= whole.columns else "columns")
    product = replace(whole, rows=min(whole.rows, _MOST_ROWS), long_side=side)
    first = _FIRST_SEED + 1000 * seed
    good = (
        GoodSheet(f"{product.name}/{number}", partial(_rendered, product, number))
        for number in range(first, first + _SIMULATED)
    )
    return Sheets(f"{product.name}, simulated, {product.rows:,} rows", simulated=True, good=tuple(good))


def _rendered(product: Product, seed: int) -> NDArray[np.uint8]:
    return render(product, seed, 0).image


def folder_sheets(path: Path, recipe: Recipe) -> Sheets:
    """The images of a folder and of those below it; those with a mask NAME_mask.png that marks defects are not good.

    Raises:
        PodError: it is no folder, or none of its images can be used.
    """
    if not path.is_dir():
        raise PodError(f"{path} is no folder: give --data the folder that holds images of good sheets")
    images = [one for one in sorted(path.rglob("*")) if is_picture(one) and one.is_file()]
    if not images:
        raise PodError(f"{path} holds no image: give --data a folder of PNG, TIFF, BMP or JPEG files of good sheets")
    good: list[GoodSheet] = []
    left_out: list[tuple[str, str]] = []
    for image in images:
        name = image.relative_to(path).as_posix()
        try:
            _refuse(image, recipe)
        except (ImageError, ValueError) as error:
            left_out.append((name, str(error)))
        else:
            good.append(GoodSheet(name, partial(_read, image, recipe)))
    if not good:
        raise PodError(none_good(str(path), left_out))
    return Sheets(str(path), simulated=False, good=tuple(good), left_out=tuple(left_out))


def none_good(source: str, left_out: list[tuple[str, str]]) -> str:
    """The message where nothing is left to paint on."""
    shown = "; ".join(f"{name}: {why}" for name, why in left_out[:3])
    more = f"; and {len(left_out) - 3} more" if len(left_out) > 3 else ""
    return f"{source}: none of {len(left_out)} images is a good sheet of the recipe ({shown}{more})"


def _refuse(image: Path, recipe: Recipe) -> None:
    mask = mask_path(image)
    if mask.is_file() and labels_of(mask).any():
        raise ValueError("its mask marks defects: only sheets without one are painted on")
    with open_image(image) as source:
        plate_columns(source.width, recipe, CAMERA_WIDTH)
        if min(source.width, source.height) < max(template.width for template in recipe.templates):
            raise ValueError(f"{source.width} x {source.height} px is smaller than the widest line to be found")


def _read(image: Path, recipe: Recipe) -> NDArray[np.uint8]:
    with open_image(image) as source:
        first, last = plate_columns(source.width, recipe, CAMERA_WIDTH)
        pixels = source.rows(0, source.height)[:, first:last]
        if source.depth_doubt:
            raise ImageError(source.depth_doubt)
        return np.array(pixels)
