"""What can be said of a running service at one moment, as plain data for whoever shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from daemon.service.children import RoleState
from daemon.service.health import reasons
from daemon.wire.messages import Progress
from daemon.wire.plate_memory import SlotFacts
from stages.plate import Cause, Verdict

if TYPE_CHECKING:
    from daemon.service.supervisor import Supervisor


@dataclass(frozen=True, slots=True)
class Stop:
    """A stop that has begun: by a signal, or because a role is lost."""

    left_s: float
    """Seconds that the plates in flight have left."""
    given_up: Cause | None
    """For which the open plates are given up; None while they are finished."""
    at_once: bool
    """A second signal came: nothing is waited for."""


@dataclass(frozen=True, slots=True)
class Status:
    """A service at one moment; times are monotonic, s."""

    at: float
    reasons: Sequence[str]
    """Why it is not well, as /healthz says; nothing when it is."""
    seen: int
    verdicts: Mapping[Verdict, int]
    open: Sequence[int]
    """Plates that have no verdict yet."""
    roles: Mapping[str, RoleState]
    slots: Sequence[SlotFacts]
    progress: Mapping[int, Progress]
    """Of the open plates, as merge said last."""
    camera_rows: float
    """Rows that the camera has delivered since the service began."""
    stop: Stop | None = None
    """None while the service goes on."""


def status_of(supervisor: Supervisor, now: float) -> Status:
    """How the service is at that time, monotonic s; to be asked by an observer, while it runs."""
    stopping, at_once = supervisor.stopping, supervisor.hurried
    left_s = stopping.drain_left_s(now)
    return Status(
        at=now,
        reasons=reasons(supervisor.condition()),
        seen=supervisor.ledger.seen,
        verdicts=dict(supervisor.ledger.verdicts),
        open=sorted(supervisor.ledger.open),
        roles=supervisor.children.by_role(),
        slots=supervisor.memory.all_facts(),
        progress=supervisor.children.plates(),
        camera_rows=supervisor.metrics.total("rows_total"),
        stop=Stop(left_s or 0.0, stopping.cause, at_once) if left_s is not None or at_once else None,
    )
