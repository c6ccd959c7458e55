"""The tile process: leases windows to workers, by the window ledger."""

from __future__ import annotations

import time

from config.schema import Recipe
from daemon.service.child import Child, Plan
from daemon.wire.channel import Event, Joined
from daemon.wire.plate_memory import Hold
from models.detector.swaths import most_windows
from stages import tile
from stages.events import (
    AcquisitionAt,
    Lease,
    PlateClosed,
    PlateFinal,
    PlateOpened,
    RowsReady,
    SeenCommitted,
    WindowQuarantined,
    WindowsMerged,
    WorkerGone,
    WorkerReady,
)
from stages.tile import WindowLedger


class TileProcess(Child):
    """Moves messages between acquisition, workers, merger, record and the ledger."""

    role = "tile"

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        most = most_windows(self.recipe.windows, self.recipe.resolution)
        self._ledger = WindowLedger(self.recipe.windows, most, self.config.lease, plan.incarnation)
        self._memory = self.plate_memory()

    def load_recipe(self, number: int, recipe: Recipe) -> None:
        """Know how its plates are cut."""
        self._ledger.add_recipe(number, recipe.windows, most_windows(recipe.windows, recipe.resolution))

    def forget_recipe(self, number: int) -> None:
        """None of its plates is open."""
        self._ledger.forget_recipe(number)

    def start(self) -> None:
        """Rebuild from the slot headers, then open the sockets."""
        self._merge = self.connect("merge", self._on_merge)
        self._record = self.connect("record", self._on_record)
        self._leases = self.bind("leases", self._on_worker)
        self._plates = self.bind("tile", self._on_acquire)
        self._read_headers(time.monotonic())

    def tick(self, now: float) -> None:
        """Time-outs, and what the metrics show."""
        self._do(tile.Tick(), now)
        self.explain(self._ledger, now)
        for outcome in ("quarantined", "leased again"):
            self.tally.set("windows_total", self._ledger.counters[f"windows {outcome}"], outcome)
        self.note = f"{self._ledger.windows_waiting} windows wait, {self._ledger.windows_leased} leased"

    def on_supervisor(self, event: Event, now: float) -> None:
        """A worker's process ended."""
        super().on_supervisor(event, now)
        if isinstance(event[1], WorkerGone):
            self._do(event[1], now)

    def _read_headers(self, now: float) -> None:
        """Take from the slots what acquisition has said there, for what it said in messages may be lost."""
        for facts in self._memory.all_facts():
            if Hold.TILE in facts.holds:
                for said in facts.said:
                    self._do(said, now)

    def _on_acquire(self, event: Event, now: float) -> None:
        match event[1]:
            case Joined():
                # The new acquisition has closed in the headers what its predecessor was filling.
                self._read_headers(now)
            case PlateOpened() | RowsReady() | PlateClosed() | AcquisitionAt() as said:
                self._do(said, now)

    def _on_worker(self, event: Event, now: float) -> None:
        match event:
            case sender, Joined():
                self._do(WorkerGone(sender.index, sender.incarnation - 1), now)
            case sender, WorkerReady() as ready if ready.worker == sender.index:
                self._do(ready, now)

    def _on_merge(self, event: Event, now: float) -> None:
        match event[1]:
            case Joined():
                self._do(tile.MergerRestarted(), now)
            case WindowsMerged() as merged:
                self._do(merged, now)

    def _on_record(self, event: Event, now: float) -> None:
        if isinstance(event[1], SeenCommitted | PlateFinal):
            self._do(event[1], now)

    def _do(self, event: tile.Event, now: float) -> None:
        for order in self._ledger.handle(event, now):
            match order:
                case Lease():
                    # Not kept: the worker says which leases it holds, and one that it lacks is given again.
                    self._leases.send(f"detect-{order.worker}", order, now, keep=False)
                case WindowQuarantined():
                    self.log.error("window quarantined", plate=order.plate, window=order.window)
                    self._merge.send(order, now)
                case PlateOpened() | PlateClosed():
                    self._merge.send(order, now)
                case tile.ReleaseSlot(place=place):
                    if self._memory.is_current(place):
                        self._memory.release(place.slot, Hold.TILE)


ROLE = TileProcess
