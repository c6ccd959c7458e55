"""Plates by several processes: the same to the bit, and one that dies costs nothing but time."""

from __future__ import annotations

import multiprocessing

import pytest

from daemon.offline.reinspect.candidate import Candidate
from daemon.offline.reinspect.plate import Inspector, Job
from daemon.offline.reinspect.processes import by_processes, usual_workers
from tests.archived import encoded, expected, repeated


@pytest.mark.long
@pytest.mark.timeout(400)
def test_two_processes_do_what_one_does_and_one_that_dies_costs_nothing(
    candidate: Candidate, inspector: Inspector, jobs: list[Job]
) -> None:
    many = repeated(jobs, 3)
    coming = by_processes(candidate, many, 2)
    outcomes = [next(coming)]
    victim, *_ = multiprocessing.active_children()
    victim.kill()
    outcomes += coming
    assert encoded(outcomes) == expected(inspector, jobs, 3)


def test_there_is_always_a_process() -> None:
    assert usual_workers() >= 1
