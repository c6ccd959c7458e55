"""What the study looks at: test sheets of products never trained on, sheets to choose levels on, training crops."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.measure.assessment import TruthBox
from models.training.detector.crops import LabelledCrop
from simulator.crops.cut import TRAINING_PRODUCTS, SheetCrops
from simulator.sheets.interference import Kind
from simulator.sheets.products import PRODUCTS
from simulator.sheets.reference import load_reference
from simulator.sheets.sheet import render

Scale = Literal["small", "full"]
TEST_PRODUCTS = ("02CG", "EA10B")
"""No network was trained on them and the study chooses no level on them; some settings that ship were weighed there."""
CRACKS = 20
"""A sheet or a stretch."""
CROP_PX = 384
_TEST_ROWS, _TUNING_ROWS = 3300, 1700
_TUNING_SEEDS = {"P10B": (7001, 7002, 7003, 7004), "U20B": (7101, 7102, 7103, 7104)}
"""Neither test seeds nor in the range that training crops draw from."""
_CROPS = {"small": 600, "full": 1200}


@dataclass(frozen=True, slots=True, eq=False)
class Plate:
    """A sheet, or a sheet that was made short so that it is quickly looked at."""

    product: str
    seed: int
    image: NDArray[np.uint8]
    truth: tuple[TruthBox, ...]

    @property
    def name(self) -> str:
        """Product and seed."""
        return f"{self.product}-{self.seed}"


def unseen_plates(scale: Scale, kinds: Sequence[Kind] = ()) -> Iterator[Plate]:
    """All test seeds of both test products: whole sheets at scale `full`, sheets of 3,300 rows at scale `small`."""
    seeds = load_reference().test_seeds
    for product in TEST_PRODUCTS:
        for seed in seeds[product]:
            if scale == "small":
                yield _short(product, seed, _TEST_ROWS, tuple(kinds))
            else:
                yield _plate(product, seed, PRODUCTS[product].rows, tuple(kinds))


def tuning_plates() -> Iterator[Plate]:
    """Sheets of 1,700 rows of the training products, on which thresholds and levels are chosen."""
    for product, seeds in _TUNING_SEEDS.items():
        for seed in seeds:
            yield _short(product, seed, _TUNING_ROWS, ())


@lru_cache(maxsize=2)
def training_crops(scale: Scale, seed: int) -> tuple[LabelledCrop, ...]:
    """Crops of rendered sheets of the training products: the same for everything that is trained with this seed."""
    source, rng = SheetCrops(), np.random.default_rng(seed)
    return tuple(source(rng, CROP_PX) for _ in range(_CROPS[scale]))


# Twelve short sheets and eight for tuning, of 25 million px each, and some of an interference.
@lru_cache(maxsize=32)
def _short(product: str, seed: int, rows: int, kinds: tuple[Kind, ...]) -> Plate:
    return _plate(product, seed, rows, kinds)


def _plate(product: str, seed: int, rows: int, kinds: tuple[Kind, ...]) -> Plate:
    sheet = render(replace(PRODUCTS[product], rows=rows), seed, CRACKS, interference=kinds)
    truth = tuple(
        TruthBox(
            (crack.x, crack.y, crack.width, crack.height),
            width_px=crack.width_px,
            height_grey=crack.height_grey,
            length_mm=crack.length_mm,
            visible=crack.visible,
            cluster=crack.cluster,
            pixels=crack.pixels,
        )
        for crack in sheet.truth.cracks
    )
    return Plate(product, seed, sheet.image, truth)


assert set(_TUNING_SEEDS) == set(TRAINING_PRODUCTS)
