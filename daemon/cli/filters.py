"""Which plates a command is about: options that several commands share, and what is understood by them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from typer import Option

from config.errors import shown
from daemon.cli.options import StateOption

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daemon.store.history import Box, Circle, Selection
    from daemon.store.shifts import Shift
    from stages.plate import Cause

_AGO = {"m": "minutes", "h": "hours", "d": "days"}
_MOMENTS = "2026-11-29, 2026-11-29T06:00, 06:00 (today), 30m, 3h or 2d (ago), today or yesterday"
_PX = 9
"""Digits of a place, at most."""


class FilterError(Exception):
    """An option cannot be understood; the message says what was found and what to give."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which plates, and of which results."""

    since: Annotated[str | None, Option(help=f"seen then or later: {_MOMENTS}")] = None
    until: Annotated[str | None, Option(help="seen before; a day is taken whole")] = None
    shift: Annotated[
        str | None, Option(help="seen in that shift of any day: a name of the configuration, or 06:00-14:00")
    ] = None
    product: Annotated[str | None, Option(help="of that product")] = None
    recipe: Annotated[str | None, Option(help="judged by the recipe of that name")] = None
    batch: Annotated[str | None, Option(help="of that batch")] = None
    part: Annotated[str | None, Option(help="with that part id")] = None
    verdict: Annotated[Literal["OK", "NG", "INCONCLUSIVE"] | None, Option(help="with that verdict")] = None
    cause: Annotated[str | None, Option(help="with that cause: focus, 'rows missing'")] = None
    marked: Annotated[bool, Option("--marked", help="of which somebody marked something")] = False
    place: Annotated[
        str | None, Option(help="with a defect there: a box X0,Y0,X1,Y1 or a circle X,Y,RADIUS, px of the plate")
    ] = None
    config: Annotated[Path | None, Option("--config", "-c", help="configuration file; default: the one that ships")] = (
        None
    )
    state: StateOption = None


def selection_of(filters: Filters, shifts: Mapping[str, str], now: datetime | None = None) -> Selection:
    """The plates that are meant; `shifts` are those of the configuration, `now` has a zone.

    Raises:
        FilterError: an option cannot be understood.
    """
    from daemon.store.history import Selection  # noqa: PLC0415 - commands load what they need
    from stages.plate import Verdict  # noqa: PLC0415

    now = datetime.now().astimezone() if now is None else now
    since = None if filters.since is None else moment("--since", filters.since, now)
    until = None if filters.until is None else moment("--until", filters.until, now, whole_day=True)
    if since is not None and until is not None and since >= until:
        raise FilterError(f"--since {shown(filters.since)} is not before --until {shown(filters.until)}")
    return Selection(
        since=since,
        until=until,
        shift=None if filters.shift is None else _shift(filters.shift, shifts),
        recipe=filters.recipe,
        product=filters.product,
        batch=filters.batch,
        part=filters.part,
        verdict=None if filters.verdict is None else Verdict(filters.verdict),
        cause=None if filters.cause is None else _cause(filters.cause),
        marked=filters.marked,
        place=None if filters.place is None else _place(filters.place),
    )


def moment(option: str, text: str, now: datetime, *, whole_day: bool = False) -> datetime:
    """A moment as people write it, by this machine's clock; with `whole_day`, a day stands for its end.

    Raises:
        FilterError: it cannot be understood.
    """
    try:
        day = {"today": now.date(), "yesterday": now.date() - timedelta(1)}.get(text)
        if ago := re.fullmatch(r"(\d{1,9})([mhd])", text):
            return now - timedelta(**{_AGO[ago[2]]: int(ago[1])})
        if re.fullmatch(r"\d{1,2}:\d{2}", text):
            return datetime.combine(now.date(), time.fromisoformat(text.zfill(5))).astimezone()
        if day is None and re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            day = datetime.fromisoformat(text).date()
        if day is not None:
            return datetime.combine(day + timedelta(whole_day), time()).astimezone()
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise FilterError(f"{option} {shown(text)} is no moment: give {_MOMENTS}") from None


def _shift(text: str, shifts: Mapping[str, str]) -> Shift:
    from config.schema import shift_times  # noqa: PLC0415 - commands load what they need
    from daemon.store.shifts import Shift  # noqa: PLC0415

    try:
        return Shift(*shift_times(shifts.get(text, text)))
    except ValueError:
        known = (
            f"one of {', '.join(shifts)}"
            if shifts
            else 'a name of `shifts` in the configuration ({early: "06:00-14:00"})'
        )
        raise FilterError(f"--shift {shown(text)} is not known: give {known}, or times as in 06:00-14:00") from None


def _cause(text: str) -> Cause:
    from stages.plate import Cause  # noqa: PLC0415 - commands load what they need

    causes = [cause.value for cause in Cause]
    if text.lower() in causes:
        return Cause(text.lower())
    near = get_close_matches(text.lower(), causes) or causes
    raise FilterError(f"--cause {shown(text)} is none: give {', '.join(near)}")


def _place(text: str) -> Box | Circle:
    from daemon.store.history import Box, Circle  # noqa: PLC0415 - commands load what they need

    words = [word.strip() for word in text.split(",")]
    if len(words) in (3, 4) and all(word.isdecimal() and len(word) <= _PX for word in words):
        numbers = [int(word) for word in words]
        if len(numbers) == 3:
            return Circle(*numbers)
        if numbers[0] < numbers[2] and numbers[1] < numbers[3]:
            return Box(*numbers)
    raise FilterError(
        f"--place {shown(text)} is no place: give a box X0,Y0,X1,Y1 with X0 below X1 and Y0 below Y1, or a circle "
        "X,Y,RADIUS; whole numbers, px of the plate"
    )
