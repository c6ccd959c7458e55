"""Says in log, metrics and health that a plate has had no verdict for too long, and what it waits for."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from config.schema import Config, Recipe
from daemon.service.children import Children
from daemon.service.ledger import RunLedger
from daemon.service.overdue import Overdue, Plates, Watch
from daemon.telemetry.metrics import Metrics
from daemon.wire.plate_memory import PlateMemory

_LOOK_S = 1.0


class OverdueAlarm:
    """The alarm of one run."""

    def __init__(self, config: Config, recipe_of: Callable[[int], Recipe], metrics: Metrics, ledger: RunLedger) -> None:
        self._watch = Watch(config, recipe_of)
        self._metrics = metrics
        self._ledger = ledger
        self._log = structlog.get_logger(__name__)
        self._due_at = 0.0
        self._said: str | None = None
        self._told: int | None = None

    def look(self, now: float, memory: PlateMemory, children: Children, *, line_ended: bool) -> str | None:
        """In words, which plate has had no verdict for too long; None where none has. Looks once a second."""
        if now >= self._due_at:
            self._due_at = now + _LOOK_S
            self._said = self._look(now, memory, children, line_ended=line_ended)
        return self._said

    def _look(self, now: float, memory: PlateMemory, children: Children, *, line_ended: bool) -> str | None:
        plates = Plates(
            open=self._ledger.open,
            whole={facts.plate: facts.last_row_at for facts in memory.all_facts() if facts.closed and facts.holds},
            windows={plate: progress.windows for plate, progress in children.plates().items()},
            rows=self._metrics.total("rows_total"),
            line_ended=line_ended,
        )
        found = self._watch.look(now, plates)
        self._metrics.set_overdue(0.0 if found is None else found.seconds)
        if found is None:
            if self._told is not None:
                self._log.warning("plates get their verdicts again", plate=self._told)
                self._told = None
            return None
        waits_for = children.waits_for(found.plate)
        self._tell(found, waits_for)
        return f"plate {found.plate} has had no verdict for {found.seconds:.0f} s: {waits_for}"

    def _tell(self, found: Overdue, waits_for: str) -> None:
        if self._told != found.plate:
            self._told = found.plate
            self._log.critical(
                "no verdict in time", plate=found.plate, seconds=round(found.seconds, 1), waits_for=waits_for
            )
