"""The workers as the tile stage knows them: what each has, how much more it takes, and which of its leases is overdue.

A part of the window ledger, without I/O.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from config.schema import Lease as LeaseSettings
from stages.events import WorkerReady

_RECENT_LEASES = 200


@dataclass(slots=True)
class InFlight:
    """A lease that its worker has, or of which the merger lacks a window."""

    lease: int
    worker: int
    plate: int
    windows: tuple[int, ...]
    start: float
    deadline: float


@dataclass(slots=True)
class _Worker:
    credits: int = 0
    queue: deque[int] = field(default_factory=deque)
    """Its leases, in the order in which it does them."""
    stuck: bool = False
    """The first of them is overdue: it gets no more until it finishes one."""


class Workers:
    """Who has which lease.

    Args:
        batch: windows that a worker computes at once; part of one takes as long as a whole one.
        lease: how long one may take.
    """

    def __init__(self, batch: int, lease: LeaseSettings) -> None:
        self._batch = batch
        self._settings = lease
        self._workers: dict[int, _Worker] = {}
        self._in_flight: dict[int, InFlight] = {}
        self._next_lease = 1
        self._durations: deque[float] = deque(maxlen=_RECENT_LEASES)

    def flights(self) -> Iterator[InFlight]:
        """All leases in flight, the oldest first."""
        yield from list(self._in_flight.values())

    def of(self, lease: int) -> int:
        """The worker that a lease in flight was given to."""
        return self._in_flight[lease].worker

    def is_working(self, flight: InFlight) -> bool:
        """Whether its worker still has it."""
        worker = self._workers.get(flight.worker)
        return worker is not None and flight.lease in worker.queue

    def able(self) -> int | None:
        """The worker with the most room for a batch; None where none has any."""
        able = [n for n, state in self._workers.items() if state.credits >= self._batch and not state.stuck]
        return max(able, key=lambda number: self._workers[number].credits) if able else None

    def ready(self, event: WorkerReady, now: float) -> None:
        """A worker says what it takes, and what it has done with."""
        worker = self._workers.setdefault(event.worker, _Worker())
        if event.finished is not None and event.finished in worker.queue:
            # A worker does its leases in order: those before the finished one are done with, too.
            while worker.queue:
                number = worker.queue.popleft()
                flight = self._in_flight[number]
                if number == event.finished:
                    self._durations.append(now - flight.start)
                    break
            worker.stuck = False
            if worker.queue:
                following = self._in_flight[worker.queue[0]]
                following.start, following.deadline = now, now + self._patience()
        worker.credits = max(0, event.credits - self._batch * len(worker.queue))

    def gone(self, worker: int) -> list[InFlight]:
        """A worker is no more; the leases that it had or has done with, which are still in flight."""
        self._workers.pop(worker, None)
        return [flight for flight in self._in_flight.values() if flight.worker == worker]

    def give(self, worker: int, plate: int, windows: tuple[int, ...], now: float) -> int:
        """Give a lease to a worker; its number."""
        number = self._next_lease
        self._next_lease += 1
        state = self._workers[worker]
        state.credits -= self._batch
        state.queue.append(number)
        self._in_flight[number] = InFlight(number, worker, plate, windows, now, now + self._patience())
        return number

    def drop(self, flight: InFlight) -> None:
        """Nothing more is awaited from a lease."""
        del self._in_flight[flight.lease]

    def overdue(self, now: float) -> list[list[InFlight]]:
        """The leases of each worker whose first one is late from now on: it gets no more until it finishes one."""
        late = []
        for worker in self._workers.values():
            if worker.queue and not worker.stuck and now >= self._in_flight[worker.queue[0]].deadline:
                worker.stuck = True
                late.append([self._in_flight[number] for number in worker.queue])
        return late

    def finished(self, which: Callable[[InFlight], bool]) -> list[InFlight]:
        """Those leases that their workers are done with."""
        return [flight for flight in self.flights() if which(flight) and not self.is_working(flight)]

    def validate(self) -> None:
        """Check what always holds between two events.

        Raises:
            AssertionError: it does not.
        """
        for number, worker in self._workers.items():
            assert worker.credits >= 0, f"worker {number} was given more than it takes"
            for lease in worker.queue:
                assert lease in self._in_flight, f"worker {number} has lease {lease}, which is not in flight"
                assert self._in_flight[lease].worker == number, f"lease {lease} is with two workers"

    def _patience(self) -> float:
        if not self._durations:
            # Nothing has been measured yet: the first lease pays for a worker's warming up.
            return self._settings.least_s * 4
        recent = float(np.quantile(np.array(self._durations), 0.99))
        return max(self._settings.least_s, self._settings.factor * recent)
