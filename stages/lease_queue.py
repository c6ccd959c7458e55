"""The leases of one worker: what it holds, in the order in which it does them, and what it says of that.

A state machine without I/O; its counterpart at the tile stage is stages/leases.py. A lease that was sent may never
come, may come twice or late. So a worker says again and again which leases it has: one that it does not name is not
with it, and tile gives its windows again.

| a lease is | from | until |
|---|---|---|
| held | it arrives, later than every other so far | its windows are scored: `finish`; or tile is a new one |
| done | `finish` | it is said no more, after MOST_SAID others |
"""

from __future__ import annotations

from collections import deque

from stages.events import Lease, WorkerReady

MOST_SAID = 8
"""Leases done that are said again: a few messages in a row may be lost."""


class LeaseQueue:
    """What one incarnation of a worker holds; `most` is how many leases it takes."""

    def __init__(self, worker: int, incarnation: int, most: int) -> None:
        self._worker = worker
        self._incarnation = incarnation
        self._most = most
        self._held: deque[Lease] = deque()
        self._done: deque[int] = deque(maxlen=MOST_SAID)
        self._latest = 0
        self._said = 0

    def __len__(self) -> int:
        return len(self._held)

    @property
    def held(self) -> tuple[Lease, ...]:
        """All that it holds, the first to be done first."""
        return tuple(self._held)

    def take(self, lease: Lease) -> bool:
        """A lease arrives; False for one that has been had, or was overtaken and so is given again anyway."""
        if lease.worker != self._worker or lease.lease <= self._latest:
            return False
        self._latest = lease.lease
        self._held.append(lease)
        return True

    def finish(self) -> None:
        """The first lease is done with."""
        self._done.append(self._held.popleft().lease)

    def clear(self) -> None:
        """The tile stage is a new one: leases of its former incarnation mean nothing to it."""
        self._held.clear()
        self._done.clear()

    def ready(self) -> WorkerReady:
        """What to say of it now."""
        self._said += 1
        held = tuple(lease.lease for lease in self._held)
        return WorkerReady(self._worker, self._incarnation, self._said, self._most, held, tuple(self._done))

    def validate(self) -> None:
        """Check what always holds between two events.

        Raises:
            AssertionError: it does not.
        """
        held = [lease.lease for lease in self._held]
        assert held == sorted(set(held)), f"worker {self._worker} holds {held}"
        assert not set(held) & set(self._done), f"worker {self._worker} holds what it has done"
        assert max(held, default=0) <= self._latest
