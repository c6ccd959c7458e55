"""Which plates people mean by what they write: the filters of commands and of the screen's pages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from difflib import get_close_matches
from enum import StrEnum

from config.errors import shown
from config.schema.shifts import shift_times
from daemon.store.history import Box, Circle, Selection
from daemon.store.shifts import Shift
from stages.plate import Cause, Verdict

MOMENTS = "2026-11-29, 2026-11-29T06:00, 06:00 (today), 30m, 3h or 2d (ago), today or yesterday"
_AGO = {"m": "minutes", "h": "hours", "d": "days"}
_PX = 9
"""Digits of a place, at most."""
MOST_CHARACTERS = 500
"""Of a filter; what is longer is the name of nothing."""


class Wrong(StrEnum):
    """What is wrong with a filter."""

    MOMENT = "moment"
    ORDER = "order"
    """The begin is not before the end."""
    SHIFT = "shift"
    VERDICT = "verdict"
    CAUSE = "cause"
    PLACE = "place"
    TEXT = "text"
    """Too long, or with characters that no name has."""
    WIDE = "wide"
    """A place that is larger than is looked at at once."""


class AskedError(Exception):
    """A filter cannot be understood; the message says what was found and what to give."""

    def __init__(self, wrong: Wrong, name: str, found: str, message: str) -> None:
        super().__init__(message)
        self.wrong = wrong
        self.name = name
        """Of the filter: `since`."""
        self.found = found


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Filters as they were written; None says nothing."""

    since: str | None = None
    until: str | None = None
    shift: str | None = None
    recipe: str | None = None
    product: str | None = None
    batch: str | None = None
    part: str | None = None
    verdict: str | None = None
    cause: str | None = None
    marked: bool = False
    place: str | None = None


def selection_of(asked: Asked, shifts: Mapping[str, str], now: datetime | None = None) -> Selection:
    """The plates that are meant; `shifts` are those of the configuration, `now` has a zone.

    Raises:
        AskedError: a filter cannot be understood.
    """
    now = datetime.now().astimezone() if now is None else now
    since = None if asked.since is None else moment("since", asked.since, now)
    until = None if asked.until is None else moment("until", asked.until, now, whole_day=True)
    if since is not None and until is not None and since >= until:
        message = f"--since {shown(asked.since)} is not before --until {shown(asked.until)}"
        raise AskedError(Wrong.ORDER, "since", str(asked.since), message)
    for name in ("recipe", "product", "batch", "part"):
        _text(name, getattr(asked, name))
    return Selection(
        since=since,
        until=until,
        shift=None if asked.shift is None else _shift(asked.shift, shifts),
        recipe=asked.recipe,
        product=asked.product,
        batch=asked.batch,
        part=asked.part,
        verdict=None if asked.verdict is None else _verdict(asked.verdict),
        cause=None if asked.cause is None else _cause(asked.cause),
        marked=asked.marked,
        place=None if asked.place is None else _place(asked.place),
    )


def moment(name: str, text: str, now: datetime, *, whole_day: bool = False) -> datetime:
    """A moment as people write it, by this machine's clock; with `whole_day`, a day stands for its end.

    Raises:
        AskedError: it cannot be understood.
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
        message = f"--{name} {shown(text)} is no moment: give {MOMENTS}"
        raise AskedError(Wrong.MOMENT, name, text, message) from None


def _text(name: str, text: str | None) -> None:
    if text is not None and (len(text) > MOST_CHARACTERS or "\0" in text):
        message = f"--{name} {shown(text)} is no name: give {MOST_CHARACTERS} characters at most, none of them NUL"
        raise AskedError(Wrong.TEXT, name, text, message)


def _shift(text: str, shifts: Mapping[str, str]) -> Shift:
    try:
        return Shift(*shift_times(shifts.get(text, text)))
    except ValueError:
        known = (
            f"one of {', '.join(shifts)}"
            if shifts
            else 'a name of `shifts` in the configuration ({early: "06:00-14:00"})'
        )
        message = f"--shift {shown(text)} is not known: give {known}, or times as in 06:00-14:00"
        raise AskedError(Wrong.SHIFT, "shift", text, message) from None


def _verdict(text: str) -> Verdict:
    try:
        return Verdict(text)
    except ValueError:
        message = f"--verdict {shown(text)} is none: give {', '.join(Verdict)}"
        raise AskedError(Wrong.VERDICT, "verdict", text, message) from None


def _cause(text: str) -> Cause:
    causes = [cause.value for cause in Cause]
    if text.lower() in causes:
        return Cause(text.lower())
    near = get_close_matches(text.lower()[:MOST_CHARACTERS], causes) or causes
    raise AskedError(Wrong.CAUSE, "cause", text, f"--cause {shown(text)} is none: give {', '.join(near)}")


def _place(text: str) -> Box | Circle:
    words = [word.strip() for word in text.split(",")]
    if len(words) in (3, 4) and all(word.isdecimal() and len(word) <= _PX for word in words):
        numbers = [int(word) for word in words]
        if len(numbers) == 3:
            return Circle(*numbers)
        if numbers[0] < numbers[2] and numbers[1] < numbers[3]:
            return Box(*numbers)
    message = (
        f"--place {shown(text)} is no place: give a box X0,Y0,X1,Y1 with X0 below X1 and Y0 below Y1, or a circle "
        "X,Y,RADIUS; whole numbers, px of the plate"
    )
    raise AskedError(Wrong.PLACE, "place", text, message)
