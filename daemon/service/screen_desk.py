"""What the supervisor tells the screen: how the line is, some times a second, to whoever listens."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING

from daemon.service.health import found
from daemon.service.status import Status, status_of
from daemon.telemetry.recent import RECENT
from daemon.wire.messages import LinePlate, LineRole, LineState, LogLine, ServiceState
from daemon.wire.plate_memory import SlotFacts
from stages.events import VerdictCommitted
from stages.optics import OpticalFault
from stages.plate import window_columns

if TYPE_CHECKING:
    from daemon.service.supervisor import Supervisor

_PERIOD_S = 0.2
_SERVICE_S = 1.0
_PEER = "web-0"
_LOG_LINES = 50


class ScreenDesk:
    """An observer of the supervisor; says nothing where there is no screen."""

    def __init__(self) -> None:
        self._due_at = self._service_due_at = 0.0
        self._last: int | None = None
        self._optics: tuple[OpticalFault, ...] | None = None
        self._version = version("linesentry")
        self._log: deque[LogLine] = deque(maxlen=_LOG_LINES)

    def seen(self, _plate: int) -> None:
        """A plate begins: told at once."""
        self._due_at = 0.0

    def final(self, committed: VerdictCommitted) -> None:
        """A verdict is committed: told at once."""
        self._last, self._due_at = committed.result.plate, 0.0
        if committed.optics is not None:
            self._optics = committed.optics.faults

    def pulse(self, supervisor: Supervisor) -> None:
        """Tell how the line is when that is due. It is not told again: the next one says it anew."""
        now = time.monotonic()
        if now < self._due_at or not supervisor.config.web.enabled:
            return
        self._due_at = now + _PERIOD_S
        if not supervisor.children.pids("web"):
            return
        state = _line(supervisor, status_of(supervisor, now), self._last, self._optics)
        supervisor.link.send(_PEER, state, now, keep=False)
        if now >= self._service_due_at:
            self._service_due_at = now + _SERVICE_S
            supervisor.link.send(_PEER, self._service(supervisor, now), now, keep=False)

    def _service(self, supervisor: Supervisor, now: float) -> ServiceState:
        self._log.extend(LogLine(*line) for line in RECENT.take())
        lines = sorted((*self._log, *supervisor.children.log), key=lambda line: line.at)
        recipes = supervisor.desk.recipes
        return ServiceState(
            at=now,
            version=self._version,
            facts={name: None if value is None else str(value) for name, value in asdict(recipes.active.facts).items()},
            recipes=recipes.names,
            metrics_port=supervisor.resources.port,
            slots=supervisor.memory.counts(),
            log=tuple(lines[-_LOG_LINES:]),
        )


def _line(
    supervisor: Supervisor, status: Status, last: int | None, optics: tuple[OpticalFault, ...] | None
) -> LineState:
    slots = {one.plate: one for one in status.slots if one.holds}
    return LineState(
        at=status.at,
        run=supervisor.run_id,
        recipe=supervisor.recipe.name,
        simulated=supervisor.config.camera.source == "simulator",
        troubles=found(supervisor.condition()),
        seen=status.seen,
        verdicts={str(verdict): count for verdict, count in status.verdicts.items()},
        last=last,
        plates=tuple(_plate(supervisor, status, plate, slots.get(plate)) for plate in status.open),
        roles={role: LineRole(*state, supervisor.metrics.memory_of(role)) for role, state in status.roles.items()},
        slots_free=supervisor.memory.counts()["free"],
        slots=supervisor.shape.slots,
        camera_rows=status.camera_rows,
        stopping=status.stop is not None,
        optics=optics,
    )


def _plate(supervisor: Supervisor, status: Status, plate: int, slot: SlotFacts | None) -> LinePlate:
    recipe, part = supervisor.desk.recipes.recipe_of(plate), supervisor.ledger.parts.get(plate)
    columns = slot.place.columns if slot is not None else recipe.columns.count if recipe.columns else 0
    return LinePlate(
        plate=plate,
        slot=None if slot is None else slot.slot,
        rows=0 if slot is None else slot.rows,
        closed=slot is not None and slot.closed,
        progress=status.progress.get(plate),
        recipe=recipe.name,
        part_id=None if part is None else part.part_id,
        image=supervisor.ledger.images.get(plate),
        columns=columns,
        nominal_rows=recipe.length.nominal_rows if recipe.length else 0,
        stride=recipe.windows.stride,
        across=window_columns(columns, recipe.windows),
    )
