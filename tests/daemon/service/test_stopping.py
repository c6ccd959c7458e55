"""How a run ends, as a table of events."""

from __future__ import annotations

import pytest

from daemon.service.stopping import End, Stopping, TellAbort
from stages.plate import Cause

MERGE, RECORD = TellAbort("merge", Cause.SHUTDOWN), TellAbort("record", Cause.SHUTDOWN)


def step(stopping: Stopping, now: float, *, closed: bool = False, finished: bool = False) -> list[TellAbort | End]:
    return stopping.step(now, closed=closed, finished=finished)


def test_a_run_that_nobody_stops_ends_when_all_plates_came_and_are_closed() -> None:
    stopping = Stopping(30.0)
    assert step(stopping, 1.0, closed=True) == []
    assert step(stopping, 2.0, finished=True) == []
    assert step(stopping, 3.0, closed=True, finished=True) == [End()]


def test_a_stop_ends_as_soon_as_its_plates_are_closed() -> None:
    stopping = Stopping(30.0)
    stopping.begin(100.0)
    assert step(stopping, 129.0) == []
    assert step(stopping, 129.5, closed=True) == [End()]
    assert stopping.cause is None


def test_after_the_drain_the_merger_decides_first_then_record_and_then_it_ends() -> None:
    stopping = Stopping(30.0)
    stopping.begin(100.0)
    stopping.begin(120.0)  # a second time changes nothing
    assert step(stopping, 130.1) == [MERGE]
    assert step(stopping, 131.0) == []
    assert step(stopping, 131.2) == [RECORD]
    assert step(stopping, 135.0) == []
    assert step(stopping, 135.2) == [End()]


def test_the_time_that_is_left_to_finish_plates_runs_from_the_stop_and_is_none_once_they_are_given_up() -> None:
    stopping = Stopping(30.0)
    assert stopping.drain_left_s(99.0) is None
    stopping.begin(100.0)
    assert stopping.drain_left_s(112.0) == 18.0
    stopping.lose("tile", 113.0)
    assert stopping.drain_left_s(113.0) == 0.0


def test_a_process_that_comes_up_meanwhile_is_told_what_the_others_know() -> None:
    stopping = Stopping(0.0)
    assert stopping.joined("merge") == []
    stopping.begin(100.0)
    assert step(stopping, 100.1) == [MERGE]
    assert (stopping.joined("merge"), stopping.joined("record"), stopping.joined("tile")) == ([MERGE], [], [])
    step(stopping, 101.2)
    assert stopping.joined("record") == [RECORD]


@pytest.mark.parametrize(
    ("role", "due"),
    [("detect", []), ("merge", [TellAbort("record", Cause.ROLE_LOST)]), ("record", [End()])],
)
def test_a_lost_role_gives_the_plates_up_at_once_without_waiting_for_itself(
    role: str, due: list[TellAbort | End]
) -> None:
    stopping = Stopping(30.0)
    assert stopping.lose(role, 100.0) == [TellAbort("merge", Cause.ROLE_LOST)]
    assert step(stopping, 100.2) == due
    assert stopping.begun
