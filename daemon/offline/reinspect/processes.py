"""Plates by several processes of this machine. One that dies costs the time that it had spent."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection, get_context, parent_process

from daemon.offline.reinspect.candidate import Candidate
from daemon.offline.reinspect.plate import Fault, Inspector, Job, Outcome
from models.machine.cpu import usable_cores
from models.machine.memory import available_bytes

_EACH_BYTES = 2 << 30
"""Memory of a process, with room for a long sheet."""
_inspector: Inspector | None = None
"""Of this process."""


def usual_workers() -> int:
    """One for each core, as far as memory goes."""
    return max(1, min(usable_cores(), available_bytes() // _EACH_BYTES))


def by_processes(candidate: Candidate, jobs: Sequence[Job], workers: int) -> Iterator[Outcome]:
    """The outcomes, as they come.

    When a process dies, those that were at work are done again, each alone: so only the one that kills its process
    again is given up, and told as a fault of its plate.
    """
    waiting = deque(jobs)
    while waiting:
        suspects = yield from _until_one_dies(candidate, waiting, workers)
        for job in suspects:
            alone = deque([job])
            if (yield from _until_one_dies(candidate, alone, 1)):
                words = "the process that inspected it died, twice: it may lack memory, see dmesg"
                yield Outcome(job.plate, None, fault=Fault.FAILED, words=words)


def _until_one_dies(candidate: Candidate, waiting: deque[Job], workers: int) -> Generator[Outcome, None, list[Job]]:
    """The outcomes of what waits, which is taken from there; returns what was at work when a process died."""
    at_work: dict[Future[Outcome], Job] = {}
    # Started anew, not forked: torch and its threads do not survive a fork.
    with ProcessPoolExecutor(workers, get_context("spawn"), _begin, (candidate,)) as pool:
        try:
            while waiting or at_work:
                while waiting and len(at_work) < workers:
                    job = waiting.popleft()
                    at_work[pool.submit(_inspect, job)] = job
                for done in wait(at_work, return_when=FIRST_COMPLETED).done:
                    yield done.result()
                    del at_work[done]
        except BrokenProcessPool:
            # What was finished before the death is among them where it was not yet taken; it is done once more.
            return list(at_work.values())
    return []


# --- in the process ----------------------------------------------------------------------------------------------


def _begin(candidate: Candidate) -> None:
    global _inspector  # noqa: PLW0603 - a process of the pool has no other place for it
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is the command's to end, and to say so
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _inspector = Inspector(candidate)


def _end_with_parent() -> None:
    """A command that was killed takes its processes along; these wait for a pipe that they hold open themselves."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _inspect(job: Job) -> Outcome:
    assert _inspector is not None
    return _inspector.inspect(job)
