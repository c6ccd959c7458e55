"""How a run ends: when a stop begins, when the open plates are given up, and when nothing more is waited for.

A state machine without I/O: what happens in, what is to be done out.

| state | what is done | until |
|---|---|---|
| running | plates are counted | a stop, or a role is lost, or no more plates will come and all are closed: End |
| draining | the plates in flight are finished, no others are counted | all are closed: End; or the drain time is over |
| deciding | merge decides the open plates: NG where it knows of a defect, whatever is missing | DECIDE_S is over |
| closing | record ends the plates that are left | all are closed, or GIVE_UP_S after deciding began: End |

A lost role leads from running and draining to deciding at once. A lost merge is not waited for, nor is a lost record.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
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


class State(StrEnum):
    """Where a run is between its start and its end."""

    RUNNING = "running"
    DRAINING = "draining"
    DECIDING = "deciding"
    CLOSING = "closing"


class Stopping:
    """The end of one run; times are monotonic, s.

    Args:
        drain_s: time for the plates in flight after a stop has begun.
    """

    def __init__(self, drain_s: float) -> None:
        self.state = State.RUNNING
        self.cause: Cause | None = None
        """For which the open plates are given up; None while they are not."""
        self.role_lost: str | None = None
        self._drain_s = drain_s
        self._begun_at = 0.0
        self._given_up_at = 0.0

    @property
    def begun(self) -> bool:
        """No more plates are counted."""
        return self.state is not State.RUNNING

    def drain_left_s(self, now: float) -> float | None:
        """Seconds that the plates in flight have left; None where no stop has begun, 0 once they are given up."""
        if self.state is State.RUNNING:
            return None
        return max(0.0, self._begun_at + self._drain_s - now) if self.state is State.DRAINING else 0.0

    def begin(self, now: float) -> None:
        """No new plates from now on."""
        if self.state is State.RUNNING:
            self.state, self._begun_at = State.DRAINING, now

    def lose(self, role: str, now: float) -> list[TellAbort]:
        """The restarts of a role are spent: stop, and do not wait for the plates in flight."""
        self.role_lost = role
        self.begin(now)
        return self._give_up(Cause.ROLE_LOST, now)

    def joined(self, role: str) -> list[TellAbort]:
        """A process came up: what it must know of the stop."""
        knows = {"merge": (State.DECIDING, State.CLOSING), "record": (State.CLOSING,)}
        if self.cause is None or self.state not in knows.get(role, ()):
            return []
        return [TellAbort("merge" if role == "merge" else "record", self.cause)]

    def step(self, now: float, *, closed: bool, finished: bool) -> list[TellAbort | End]:
        """What is due now.

        Args:
            now: the time.
            closed: no plate is open, and none waits for its pictures.
            finished: no more plates will come, though nobody asked for a stop.
        """
        if closed and (finished or self.begun):
            return [End()]
        due: list[TellAbort | End] = []
        if self.state is State.DRAINING and now - self._begun_at > self._drain_s:
            due += self._give_up(Cause.SHUTDOWN, now)
        if self.cause is None:
            return due
        since = now - self._given_up_at
        if self.state is State.DECIDING and (since > DECIDE_S or self.role_lost == "merge"):
            self.state = State.CLOSING
            due.append(TellAbort("record", self.cause))
        if since > GIVE_UP_S or self.role_lost == "record":
            due.append(End())
        return due

    def validate(self) -> None:
        """Check what always holds between two events.

        Raises:
            AssertionError: it does not.
        """
        given_up = self.state in (State.DECIDING, State.CLOSING)
        assert (self.cause is not None) == given_up, f"{self.state} with the cause {self.cause}"
        assert self.role_lost is None or given_up, f"role {self.role_lost} is lost, but plates are {self.state}"
        assert not given_up or self._given_up_at >= self._begun_at, "plates were given up before the stop began"

    def _give_up(self, cause: Cause, now: float) -> list[TellAbort]:
        if self.cause is not None:
            return []
        self.state, self.cause, self._given_up_at = State.DECIDING, cause, now
        return [TellAbort("merge", cause)]
