"""What a detector is evaluated on: pictures with their truth, and simulated sheets as such.

Pictures come one by one and are dropped by whoever takes them: a whole sheet is up to 188 MB.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from config.schema import Recipe
from daemon.lab.data.marks import noise_beside
from daemon.lab.data.passed_over import PassedOver
from daemon.lab.data.polarity import SIMULATED, SetPolarity
from models.measure.assessment import TruthBox
from models.training.photographs import grey
from simulator.sheets.interference import Kind
from simulator.sheets.products import Product
from simulator.sheets.reference import load_reference
from simulator.sheets.sheet import render
from simulator.sheets.truth import Truth


class SourceError(ValueError):
    """Data that cannot be evaluated on; the message says what was found and what to do."""


class PictureError(SourceError):
    """One picture that cannot be judged, while others can."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        """The same for every picture of that kind."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One plate or photograph with its truth."""

    name: str
    group: str
    kind: str
    """The product, or the set and class of a photograph."""
    image: NDArray[np.uint8]
    """(rows, columns)."""
    truth: tuple[TruthBox, ...]
    interference: str = "none"
    mm2: float | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """Pictures that are made or read when they are asked for."""

    name: str
    count: int
    product: str | None
    """The product they all show, if one is known."""
    pictures: Callable[[Recipe], Iterator[Picture]]
    """For a recipe, whose rule joins the pieces of a mask. Raises SourceError where not one can be judged."""
    passed: PassedOver = field(default_factory=PassedOver)
    """What is not judged, and why; pictures that turn out to be unusable are added while they are read."""
    polarities: Mapping[str, SetPolarity] = field(default_factory=dict)
    """How cracks differ from their ground, by set."""


def usable(where: str, passed: PassedOver, loads: Iterable[Callable[[], Picture]]) -> Iterator[Picture]:
    """The pictures that can be judged; the others are counted.

    Raises:
        PictureError: there is none that can be.
    """
    fault, judged = None, False
    for load in loads:
        try:
            picture = load()
        except PictureError as error:
            passed.add(where, error.reason, str(error))
            fault = fault or error
            continue
        judged = True
        yield picture
        del picture
    if fault is not None and not judged:
        raise fault


def grey_of(path: Path) -> NDArray[np.uint8]:
    """Grey values, (rows, columns).

    Raises:
        PictureError: it cannot be read.
    """
    try:
        return grey(path)
    except ValueError as error:
        raise PictureError("cannot be read: write it again, or take it out", str(error)) from error


def simulated(
    product: Product,
    plates: int,
    *,
    seed: int | None = None,
    density: int | None = None,
    interference: Sequence[str] = ("none",),
    strength: float = 1.0,
) -> Source:
    """Sheets made on the fly, each with each interference ("none", "oil", or several at once: "oil+light").

    Args:
        product: what they show.
        plates: how many seeds.
        seed: the first one; None: the test seeds of simulator/sheets/reference.yaml, then those that follow on the
            last.
        density: cracks a sheet; None: the reference's.
        interference: one set of the same sheets for each.
        strength: of the interference.

    Raises:
        SourceError: an interference that is unknown, or no test seeds for the product.
    """
    if seed is None:
        known = load_reference().test_seeds.get(product.name)
        if not known:
            raise SourceError(f"simulator/sheets/reference.yaml has no test seeds of {product.name}: give --seed")
        seeds = [*known, *range(known[-1] + 1, known[-1] + 1 + plates)][:plates]
    else:
        seeds = list(range(seed, seed + plates))
    kinds = {name: _kinds(name) for name in dict.fromkeys(interference)}

    def make(recipe: Recipe) -> Iterator[Picture]:
        del recipe
        for number in seeds:
            for name, together in kinds.items():
                sheet = render(product, number, density, interference=together, strength=strength)
                yield _of_truth(sheet.image, sheet.truth, product, parse_interference(name, strength))

    name = f"{product.name} (simulated)"
    bright = {product.name: SetPolarity("bright", SIMULATED)}
    return Source(name, len(seeds) * len(kinds), product.name, make, polarities=bright)


def _kinds(name: str) -> tuple[Kind, ...]:
    known: dict[str, Kind] = {kind: kind for kind in get_args(Kind)}
    parts = [part for part in name.split("+") if part != "none"]
    if unknown := [part for part in parts if part not in known]:
        raise SourceError(f"unknown interference {unknown[0]!r}: choose from none, {', '.join(known)}, or oil+noise")
    return tuple(known[part] for part in parts)


def parse_interference(interference: str, strength: float) -> str:
    """The name under which figures of it are gathered."""
    return interference if interference == "none" or strength == 1 else f"{interference} x {strength:g}"


def _of_truth(image: NDArray[np.uint8], truth: Truth, product: Product, interference: str) -> Picture:
    marks = []
    for crack in truth.cracks:
        box = (crack.x, crack.y, crack.width, crack.height)
        noise = noise_beside(image, box, crack.pixels)
        marks.append(
            TruthBox(
                box=box,
                width_px=crack.width_px,
                height_grey=crack.height_grey,
                contrast_to_noise=crack.height_grey / noise,
                length_mm=crack.length_mm,
                length_px=length_of(crack.polyline),
                visible=crack.visible,
                cluster=crack.cluster,
                pixels=crack.pixels,
            )
        )
    name = f"{product.name}/{truth.seed}"
    return Picture(
        name=name if interference == "none" else f"{name} {interference}",
        group=name,
        kind=product.name,
        image=image,
        truth=tuple(marks),
        interference=interference,
        mm2=image.size * product.row_mm * product.column_mm,
    )


def length_of(polyline: Sequence[Sequence[float]]) -> float:
    """Length of a line through points (x, y), px."""
    return sum(math.dist(a, b) for a, b in pairwise(polyline))
