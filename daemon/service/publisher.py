"""What the supervisor tells systemd and the metrics about the service, once a second and when that changes."""

from __future__ import annotations

from daemon.service.children import Children
from daemon.service.ledger import RunLedger
from daemon.service.notify import Notifier
from daemon.telemetry.metrics import Metrics, private_memory
from daemon.telemetry.vram import Vram
from daemon.wire.channel import Server
from daemon.wire.plate_memory import PlateMemory

_PERIOD_S = 1.0


class Publisher:
    """Tells how one run is.

    Args:
        start_s: time that systemd is asked for, again and again, until the service is ready.
    """

    def __init__(self, metrics: Metrics, notifier: Notifier, vram: Vram, start_s: float) -> None:
        self._metrics = metrics
        self._notifier = notifier
        self._vram = vram
        self._start_s = start_s
        self._due_at = 0.0

    def publish(
        self, now: float, children: Children, memory: PlateMemory, ledger: RunLedger, link: Server, *, ready: bool
    ) -> None:
        """Ping the watchdog when that is due, and tell everything else when a second has passed."""
        if children.all_fresh(now):
            # Only while every process has done useful work of late.
            self._notifier.ping_if_due(now)
        if now < self._due_at:
            return
        self._due_at = now + _PERIOD_S
        if ready:
            self._notifier.status(str(ledger))
        else:
            self._notifier.extend(self._start_s, children.note("line") or "starting")
        for role, state in children.by_role().items():
            self._metrics.set_role(role, state.up, state.wanted, private_memory(children.pids(role)))
        self._metrics.set_slots(**memory.counts())
        for reason, count in link.refused.items():
            self._metrics.count("messages_refused_total", count, reason)
        link.refused.clear()
        self._metrics.set_vram(self._vram.used_bytes([*children.pids("detect"), *children.pids("classify")]))
