"""What people write to say which plates they mean."""

from __future__ import annotations

from datetime import datetime, time, timedelta

import pytest

from daemon.store.asked import Asked, AskedError, moment, selection_of
from daemon.store.history import EVERYTHING, Box, Circle
from daemon.store.shifts import Shift
from stages.plate import Cause, Verdict

NOW = datetime(2026, 11, 29, 15, 30).astimezone()
SHIFTS = {"early": "06:00-14:00", "night": "22:00-06:00"}


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone()


@pytest.mark.parametrize(
    ("text", "first", "end"),
    [
        ("2026-11-28", "2026-11-28T00:00", "2026-11-29T00:00"),
        ("today", "2026-11-29T00:00", "2026-11-30T00:00"),
        ("yesterday", "2026-11-28T00:00", "2026-11-29T00:00"),
        ("6:05", "2026-11-29T06:05", "2026-11-29T06:05"),
        ("2026-11-28T06:00", "2026-11-28T06:00", "2026-11-28T06:00"),
        ("2026-11-28 06:00:30", "2026-11-28T06:00:30", "2026-11-28T06:00:30"),
        ("2026-11-28T06:00+00:00", "2026-11-28T06:00+00:00", "2026-11-28T06:00+00:00"),
        ("90m", "2026-11-29T14:00", "2026-11-29T14:00"),
        ("2d", "2026-11-27T15:30", "2026-11-27T15:30"),
    ],
)
def test_a_moment_is_understood_as_people_write_it(text: str, first: str, end: str) -> None:
    assert moment("since", text, NOW) == local(first)
    assert moment("until", text, NOW, whole_day=True) == local(end)


@pytest.mark.parametrize("text", ["", "soon", "25:00", "2026-13-01", "999999999d", "-3h", "3", "\x1b[2J", "0001-01-01"])
def test_what_is_no_moment_is_said_with_what_would_be_one(text: str) -> None:
    with pytest.raises(AskedError, match=r"give 2026-11-29, .* yesterday") as told:
        moment("since", text, datetime.min.replace(tzinfo=NOW.tzinfo) if text.startswith("0001") else NOW)
    assert str(told.value).isprintable()


def test_each_option_becomes_what_is_asked_of_a_plate() -> None:
    filters = Asked(since="2d", until="1h", shift="night", cause="Focus", verdict="NG", place="1,2,30,40", part="A")
    found = selection_of(filters, SHIFTS, NOW)
    assert (found.since, found.until) == (NOW - timedelta(days=2), NOW - timedelta(hours=1))
    assert (found.shift, found.cause, found.verdict) == (Shift(time(22), time(6)), Cause.FOCUS, Verdict.NG)
    assert (found.place, found.part) == (Box(1, 2, 30, 40), "A")
    assert selection_of(Asked(place="9, 8, 7"), {}).place == Circle(9, 8, 7)
    assert selection_of(Asked(shift="06:00-14:00"), {}).shift == Shift(time(6), time(14))
    assert selection_of(Asked(), SHIFTS) == EVERYTHING


@pytest.mark.parametrize(
    ("filters", "says"),
    [
        (Asked(shift="late"), "give one of early, night, or times as in 06:00-14:00"),
        (Asked(shift="24:00-06:00"), "'24:00-06:00' is not known"),
        (Asked(cause="focsu"), "give focus"),
        (Asked(cause="?"), "give defect, rows missing"),
        (Asked(place="1,2"), "a circle X,Y,RADIUS"),
        (Asked(place="30,2,1,40"), "X0 below X1"),
        (Asked(place="1,2,9999999999,4"), "is no place"),
        (Asked(place="1,2,-3,4"), "is no place"),
        (Asked(since="1h", until="2h"), "is not before"),
        (Asked(verdict="ok"), "'ok' is none: give OK, NG, INCONCLUSIVE"),
        (Asked(batch="B" * 501), "500 characters at most"),
        (Asked(part="S\0"), "none of them NUL"),
    ],
)
def test_what_cannot_be_understood_is_said_with_what_to_give(filters: Asked, says: str) -> None:
    with pytest.raises(AskedError) as told:
        selection_of(filters, SHIFTS, NOW)
    assert says in str(told.value)


def test_without_shifts_in_the_configuration_it_is_said_how_to_name_them() -> None:
    with pytest.raises(AskedError, match=r"`shifts` in the configuration .*06:00-14:00"):
        selection_of(Asked(shift="late"), {})
