"""The page of all sheets: which, how many of each verdict, why, and the sheets themselves, the latest first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from daemon.store.asked import Asked, AskedError
from daemon.store.history import EVERYTHING, Position, Selection, causes
from daemon.store.reading import Reader
from daemon.store.rows import Ledger
from daemon.web.export import MOST_SHEETS, export, has_parquet
from daemon.web.filters import SHIFT_DAYS, WIDEST_PX, asked_of, choices, products, query, recipes, selected
from daemon.web.numbers import Numbers, moment
from daemon.web.pages import page, words_of
from daemon.web.results import with_results
from daemon.web.site import site_of
from models.measure.assessment import Share
from stages.plate import Cause, Verdict, found_and_vetoed

SHEETS = 50
"""On a page."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class OfVerdict:
    """The sheets of a verdict."""

    verdict: Verdict
    share: Share
    """Of the sheets that have a verdict."""
    query: str
    """Of the page with these alone."""


@dataclass(frozen=True, slots=True)
class OfCause:
    """The sheets with a cause."""

    cause: Cause
    share: Share
    """Of the sheets that were not OK."""
    so_far: float
    """Share of all mentions that this and the more frequent ones make."""
    bar: float
    """0 to 100: its length, the most frequent having 100."""
    query: str


def history(request: Request) -> Response:
    """The page."""
    return with_results(request, "common.history", lambda found: _page(request, found))


def _page(request: Request, found: Reader) -> Response:
    site, asked = site_of(request), asked_of(request)
    now = datetime.now().astimezone()
    shown: dict[str, Any] = {
        "asked": asked,
        "choices": choices(asked, site.config.shifts, now),
        "shifts": list(site.config.shifts),
        "products": products(found, asked.product),
        "recipes": recipes(found, asked.recipe),
        "verdicts": list(Verdict),
        "causes": list(Cause),
        "numbers": Numbers(words_of(request).language),
        "widest": WIDEST_PX,
        "wrong": None,
    }
    try:
        selection, shortened = selected(asked, site, now)
    except AskedError as error:
        return page(request, "history.html.j2", status=400, **{**shown, "wrong": error})
    limits: dict[str, Any] = {"selection": selection, "shortened": shortened, "days": SHIFT_DAYS}
    return page(request, "history.html.j2", **shown, **limits, **_found(request, found, asked, selection))


def _found(request: Request, found: Reader, asked: Asked, selection: Selection) -> dict[str, Any]:
    """What the page shows of the plates that are meant."""
    ledger = found.totals(selection)
    before = _position(request.query_params.get("before", ""))
    rows = list(found.plates(selection, SHEETS, before))
    last = rows[-1] if len(rows) == SHEETS else None
    return {
        "ledger": ledger,
        "everything": selection == EVERYTHING,
        "of_verdicts": _of_verdicts(ledger, asked),
        "of_causes": _of_causes(causes(found.store, selection), ledger, asked),
        "rows": rows,
        "defects": {row.plate: found_and_vetoed(row.defects) for row in rows},
        "moment": moment,
        "later": before is not None,
        "newest": query(asked),
        "older": None if last is None else query(asked, before=_written(Position(last.seen_at, last.plate))),
        "export": query(asked),
        "most": MOST_SHEETS,
        "has_parquet": has_parquet(),
        "notes": found.notes,
    }


def _of_verdicts(ledger: Ledger, asked: Asked) -> list[OfVerdict]:
    counts = {Verdict.OK: ledger.ok, Verdict.NG: ledger.ng, Verdict.INCONCLUSIVE: ledger.inconclusive}
    of = sum(counts.values())
    return [
        OfVerdict(verdict, Share(count, of), query(replace(asked, verdict=verdict.value)))
        for verdict, count in counts.items()
    ]


def _of_causes(counts: dict[Cause, int], ledger: Ledger, asked: Asked) -> Sequence[OfCause]:
    not_ok, mentions, so_far = ledger.ng + ledger.inconclusive, sum(counts.values()), 0
    most, made = max(counts.values(), default=0), []
    for cause, count in counts.items():
        so_far += count
        # A sheet may come between the two questions.
        share = Share(count, max(count, not_ok))
        bar = round(100 * count / most, 1)
        made.append(OfCause(cause, share, so_far / mentions, bar, query(replace(asked, cause=cause.value))))
    return made


def _written(position: Position) -> str:
    """A position for an address: microseconds since 1970, and the plate."""
    return f"{(position.seen_at - _EPOCH) // _MICROSECOND}-{position.plate}"


def _position(text: str) -> Position | None:
    """The position of an address; None where there is none, and for what is none: then the page is the first."""
    if (parts := re.fullmatch(r"(\d{1,17})-(\d{1,9})", text, re.ASCII)) is None:
        return None
    return Position(_EPOCH + timedelta(microseconds=int(parts[1])), int(parts[2]))


ROUTES = [
    Route("/history", history),
    Route("/history/{form}", export),
]
