"""The tile process: leases windows to workers, by the window ledger."""

from __future__ import annotations

import time

from daemon.service.child import Child, Plan
from daemon.wire import messages as m
from daemon.wire.channel import Event, Joined
from daemon.wire.plate_memory import Hold
from stages import tile
from stages.tile import WindowLedger


class TileProcess(Child):
    """Moves messages between acquisition, workers, merger, record and the ledger."""

    role = "tile"

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._ledger = WindowLedger(self.recipe.windows, self.config.workers.batch, self.config.lease)
        self._memory = self.plate_memory()

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
        for outcome in ("quarantined", "leased again"):
            self.tally.set("windows_total", self._ledger.counters[f"windows {outcome}"], outcome)
        self.note = f"{self._ledger.windows_waiting} windows wait, {self._ledger.windows_leased} leased"

    def on_supervisor(self, event: Event, now: float) -> None:
        """A worker's process ended."""
        super().on_supervisor(event, now)
        body = event[1]
        if isinstance(body, m.WorkerGone):
            blamed = self._memory.read_board(body.worker) if body.blamed else ()
            self._memory.write_board(body.worker, 0, ())
            self._do(tile.Gone(f"detect-{body.worker}", blamed), now)

    def _read_headers(self, now: float) -> None:
        """Take from the slots what acquisition has said there, for what it said in messages may be lost."""
        columns = self.plan.shape.columns
        for facts in self._memory.all_facts():
            if Hold.TILE in facts.holds:
                self._do(tile.Opened(facts.plate, facts.slot, facts.generation, columns), now)
                self._do(tile.Rows(facts.plate, facts.rows), now)
                if facts.closed:
                    closed = tile.Closed(
                        facts.plate,
                        facts.slot,
                        facts.rows,
                        columns,
                        facts.causes,
                        facts.missing,
                        facts.last_row_at,
                    )
                    self._do(closed, now)

    def _on_acquire(self, event: Event, now: float) -> None:
        match event[1]:
            case Joined():
                # The new acquisition has closed in the headers what its predecessor was filling.
                self._read_headers(now)
            case m.PlateOpened(plate, slot, generation, columns):
                self._do(tile.Opened(plate, slot, generation, columns), now)
            case m.RowsReady(plate, rows):
                self._do(tile.Rows(plate, rows), now)
            case m.PlateClosed(plate, slot, rows, columns, causes, missing, last_row_at):
                self._do(tile.Closed(plate, slot, rows, columns, causes, missing, last_row_at), now)
            case m.AcquisitionAt(next_plate):
                self._do(tile.AcquisitionAt(next_plate), now)

    def _on_worker(self, event: Event, now: float) -> None:
        sender, body = event
        if isinstance(body, Joined):
            self._do(tile.Gone(sender.name), now)
        elif isinstance(body, m.WorkerReady):
            self._do(tile.Ready(sender.name, body.credits, body.finished), now)

    def _on_merge(self, event: Event, now: float) -> None:
        body = event[1]
        if isinstance(body, Joined):
            self._do(tile.MergerRestarted(), now)
        elif isinstance(body, m.WindowsMerged):
            self._do(tile.Merged(body.plate, body.windows), now)

    def _on_record(self, event: Event, now: float) -> None:
        body = event[1]
        if isinstance(body, m.PlateSeen):
            self._do(tile.Seen(body.plate), now)
        elif isinstance(body, m.PlateFinal):
            self._do(tile.Final(body.plate), now)

    def _do(self, event: tile.Event, now: float = 0.0) -> None:
        for instruction in self._ledger.handle(event, now):
            match instruction:
                case tile.Lease(worker=worker):
                    self._leases.send(
                        worker,
                        m.Lease(
                            lease=instruction.lease,
                            plate=instruction.plate,
                            slot=instruction.slot,
                            generation=instruction.generation,
                            columns=instruction.columns,
                            rows=instruction.rows,
                            closed=instruction.closed,
                            windows=instruction.windows,
                        ),
                        now,
                        keep=False,
                    )
                case tile.Announce(plate, columns):
                    self._merge.send(m.PlateOpened(plate, None, 0, columns), now)
                case tile.Conclude(c):
                    self._merge.send(
                        m.PlateClosed(c.plate, c.slot, c.rows, c.columns, c.causes, c.missing, c.last_row_at), now
                    )
                case tile.Quarantine(plate, window):
                    self.log.error("window quarantined", plate=plate, window=window)
                    self._merge.send(m.WindowQuarantined(plate, window), now)
                case tile.LetGo(slot, generation):
                    if self._memory.is_current(slot, generation):
                        self._memory.release(slot, Hold.TILE)


ROLE = TileProcess
