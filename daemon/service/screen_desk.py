"""What the supervisor tells the screen: how the line is, some times a second, to whoever listens."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from daemon.service.status import Status, status_of
from daemon.wire.messages import LinePlate, LineRole, LineState
from stages.events import VerdictCommitted

if TYPE_CHECKING:
    from daemon.service.supervisor import Supervisor

_PERIOD_S = 0.2
_PEER = "web-0"


class ScreenDesk:
    """An observer of the supervisor; says nothing where there is no screen."""

    def __init__(self) -> None:
        self._due_at = 0.0
        self._last: int | None = None

    def seen(self, _plate: int) -> None:
        """A plate begins: told at once."""
        self._due_at = 0.0

    def final(self, committed: VerdictCommitted) -> None:
        """A verdict is committed: told at once."""
        self._last, self._due_at = committed.result.plate, 0.0

    def pulse(self, supervisor: Supervisor) -> None:
        """Tell how the line is when that is due. It is not told again: the next one says it anew."""
        now = time.monotonic()
        if now < self._due_at or not supervisor.config.web.enabled:
            return
        self._due_at = now + _PERIOD_S
        if supervisor.children.pids("web"):
            supervisor.link.send(_PEER, _said(supervisor, status_of(supervisor, now), self._last), now, keep=False)


def _said(supervisor: Supervisor, status: Status, last: int | None) -> LineState:
    slots = {one.plate: one for one in status.slots}
    plates = tuple(
        LinePlate(
            plate=plate,
            slot=slot.slot if slot is not None else None,
            rows=slot.rows if slot is not None else 0,
            closed=slot is not None and slot.closed,
            progress=status.progress.get(plate),
        )
        for plate in status.open
        for slot in (slots.get(plate),)
    )
    return LineState(
        at=status.at,
        run=supervisor.run_id,
        recipe=supervisor.recipe.name,
        simulated=supervisor.config.camera.source == "simulator",
        reasons=tuple(status.reasons),
        seen=status.seen,
        verdicts={str(verdict): count for verdict, count in status.verdicts.items()},
        last=last,
        plates=plates,
        roles={role: LineRole(*state) for role, state in status.roles.items()},
        slots_free=supervisor.memory.counts()["free"],
        slots=supervisor.shape.slots,
        camera_rows=status.camera_rows,
        stopping=status.stop is not None,
    )
