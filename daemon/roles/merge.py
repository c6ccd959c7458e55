"""The merge process: collects windows, joins regions into defects, and gives each plate its verdict."""

from __future__ import annotations

from daemon import messages as m
from daemon.channel import Event, Joined
from daemon.process import Child, Plan
from stages import merge
from stages.merge import Merger


class MergeProcess(Child):
    """Moves messages between workers, tile, record and the merger."""

    role = "merge"

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._merger = Merger(self.recipe, plan.run)
        self._last_row_at: dict[int, float] = {}
        self._late: set[int] = set()
        """Plates of which the merger was told that their deadline has passed."""
        self._acknowledged: dict[int, list[int]] = {}

    def start(self) -> None:
        """Open the sockets."""
        self._record = self.connect("record", self._on_record)
        self._tile = self.bind("merge", self._on_tile)
        self._results = self.bind("results", self._on_worker)

    def tick(self, now: float) -> None:
        """Send the acknowledgements of this round, a plate's in one message; note late plates; and what was dropped."""
        for plate, windows in self._acknowledged.items():
            self._tile.send("tile-0", m.WindowsMerged(plate, tuple(windows)), now)
        self._acknowledged.clear()
        counters = self._merger.counters
        self.tally.set("results_dropped_total", counters.windows_repeated, "repeated")
        self.tally.set("results_dropped_total", counters.events_final, "plate final")
        self.tally.set("results_dropped_total", counters.windows_foreign, "foreign run")
        self.tally.set("results_dropped_total", counters.windows_outside, "no such window")
        self.plates = {plate: self._merger.progress(plate) for plate in self._merger.open_plates}
        for plate in list(self._last_row_at):
            self._check_deadline(plate, now)

    def on_supervisor(self, event: Event, now: float) -> None:
        """End every open plate."""
        super().on_supervisor(event, now)
        if isinstance(event[1], m.Abort):
            self._do(merge.Abort(event[1].cause), now)

    def _on_tile(self, event: Event, now: float) -> None:
        match event[1]:
            case m.PlateOpened(plate=plate, columns=columns):
                self._do(merge.PlateOpened(plate, columns), now)
            case m.PlateClosed() as closed:
                if closed.last_row_at is not None:
                    self._last_row_at[closed.plate] = closed.last_row_at
                event_ = merge.PlateClosed(
                    closed.plate,
                    closed.rows,
                    closed.columns,
                    closed.causes,
                    closed.missing,
                    in_memory=closed.slot is not None,
                )
                self._check_deadline(closed.plate, now)
                self._do(event_, now)
            case m.WindowQuarantined(plate, window):
                self._do(merge.WindowQuarantined(plate, window), now)

    def _on_worker(self, event: Event, now: float) -> None:
        if isinstance(event[1], m.WindowScored):
            # Before the window is taken, which may be the last: what comes late must not make a plate OK.
            self._check_deadline(event[1].result.plate, now)
            self._do(merge.WindowScored(event[1].result), now)

    def _on_record(self, event: Event, now: float) -> None:
        match event[1]:
            case Joined() | m.SayAgain():
                self._do(merge.RecordRestarted(), now)
            case m.PlateFinal(plate):
                self._do(merge.Committed(plate), now)

    def _check_deadline(self, plate: int, now: float) -> None:
        at, deadline = self._last_row_at.get(plate), self.recipe.decision.deadline_s
        if at is not None and deadline is not None and now - at > deadline and plate not in self._late:
            self._late.add(plate)
            self._do(merge.Deadline(plate), now)

    def _do(self, event: merge.Event, now: float) -> None:
        for instruction in self._merger.handle(event):
            match instruction:
                case merge.Acknowledge(plate, windows):
                    self._acknowledged.setdefault(plate, []).extend(windows)
                case merge.Decide(result):
                    self._record.send(m.Decided(result, self._last_row_at.get(result.plate)), now)
                case merge.Released(plate):
                    self._last_row_at.pop(plate, None)
                    self._late.discard(plate)


ROLE = MergeProcess
