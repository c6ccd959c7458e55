"""A schedule is shrunk to the faults that it takes."""

from __future__ import annotations

from daemon.lab.faults.schedule import Fault, Schedule, Setting
from daemon.lab.faults.shrink import shrunk

FAULTS = tuple(Fault(float(n), "kill", f"detect-{n}") for n in range(20))
SCHEDULE = Schedule(Setting(1, 30), FAULTS)


def test_two_faults_that_break_together_are_all_that_is_left() -> None:
    needed = {FAULTS[3], FAULTS[17]}
    assert shrunk(SCHEDULE, lambda one: needed <= set(one.faults)).faults == (FAULTS[3], FAULTS[17])


def test_what_breaks_without_any_fault_has_none() -> None:
    assert shrunk(SCHEDULE, lambda _one: True).faults == ()


def test_no_more_is_tried_than_allowed() -> None:
    tried: list[Schedule] = []

    def breaks(one: Schedule) -> bool:
        tried.append(one)
        return set(FAULTS[::2]) <= set(one.faults)

    assert set(FAULTS[::2]) <= set(shrunk(SCHEDULE, breaks, most=10).faults)
    assert len(tried) <= 10
