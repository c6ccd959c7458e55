"""The workers as the tile stage knows them: what each has, how much more it takes, and which of its leases is overdue.

A part of the window ledger, without I/O; the worker's own end is stages/lease_queue.py. A lease is with its worker
when the worker names it. One that the worker does not name is lost on its way, and is given again.

| a lease is | from | until |
|---|---|---|
| sent | `give` | its worker names it; or does not, CONFIRM_S later: lost |
| confirmed | its worker names it as held | its worker names it as done, or no more: lost; or its worker is gone |
| done | its worker names it as done | the merger has its windows: `drop` |
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

from config.schema import Lease as LeaseSettings
from stages.events import WorkerReady

CONFIRM_S = 1.0
"""A lease that its worker does not name so long after it was sent never came. Workers say what they hold each 0.5 s,
and read all that has come before they say it."""
_RECENT_LEASES = 200
_LEASES_OF_ONE_TILE = 2**32


@dataclass(slots=True)
class InFlight:
    """A lease that its worker has, or of which the merger lacks a window."""

    lease: int
    worker: int
    plate: int
    windows: tuple[int, ...]
    given: float
    start: float
    deadline: float
    confirmed: bool = False


@dataclass(slots=True)
class _Worker:
    incarnation: int
    said: int = 0
    """Number of the last thing that was heard of it."""
    credits: int = 0
    queue: deque[int] = field(default_factory=deque)
    """Its leases, in the order in which it does them."""
    stuck: bool = False
    """The first of them is overdue: it gets no more until it finishes one."""


class Workers:
    """Who has which lease.

    Args:
        lease: how long one may take.
        incarnation: of the tile process: numbers of leases grow over its restarts.
    """

    def __init__(self, lease: LeaseSettings, incarnation: int) -> None:
        self._settings = lease
        self._workers: dict[int, _Worker] = {}
        self._gone: dict[int, int] = {}
        """Of each worker the latest incarnation that is known to be no more."""
        self._in_flight: dict[int, InFlight] = {}
        self._next_lease = incarnation * _LEASES_OF_ONE_TILE + 1
        self._durations: deque[float] = deque(maxlen=_RECENT_LEASES)
        self._usual: float | None = None
        """The 99th percentile of those; None where it is to be reckoned anew."""

    def flights(self) -> Iterator[InFlight]:
        """All leases in flight, the oldest first."""
        yield from list(self._in_flight.values())

    def of(self, lease: int) -> int:
        """The worker that a lease in flight was given to."""
        return self._in_flight[lease].worker

    def incarnation(self, worker: int) -> int:
        """Which process of that worker is known; 0 where none is."""
        known = self._workers.get(worker)
        return 0 if known is None else known.incarnation

    def is_working(self, flight: InFlight) -> bool:
        """Whether its worker still has it."""
        worker = self._workers.get(flight.worker)
        return worker is not None and flight.lease in worker.queue

    def able(self) -> int | None:
        """The worker with the most room for a lease; None where none has any."""
        able = [n for n, state in self._workers.items() if state.credits and not state.stuck]
        return max(able, key=lambda number: self._workers[number].credits) if able else None

    def ready(self, event: WorkerReady, now: float) -> list[InFlight]:
        """A worker says what it holds and has done; the leases that were given to it and are lost.

        Its predecessor must have been said to be gone.
        """
        if event.incarnation <= self._gone.get(event.worker, 0):
            return []
        worker = self._workers.setdefault(event.worker, _Worker(event.incarnation))
        assert worker.incarnation >= event.incarnation
        if worker.incarnation > event.incarnation or event.number <= worker.said:
            return []
        worker.said = event.number
        first = worker.queue[0] if worker.queue else None
        lost = self._reconcile(worker, event, now)
        if not worker.queue or worker.queue[0] != first:
            worker.stuck = False
            if worker.queue:
                following = self._in_flight[worker.queue[0]]
                following.start, following.deadline = now, now + self._patience()
        # What it holds without having been given it (it was taken for lost) takes room, too.
        held = len(set(event.held).union(worker.queue))
        worker.credits = max(0, event.credits - held)
        return lost

    def _reconcile(self, worker: _Worker, event: WorkerReady, now: float) -> list[InFlight]:
        """Take from a worker's queue what it says it has done, and what it does not have; the latter is returned."""
        lost = []
        for place, number in enumerate(tuple(worker.queue)):
            flight = self._in_flight[number]
            if number in event.held:
                flight.confirmed = True
            elif number in event.done:
                worker.queue.remove(number)
                if place == 0:
                    self._durations.append(now - flight.start)
                    self._usual = None
            elif flight.confirmed or now - flight.given >= CONFIRM_S:
                worker.queue.remove(number)
                lost.append(flight)
        return lost

    def gone(self, worker: int, incarnation: int) -> list[InFlight]:
        """That process of a worker, and those before it, are no more; their leases that are still in flight."""
        self._gone[worker] = max(incarnation, self._gone.get(worker, 0))
        known = self._workers.get(worker)
        if known is None or known.incarnation > incarnation:
            return []
        del self._workers[worker]
        return [flight for flight in self._in_flight.values() if flight.worker == worker]

    def give(self, worker: int, plate: int, windows: tuple[int, ...], now: float) -> int:
        """Give a lease to a worker; its number."""
        number = self._next_lease
        self._next_lease += 1
        state = self._workers[worker]
        state.credits -= 1
        state.queue.append(number)
        self._in_flight[number] = InFlight(number, worker, plate, windows, now, now, now + self._patience())
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
            assert worker.queue or not worker.stuck, f"worker {number} holds nothing and gets nothing"
            assert worker.incarnation > self._gone.get(number, 0), f"worker {number} is no more"
            for lease in worker.queue:
                assert lease in self._in_flight, f"worker {number} has lease {lease}, which is not in flight"
                assert self._in_flight[lease].worker == number, f"lease {lease} is with two workers"

    def _patience(self) -> float:
        if not self._durations:
            # Nothing has been measured yet: the first lease pays for a worker's warming up.
            return self._settings.least_s * 4
        if self._usual is None:
            self._usual = _percentile_99(self._durations)
        return max(self._settings.least_s, self._settings.factor * self._usual)


def _percentile_99(values: Collection[float]) -> float:
    """As numpy's quantile has it, between neighbours in proportion; of so few values ten times as fast."""
    ordered = sorted(values)
    place = 0.99 * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])
