"""How a run ends: when a stop begins, when the open plates are given up, and when nothing more is waited for.

A state machine without I/O: what happens in, what is to be done out. A stop finishes the plates in flight within the
drain time. Those left then, or open when a role is lost, are given up: the merger decides them first, for a defect
that it knows of makes its plate NG whatever else is missing; record ends those that are left a moment later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from stages.plate import Cause

DECIDE_S = 1.0
"""Time for the merger to decide the open plates, before record ends those that are left."""
GIVE_UP_S = 5.0
"""Time for both, before the run ends without them."""


@dataclass(frozen=True, slots=True)
class TellAbort:
    """Tell that process to end the open plates for that cause."""

    role: Literal["merge", "record"]
    cause: Cause


@dataclass(frozen=True, slots=True)
class End:
    """Stop the processes; nothing more is waited for."""


class Stopping:
    """The end of one run; times are monotonic, s.

    Args:
        drain_s: time for the plates in flight after a stop has begun.
    """

    def __init__(self, drain_s: float) -> None:
        self.cause: Cause | None = None
        """For which the open plates are given up; None while they are not."""
        self.role_lost: str | None = None
        self._drain_s = drain_s
        self._begun_at: float | None = None
        self._given_up_at = 0.0
        self._record_told = False

    @property
    def begun(self) -> bool:
        """No more plates are counted."""
        return self._begun_at is not None

    def drain_left_s(self, now: float) -> float | None:
        """Seconds that the plates in flight have left; None where no stop has begun, 0 once they are given up."""
        if self._begun_at is None:
            return None
        return 0.0 if self.cause is not None else max(0.0, self._begun_at + self._drain_s - now)

    def begin(self, now: float) -> None:
        """No new plates from now on."""
        if self._begun_at is None:
            self._begun_at = now

    def lose(self, role: str, now: float) -> list[TellAbort]:
        """The restarts of a role are spent: stop, and do not wait for the plates in flight."""
        self.role_lost = role
        self.begin(now)
        return self._give_up(Cause.ROLE_LOST, now)

    def joined(self, role: str) -> list[TellAbort]:
        """A process came up: what it must know of the stop."""
        if self.cause is not None and role == "merge":
            return [TellAbort("merge", self.cause)]
        if self.cause is not None and role == "record" and self._record_told:
            return [TellAbort("record", self.cause)]
        return []

    def step(self, now: float, *, closed: bool, finished: bool) -> list[TellAbort | End]:
        """What is due now.

        Args:
            now: the time.
            closed: no plate is open, and none waits for its pictures.
            finished: no more plates will come, though nobody asked for a stop.
        """
        if closed and (finished or self.begun):
            return [End()]
        if self._begun_at is None:
            return []
        due: list[TellAbort | End] = []
        if now - self._begun_at > self._drain_s:
            due += self._give_up(Cause.SHUTDOWN, now)
        if self.cause is None:
            return due
        since = now - self._given_up_at
        if not self._record_told and (since > DECIDE_S or self.role_lost == "merge"):
            self._record_told = True
            due.append(TellAbort("record", self.cause))
        if since > GIVE_UP_S or self.role_lost == "record":
            due.append(End())
        return due

    def _give_up(self, cause: Cause, now: float) -> list[TellAbort]:
        if self.cause is not None:
            return []
        self.cause, self._given_up_at = cause, now
        return [TellAbort("merge", cause)]
