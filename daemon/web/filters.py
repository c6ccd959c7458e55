"""The filters of a page: read from its address, understood as those of the commands are, and shown in its form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from starlette.requests import Request

from config.schema.shifts import shift_times
from daemon.store.asked import Asked, AskedError, Wrong, selection_of
from daemon.store.history import EVERYTHING, Box, Circle, Selection, names
from daemon.store.reading import Reader
from daemon.store.shifts import Shift
from daemon.web.site import Site

WIDEST_PX = 1_000
"""Across, of a place that a page looks at: so that no page takes long."""
SHIFT_DAYS = 31
"""Of which a page looks at a shift of each: likewise."""
_MOST_NAMES = 200
"""Products or recipes that a form offers; more of them are asked for in the address."""
_NAMES = tuple(one.name for one in fields(Asked))


@dataclass(frozen=True, slots=True)
class Choice:
    """A stretch of time to be chosen at once."""

    key: str
    """Of its words, in the section `filters`."""
    shift: str
    """Name of the shift, where it is one."""
    query: str
    chosen: bool


def asked_of(request: Request) -> Asked:
    """The filters of an address, as they were written; what is empty says nothing."""
    given = {name: request.query_params.get(name, "").strip() for name in _NAMES}
    said: dict[str, str] = {name: value for name, value in given.items() if value and name != "marked"}
    return Asked(marked=bool(given["marked"]), **said)


def of_one_product(request: Request, found: Reader, *, times: bool = False) -> Asked:
    """The product and recipe that are asked for, with their times where those count.

    Of an address that names neither they are those of the latest sheet.
    """
    said = asked_of(request)
    asked = Asked(product=said.product, recipe=said.recipe)
    if times:
        asked = replace(asked, since=said.since, until=said.until)
    if "product" in request.query_params or "recipe" in request.query_params:
        return asked
    latest = next(iter(found.plates(EVERYTHING, 1)), None)
    if latest is None:
        return asked
    if latest.product is not None:
        return replace(asked, product=latest.product)
    return replace(asked, recipe=latest.recipe)


def sheets_asked(request: Request, offered: Sequence[int]) -> int:
    """How many of the latest sheets are asked for: one of those offered, the second where nothing else is said."""
    said = request.query_params.get("sheets", "")
    return next((count for count in offered if str(count) == said), offered[1])


def selected(asked: Asked, site: Site, now: datetime) -> tuple[Selection, bool]:
    """The plates that are meant, and whether it is of fewer days than that. Raises AskedError."""
    selection = selection_of(asked, site.config.shifts, now)
    match selection.place:
        case Box(x0=x0, x1=x1):
            across = x1 - x0
        case Circle(radius=radius):
            across = 2 * radius
        case _:
            across = 0
    if across > WIDEST_PX:
        raise AskedError(Wrong.WIDE, "place", str(asked.place), f"--place is wider than {WIDEST_PX} px")
    # Begins of days go back as far as a calendar does.
    first = max(selection.until or now, datetime(2000, 1, 1, tzinfo=UTC)) - timedelta(SHIFT_DAYS)
    if selection.shift is not None and (selection.since is None or selection.since < first):
        return replace(selection, since=first), True
    return selection, False


def query(asked: Asked, **others: object) -> str:
    """The filters as the part of an address behind `?`."""
    given: dict[str, object] = {name: getattr(asked, name) for name in _NAMES}
    given["marked"] = 1 if asked.marked else None
    return urlencode({name: value for name, value in {**given, **others}.items() if value is not None})


def choices(asked: Asked, shifts: Mapping[str, str], now: datetime) -> list[Choice]:
    """Stretches of time up to now, with the other filters kept."""
    offered = [("always", "", None), ("today", "", "today")]
    for name, text in shifts.items():
        shift = Shift(*shift_times(text))
        if shift.holds(now):
            offered.append(("this_shift", name, f"{shift.spans(now, now)[-1][0]:%Y-%m-%dT%H:%M}"))
    offered += [("day", "", "24h"), ("week", "", "7d")]
    return [
        Choice(key, name, query(replace(asked, since=since, until=None)), (asked.since, asked.until) == (since, None))
        for key, name, since in offered
    ]


def products(found: Reader, asked: str | None) -> Sequence[str]:
    """The products that a form offers, the one that is asked for among them."""
    return _with(names(found.store, "product", _MOST_NAMES), asked)


def recipes(found: Reader, asked: str | None) -> Sequence[str]:
    """The recipes that a form offers, the one that is asked for among them."""
    return _with(names(found.store, "recipe", _MOST_NAMES), asked)


def _with(offered: list[str], asked: str | None) -> list[str]:
    return offered if asked is None or asked in offered else [asked, *offered]
