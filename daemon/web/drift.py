"""The page of drift: light, focus, dust, length and defects of a product's latest sheets, as control charts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from daemon.store.asked import AskedError
from daemon.store.reading import Reader
from daemon.store.series import Floats, Series, read_series
from daemon.web.filters import choices, of_one_product, products, query, recipes, selected, sheets_asked
from daemon.web.numbers import Numbers
from daemon.web.pages import page, words_of
from daemon.web.results import with_results
from daemon.web.site import site_of
from models.measure.control import LEAST_POINTS, Chart, of_means, of_shares
from stages.optics import OpticalFault

SHEETS = (200, 1_000, 5_000)
"""How many of the latest may be looked at."""
POINTS = 40
"""Of a chart, at most."""
WIDTH, HEIGHT, _EDGE = 800, 180, 14
"""Of a drawing."""


@dataclass(frozen=True, slots=True)
class Point:
    """A point of a chart, as it is drawn and told."""

    x: float
    y: float
    side: str
    """`above` or `below` its limit, or empty."""
    value: float
    first: datetime
    """Of its sheets."""
    last: datetime
    query: str
    """Of the page with its sheets."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A chart as the page shows it."""

    name: str
    """Key of its words."""
    is_share: bool
    chart: Chart
    points: Sequence[Point]
    line: str
    """Of the values, their centre and their limits, as data of SVG paths; limits are empty of too few points."""
    centre: float
    low: str
    high: str


def drift(request: Request) -> Response:
    """The page."""
    return with_results(request, "common.drift", lambda found: _page(request, found))


def _page(request: Request, found: Reader) -> Response:
    site, now = site_of(request), datetime.now().astimezone()
    asked, count = of_one_product(request, found, times=True), sheets_asked(request, SHEETS)
    shown: dict[str, Any] = {
        "asked": asked,
        "choices": choices(asked, site.config.shifts, now),
        "counts": SHEETS,
        "count": count,
        "products": products(found, asked.product),
        "recipes": recipes(found, asked.recipe),
        "numbers": Numbers(words_of(request).language),
        "wrong": None,
        "charts": [],
        "notes": found.notes,
        "sheets": 0,
    }
    try:
        selection, _ = selected(asked, site, now)
    except AskedError as error:
        return page(request, "drift.html.j2", status=400, **{**shown, "wrong": error})
    series = read_series(found, selection, count)
    made = charts(series, lambda begin, end: query(replace(asked, since=begin.isoformat(), until=end.isoformat())))
    shown |= {
        "charts": made,
        "out": sum(one.chart.out for one in made),
        "sheets": len(series.at),
        "faults": [fault.name.lower() for fault in OpticalFault if f'"{fault}"' in series.faults],
        "least": LEAST_POINTS,
        "width": WIDTH,
        "height": HEIGHT,
    }
    return page(request, "drift.html.j2", **shown)


def charts(series: Series, linked: Callable[[datetime, datetime], str]) -> list[Drawn]:
    """The charts of what is known of these sheets, each point of so many sheets one after the other."""
    made = []
    for name in ("brightness", "focus", "unevenness", "rows"):
        values: Floats = getattr(series, name)
        places = np.flatnonzero(np.isfinite(values))
        groups = _groups(places)
        if groups:
            means = np.array([values[group].mean() for group in groups])
            made.append(_drawn(name, of_means(means), groups, series, linked))
    groups = _groups(np.arange(len(series.at)))
    for name, flags in (("ng", series.ng), ("dust", series.dust)):
        if groups:
            counts = np.array([int(flags[group].sum()) for group in groups])
            chart = of_shares(counts, np.array([len(group) for group in groups]))
            made.append(_drawn(name, chart, groups, series, linked, is_share=True))
    return made


def _groups(places: np.ndarray[Any, np.dtype[np.intp]]) -> list[np.ndarray[Any, np.dtype[np.intp]]]:
    return np.array_split(places, min(POINTS, len(places))) if len(places) else []


def _drawn(
    name: str,
    chart: Chart,
    groups: Sequence[np.ndarray[Any, np.dtype[np.intp]]],
    series: Series,
    linked: Callable[[datetime, datetime], str],
    *,
    is_share: bool = False,
) -> Drawn:
    limited = bool(np.isfinite(chart.low).all())
    every = np.concatenate([chart.values, *([chart.low, chart.high] if limited else [])])
    least, most = float(every.min()), float(every.max())
    # A thousandth of change is no mountain.
    room = max(most - least, 0.02 * abs(most), 1e-6)
    bottom = (least + most - room) / 2
    step = (WIDTH - 2 * _EDGE) / max(len(groups) - 1, 1)

    def y(value: float) -> float:
        return round(HEIGHT - _EDGE - (HEIGHT - 2 * _EDGE) * (value - bottom) / room, 1)

    def path(values: Floats) -> str:
        return "M" + "L".join(f"{_EDGE + place * step:.1f} {y(value)}" for place, value in enumerate(values.tolist()))

    sides = [
        "above" if above else "below" if below else "" for above, below in zip(chart.above, chart.below, strict=True)
    ]
    points = [
        Point(
            x=round(_EDGE + place * step, 1),
            y=y(float(chart.values[place])),
            side=sides[place],
            value=float(chart.values[place]),
            first=series.at[group[0]],
            last=series.at[group[-1]],
            query=linked(series.at[group[0]], series.at[group[-1]] + timedelta(microseconds=1)),
        )
        for place, group in enumerate(groups)
    ]
    low, high = (path(chart.low), path(chart.high)) if limited else ("", "")
    return Drawn(name, is_share, chart, points, path(chart.values), y(chart.centre), low, high)


ROUTES = [Route("/drift", drift)]
