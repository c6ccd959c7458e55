"""The merge process: collects windows, joins regions into defects, and gives each plate its verdict.

Crops are asked about by messages that are not kept: a classifier that is not there, hangs or is slow costs their
answers and nothing else, and one that was started anew is asked again.
"""

from __future__ import annotations

import time

from daemon.service.child import Child, Plan
from daemon.wire import messages as m
from daemon.wire.channel import Event, Joined
from stages import merge_events as events
from stages.merge import Merger

_CLASSIFIER = "classify-0"


class MergeProcess(Child):
    """Moves messages between workers, tile, classifier, record and the merger."""

    role = "merge"

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._merger = Merger(self.recipe, plan.run)
        self._last_row_at: dict[int, float] = {}
        self._late: set[int] = set()
        """Plates of which the merger was told that their deadline has passed."""
        self._acknowledged: dict[int, list[int]] = {}
        self._places: dict[int, tuple[int, int, int]] = {}
        """Slot, generation and columns of open plates, as workers said."""
        self._classifier_there = False
        """It has said so; then it is told what was to be asked before."""
        self._classifier_due: dict[int, float] = {}
        """Time at which the classifier is waited for no longer, of plates that wait for nothing else."""

    def start(self) -> None:
        """Open the sockets."""
        self._record = self.connect("record", self._on_record)
        self._tile = self.bind("merge", self._on_tile)
        self._results = self.bind("results", self._on_worker)
        self._crops = self.bind("crops", self._on_classifier)

    def wait_s(self) -> float:
        """Not beyond the moment at which a plate waits for the classifier no longer."""
        most = super().wait_s()
        if not self._classifier_due:
            return most
        return max(0.0, min(most, min(self._classifier_due.values()) - time.monotonic()))

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
        asked = self._merger.opinions.counters
        self.tally.set("crops_total", asked.crops_classified, "classified")
        self.tally.set("crops_total", asked.crops_late, "late")
        self.tally.set("crops_total", asked.crops_left_out, "left out")
        self.tally.set("crops_total", asked.crops_unheard, "nobody to ask")
        self.tally.set("answers_refused_total", asked.answers_late, "plate decided")
        self.tally.set("answers_refused_total", asked.answers_repeated, "repeated")
        self.tally.set("answers_refused_total", asked.answers_unasked, "not asked")
        self.tally.set("answers_refused_total", asked.answers_malformed, "malformed")
        if any(now >= due for due in self._classifier_due.values()):
            # A long round must not cost the answers that came during it.
            for event in self._crops.receive(now):
                self._on_classifier(event, now)
        self.plates = {plate: self._merger.progress(plate) for plate in self._merger.open_plates}
        for plate in list(self._last_row_at):
            self._check_deadline(plate, now)
        for plate in self._places.keys() - self.plates.keys():
            del self._places[plate]
        for plate in [plate for plate, due in self._classifier_due.items() if now >= due]:
            del self._classifier_due[plate]
            self._do(events.ClassifierDeadline(plate), now)

    def on_supervisor(self, event: Event, now: float) -> None:
        """End every open plate; or go on without the classifier."""
        super().on_supervisor(event, now)
        match event[1]:
            case m.Abort(cause):
                self._do(events.Abort(cause), now)
            case m.ClassifierLost():
                self._do(events.ClassifierLost(), now)

    def _on_tile(self, event: Event, now: float) -> None:
        match event[1]:
            case m.PlateOpened(plate=plate, columns=columns):
                self._do(events.PlateOpened(plate, columns), now)
            case m.PlateClosed() as closed:
                if closed.last_row_at is not None:
                    self._last_row_at[closed.plate] = closed.last_row_at
                event_ = events.PlateClosed(
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
                self._do(events.WindowQuarantined(plate, window), now)

    def _on_worker(self, event: Event, now: float) -> None:
        body = event[1]
        if isinstance(body, m.WindowScored):
            known = body.slot is not None and 0 <= body.slot < self.plan.shape.slots
            if body.slot is not None and known and body.result.run == self.plan.run:
                self._places[body.result.plate] = (body.slot, body.generation, body.columns)
            # Before the window is taken, which may be the last: what comes late must not make a plate OK.
            self._check_deadline(body.result.plate, now)
            self._do(events.WindowScored(body.result), now)

    def _on_classifier(self, event: Event, now: float) -> None:
        sender, body = event
        if sender.name != _CLASSIFIER:
            return
        match body:
            case Joined():
                self._classifier_there = True
                self._do(events.ClassifierStarted(), now)
            case m.CropsClassified(plate, window, answers, asker) if asker == self.me.incarnation:
                self._do(events.CropsClassified(plate, window, answers), now)
            case m.CropsClassified():
                # Regions may be numbered otherwise in what was scored again.
                self.tally.add("answers_refused_total", 1, "merge restarted")

    def _on_record(self, event: Event, now: float) -> None:
        match event[1]:
            case Joined() | m.SayAgain():
                self._do(events.RecordRestarted(), now)
            case m.PlateFinal(plate):
                self._do(events.Committed(plate), now)

    def _check_deadline(self, plate: int, now: float) -> None:
        at, deadline = self._last_row_at.get(plate), self.recipe.decision.deadline_s
        if at is not None and deadline is not None and now - at > deadline and plate not in self._late:
            self._late.add(plate)
            self._do(events.Deadline(plate), now)

    def _do(self, event: events.Event, now: float) -> None:
        for instruction in self._merger.handle(event):
            match instruction:
                case events.Acknowledge(plate, windows):
                    self._acknowledged.setdefault(plate, []).extend(windows)
                case events.Classify(plate, window, crops):
                    self._ask(plate, window, crops, now)
                case events.AwaitClassifier(plate):
                    self._classifier_due[plate] = self._due(plate)
                case events.StopClassifying(plate):
                    self._crops.send(_CLASSIFIER, m.CropsUnwanted(plate), now, keep=False)
                case events.Decide(result):
                    self._classifier_due.pop(result.plate, None)
                    self._record.send(m.Decided(result, self._last_row_at.get(result.plate)), now)
                case events.Released(plate):
                    self._last_row_at.pop(plate, None)
                    self._late.discard(plate)
                    self._places.pop(plate, None)
                    self._classifier_due.pop(plate, None)

    def _due(self, plate: int) -> float:
        """When a plate that waits for the classifier from now on waits no longer: not beyond its own deadline."""
        # By the clock, for a round with many windows may have begun long ago.
        due = time.monotonic() + self.recipe.classifier.deadline_s
        at, deadline = self._last_row_at.get(plate), self.recipe.decision.deadline_s
        return due if at is None or deadline is None else min(due, at + deadline)

    def _ask(self, plate: int, window: int, crops: tuple[events.Crop, ...], now: float) -> None:
        place = self._places.get(plate)
        if place is not None and self._classifier_there:
            slot, generation, columns = place
            body = m.ClassifyCrops(plate, slot, generation, columns, window, crops)
            self._crops.send(_CLASSIFIER, body, now, keep=False)


ROLE = MergeProcess
