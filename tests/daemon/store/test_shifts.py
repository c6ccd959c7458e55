"""Shifts by this machine's clock, over midnight and on days that have not 24 hours."""

from __future__ import annotations

import time as clock
from collections.abc import Iterator
from datetime import datetime, time, timedelta

import pytest

from daemon.store.shifts import Shift


@pytest.fixture
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    clock.tzset()
    yield
    monkeypatch.undo()
    clock.tzset()


@pytest.mark.usefixtures("in_berlin")
@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 7), ("2026-10-25", 9), ("2026-06-01", 8)])
def test_a_night_is_as_long_as_the_clock_makes_it(day: str, hours: int) -> None:
    morning = datetime.fromisoformat(f"{day}T05:00").astimezone()
    ((begin, end),) = Shift(time(22), time(6)).spans(morning, morning)
    assert (begin.hour, end.hour) == (22, 6)
    assert end.timestamp() - begin.timestamp() == hours * 3600


@pytest.mark.usefixtures("in_berlin")
def test_a_shift_holds_its_begin_and_not_its_end() -> None:
    late = Shift(time(14), time(22))
    moment = datetime.fromisoformat("2026-06-01T14:00").astimezone()
    assert late.holds(moment)
    assert not late.holds(moment - timedelta(microseconds=1))
    assert late.holds(moment + timedelta(hours=8, microseconds=-1))
    assert not late.holds(moment + timedelta(hours=8))


@pytest.mark.usefixtures("in_berlin")
def test_a_shift_that_ends_when_it_begins_is_the_whole_day() -> None:
    moment = datetime.fromisoformat("2026-06-01T05:59").astimezone()
    assert all(Shift(time(6), time(6)).holds(moment + timedelta(hours=hour)) for hour in range(25))
