"""How a run ends, as a table of events."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from daemon.service.stopping import DECIDE_S, GIVE_UP_S, End, State, Stopping, TellAbort
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


DRAIN_S = 5.0
ORDER = [State.RUNNING, State.DRAINING, State.DECIDING, State.CLOSING]


class AnyEnd(RuleBasedStateMachine):
    """Signals, lost roles, restarts and time in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.stopping = Stopping(DRAIN_S)
        self.now = 100.0
        self.before = State.RUNNING
        self.begun_at: float | None = None
        self.told: set[str] = set()
        self.ended = False

    def _take(self, due: list[TellAbort | End]) -> None:
        for one in due:
            if isinstance(one, TellAbort):
                assert one.cause is self.stopping.cause
                self.told.add(one.role)
            else:
                self.ended = True

    def _stop(self) -> None:
        self.begun_at = self.now if self.begun_at is None else self.begun_at

    @rule()
    def signal_comes(self) -> None:
        self.stopping.begin(self.now)
        self._stop()

    @rule(role=st.sampled_from(["line", "detect", "merge", "record"]))
    def role_is_lost(self, role: str) -> None:
        self._take(list(self.stopping.lose(role, self.now)))
        self._stop()

    @rule(role=st.sampled_from(["tile", "merge", "record"]))
    def process_joins(self, role: str) -> None:
        told = self.stopping.joined(role)
        assert {one.role for one in told} == self.told & {role}

    @rule(seconds=st.floats(0.0, 3.0), closed=st.booleans(), finished=st.booleans())
    def time_passes(self, seconds: float, closed: bool, finished: bool) -> None:
        self.now += seconds
        self._take(step(self.stopping, self.now, closed=closed, finished=finished))

    @invariant()
    def it_goes_one_way_and_ends_in_time(self) -> None:
        self.stopping.validate()
        assert ORDER.index(self.stopping.state) >= ORDER.index(self.before)
        self.before = self.stopping.state
        assert self.told <= {"merge", "record"}
        assert "record" not in self.told or "merge" in self.told
        if self.begun_at is not None:
            self._take(step(self.stopping, self.now))
            # The time of one step may pass before the drain's end is noticed.
            assert self.ended or self.now - self.begun_at <= DRAIN_S + 3.0 + GIVE_UP_S + DECIDE_S


AnyEnd.TestCase.settings = settings(max_examples=200, stateful_step_count=30, deadline=None)
TestAnyEnd = AnyEnd.TestCase
