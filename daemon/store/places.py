"""Where on the sheet defects lie, how large they are, and at which places they come again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from daemon.store.period import OPEN, Floats, Found, Period, Product
from models.measure.repeated import LEAST_SHEETS, Defects, Place, cells_of, repeated_places


@dataclass(frozen=True, slots=True)
class Repeated:
    """A place of a product that repeats."""

    place: Place
    first: float
    """When the first of its sheets was seen, s since 1970."""
    last: float
    since_first: int
    """Sheets of the product from that on."""
    vetoed: int
    """Of its defects, those that the classifier vetoed."""


@dataclass(frozen=True, slots=True)
class OfProduct:
    """The defects of one product on its sheet."""

    product: Product
    sheets: int
    """That were looked at; one that passed again counts once."""
    columns: int
    """Usual size, px."""
    rows: int
    pitch: tuple[float, float] | None
    """mm a pixel across and along the travel; None where the recipe has none."""
    x: NDArray[np.int32]
    """Worst pixels of its defects, px; and which were vetoed."""
    y: NDArray[np.int32]
    vetoed: NDArray[np.bool_]
    found: NDArray[np.intp]
    """Where they stand among the period's."""
    plates: NDArray[np.intp]
    """Its plates among the period's."""
    repeated: tuple[Repeated, ...]


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sizes of defects; one value a defect."""

    length: Floats
    """Diagonal of its box."""
    width: Floats
    """Its area by its length."""
    score: Floats
    vetoed: NDArray[np.bool_]
    unit: str
    """mm, or px where a recipe of them has no pitch."""


@dataclass(frozen=True, slots=True)
class _Sheets:
    """What of a product is looked at."""

    product: Product
    found: NDArray[np.intp]
    """Its defects, as places in the period's."""
    pitch: tuple[float, float] | None
    defects: Defects
    plates: NDArray[np.intp]
    """Its plates."""


def products_only(period: Period) -> NDArray[np.bool_]:
    """Of each defect, whether it is on a product: not on the golden sheet."""
    return ~period.plates.golden[period.found.plate]


def of_products(period: Period) -> list[OfProduct]:
    """The products with their places, those with most sheets first."""
    each = [one for place in range(len(period.products)) if (one := _sheets(period, place)) is not None]
    # What is named by chance is counted over the whole report.
    tests = sum(cells_of(one.defects) for one in each if one.defects.of >= LEAST_SHEETS)
    made = [_of_product(period, one, tests) for one in each]
    return sorted(made, key=lambda one: -one.sheets)


def sizes(period: Period) -> Sizes:
    """How large the defects of products are."""
    found, chosen = period.found, products_only(period)
    in_mm = chosen.any() and bool(
        np.isfinite(found.width_mm[chosen]).all() and np.isfinite(found.height_mm[chosen]).all()
    )
    width, height = (found.width_mm, found.height_mm) if in_mm else (found.width, found.height)
    length = np.hypot(width[chosen], height[chosen])
    with np.errstate(divide="ignore", invalid="ignore"):
        a_pixel = (width * height / (found.width * found.height))[chosen]
        thick = found.area[chosen] * a_pixel / length
    return Sizes(length, thick, found.score[chosen], found.vetoed[chosen], "mm" if in_mm else "px")


def _sheets(period: Period, product: int) -> _Sheets | None:
    """What of that product was looked at; None where nothing was."""
    plates, found = period.plates, period.found
    seen = (plates.product == product) & (plates.scored > 0) & (plates.verdict != OPEN) & ~plates.golden
    if not seen.any():
        return None
    chosen = np.flatnonzero(seen[found.plate])
    names, sheet = np.unique(plates.sheet[seen], return_inverse=True)
    of_plate = np.zeros(len(seen), np.int64)
    of_plate[seen] = sheet
    defects = Defects(
        found.x[chosen],
        found.y[chosen],
        of_plate[found.plate[chosen]],
        len(names),
        int(np.median(plates.columns[seen])),
        int(np.median(plates.rows[seen])),
    )
    return _Sheets(period.products[product], chosen, _pitch(found, chosen), defects, np.flatnonzero(seen))


def _of_product(period: Period, one: _Sheets, tests: int) -> OfProduct:
    defects, found = one.defects, period.found
    places = repeated_places(defects, tests=tests) if defects.of >= LEAST_SHEETS else []
    return OfProduct(
        product=one.product,
        sheets=defects.of,
        columns=defects.columns,
        rows=defects.rows,
        pitch=one.pitch,
        x=found.x[one.found],
        y=found.y[one.found],
        vetoed=found.vetoed[one.found],
        found=one.found,
        plates=one.plates,
        repeated=tuple(_repeated(period, one, place) for place in places),
    )


def _repeated(period: Period, one: _Sheets, place: Place) -> Repeated:
    there = one.found[place.defects]
    at = period.plates.at[period.found.plate[there]]
    since = one.plates[period.plates.at[one.plates] >= at.min()]
    return Repeated(
        place=place,
        first=float(at.min()),
        last=float(at.max()),
        since_first=len(np.unique(period.plates.sheet[since])),
        vetoed=int(period.found.vetoed[there].sum()),
    )


def _pitch(found: Found, chosen: NDArray[np.intp]) -> tuple[float, float] | None:
    """Mm a pixel, which the store has in the sizes of boxes alone; None where defects lack them."""
    with np.errstate(divide="ignore", invalid="ignore"):
        across = found.width_mm[chosen] / found.width[chosen]
        along = found.height_mm[chosen] / found.height[chosen]
    known = np.isfinite(across) & np.isfinite(along) & (across > 0) & (along > 0)
    return (float(np.median(across[known])), float(np.median(along[known]))) if known.any() else None
