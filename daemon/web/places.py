"""The page of places: where the defects of a product's latest sheets lie, and which places repeat."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from daemon.store.asked import Asked, AskedError
from daemon.store.history import latest_since
from daemon.store.period import Period, local, read_sheets
from daemon.store.places import OfProduct, Repeated, of_products
from daemon.store.reading import Reader
from daemon.web.filters import of_one_product, products, query, recipes, selected, sheets_asked
from daemon.web.numbers import Numbers
from daemon.web.pages import page, words_of
from daemon.web.results import with_results
from daemon.web.site import site_of
from models.measure.repeated import LEAST_RATIO, LEAST_SHEETS, LEVEL
from stages.mark import Mark, MarkKind

SHEETS = (100, 300, 1_000)
"""How many of the latest may be looked at."""
_MOST_POINTS = 3_000
"""Defects that are drawn one by one; more of them are counted in squares."""
_CELLS, _SHADES = 120, 5
"""Squares along a sheet's longer side, and how many shades they have."""
_MOST_MARKS = 500
_MOST_LINKS = 8
"""Sheets of a place that are named."""


@dataclass(frozen=True, slots=True)
class Signs:
    """Marks of one kind, where they stand on the map, px."""

    kind: str
    """`confirmed`, `false_alarm` or `missed`."""
    places: list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Map:
    """A sheet with its defects; lengths are px of the sheet."""

    of: OfProduct
    dots: str
    """Of the defects that count, as data of an SVG path; empty where they are counted in squares."""
    vetoed: str
    shades: list[tuple[int, str]]
    """By shade, 1 the palest: its squares, as data of an SVG path."""
    side: int
    """Of a square."""
    most: int
    """Defects in the fullest square."""
    signs: list[Signs]
    unit: int
    """What a small sign is large."""


@dataclass(frozen=True, slots=True)
class Again:
    """A place that repeats, as the page shows it."""

    repeated: Repeated
    sheets: list[int]
    """The latest plates with a defect there."""
    more: int
    """Further ones."""
    query: str
    """Of the page of all sheets with a defect there."""
    first: datetime
    last: datetime
    radius: int
    """Of its ring on the map, px."""


def places(request: Request) -> Response:
    """The page."""
    return with_results(request, "common.places", lambda found: _page(request, found))


def _page(request: Request, found: Reader) -> Response:
    site = site_of(request)
    asked, count = of_one_product(request, found), sheets_asked(request, SHEETS)
    shown: dict[str, Any] = {
        "asked": asked,
        "counts": SHEETS,
        "count": count,
        "products": products(found, asked.product),
        "recipes": recipes(found, asked.recipe),
        "numbers": Numbers(words_of(request).language),
        "wrong": None,
        "local": local,
        "maps": [],
        "notes": found.notes,
        "sheets": 0,
    }
    try:
        selection, _ = selected(asked, site, datetime.now().astimezone())
    except AskedError as error:
        return page(request, "places.html.j2", status=400, **{**shown, "wrong": error})
    period = read_sheets(found, replace(selection, since=latest_since(found.store, selection, count)))
    each = of_products(period)
    shown |= {
        "maps": [(one, drawn(period, one), _again(period, one)) for one in each],
        "sheets": period.ledger.seen,
        "simulated": period.simulated,
        "repeated": sum(len(one.repeated) for one in each),
        "least": LEAST_SHEETS,
        "ratio": LEAST_RATIO,
        "level": 100 * LEVEL,
        "cells": _MOST_POINTS,
    }
    return page(request, "places.html.j2", **shown)


def drawn(period: Period, one: OfProduct) -> Map:
    """The map of a product's defects."""
    longest = max(one.columns, one.rows, 1)
    inside = (one.x >= 0) & (one.y >= 0) & (one.x < one.columns) & (one.y < one.rows)
    counting, vetoed = inside & ~one.vetoed, inside & one.vetoed
    side = max(1, -(-longest // _CELLS))
    many = int(inside.sum()) > _MOST_POINTS
    shades, most = _squares(one, counting, side) if many else ([], 0)
    return Map(
        of=one,
        dots="" if many else _dots(one, counting),
        vetoed="" if many else _dots(one, vetoed),
        shades=shades,
        side=side,
        most=most,
        signs=_signs(period, one),
        unit=max(1, longest // 100),
    )


def _dots(one: OfProduct, chosen: NDArray[np.bool_]) -> str:
    return "".join(f"M{x} {y}h0" for x, y in zip(one.x[chosen].tolist(), one.y[chosen].tolist(), strict=True))


def _squares(one: OfProduct, chosen: NDArray[np.bool_], side: int) -> tuple[list[tuple[int, str]], int]:
    over = -(-one.columns // side)
    cell = one.y[chosen] // side * over + one.x[chosen] // side
    cells, counts = np.unique(cell, return_counts=True)
    most = int(counts.max(initial=1))
    shade = np.ceil(_SHADES * counts / most).astype(int)
    return [
        (
            level,
            "".join(
                f"M{place % over * side} {place // over * side}h{side}v{side}h-{side}z"
                for place in cells[shade == level].tolist()
            ),
        )
        for level in range(1, _SHADES + 1)
    ], most


def _signs(period: Period, one: OfProduct) -> list[Signs]:
    """The marks on defects of this product, and of cracks that were missed on its sheets."""
    at = {
        (int(period.plates.number[period.found.plate[place]]), int(period.found.number[place])): (int(x), int(y))
        for place, x, y in zip(one.found.tolist(), one.x.tolist(), one.y.tolist(), strict=True)
    }
    numbers = set(period.plates.number[one.plates].tolist())
    found: dict[MarkKind, list[tuple[int, int]]] = {
        kind: [] for kind in (MarkKind.CONFIRMED, MarkKind.FALSE_ALARM, MarkKind.MISSED)
    }
    for mark in period.marks[-_MOST_MARKS:]:
        place = at.get((mark.plate, mark.defect)) if mark.defect is not None else _middle(mark, numbers)
        if place is not None and mark.kind in found:
            found[mark.kind].append(place)
    return [Signs(kind.name.lower(), there) for kind, there in found.items()]


def _middle(mark: Mark, numbers: set[int]) -> tuple[int, int] | None:
    if mark.place is None or mark.plate not in numbers:
        return None
    return (mark.place.x0 + mark.place.x1) // 2, (mark.place.y0 + mark.place.y1) // 2


def _again(period: Period, one: OfProduct) -> list[Again]:
    found = []
    for repeated in one.repeated:
        place = repeated.place
        there = one.found[place.defects]
        plates = sorted(set(period.plates.number[period.found.plate[there]].tolist()), reverse=True)
        product = Asked(product=one.product.name, recipe=one.product.recipe)
        where = f"{place.x},{place.y},{place.slack}"
        found.append(
            Again(
                repeated=repeated,
                sheets=plates[:_MOST_LINKS],
                more=max(0, len(plates) - _MOST_LINKS),
                query=query(product, place=where),
                first=local(repeated.first),
                last=local(repeated.last),
                radius=max(place.slack, max(one.columns, one.rows) // 50),
            )
        )
    return found


ROUTES = [Route("/places", places)]
