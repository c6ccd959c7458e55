"""The merge process: collects windows, joins regions into defects, and gives each plate its verdict.

Crops are asked about by messages that are not kept: a classifier that is not there, hangs or is slow costs their
answers and nothing else, and one that was started anew is asked again.
"""

from __future__ import annotations

import time

from msgspec import structs

from config.schema import Recipe
from daemon.service.child import Child, Plan
from daemon.wire.channel import Event, Joined
from daemon.wire.messages import MOST_BOXES, Progress
from stages import merge
from stages.collected import PlateState
from stages.events import (
    Abort,
    ClassifierLost,
    ClassifyCrops,
    CropsClassified,
    CropsUnwanted,
    PlateClosed,
    PlateDecided,
    PlateFinal,
    PlateOpened,
    SayAgain,
    WindowQuarantined,
    WindowScored,
    WindowsMerged,
)
from stages.inspection_times import InspectionTimes
from stages.merge import Merger

_CLASSIFIER = "classify-0"
_SHOWN_S = 0.25
"""Between two heartbeats where a screen shows how a plate fills."""


class MergeProcess(Child):
    """Moves messages between workers, tile, classifier, record and the merger."""

    role = "merge"

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._merger = Merger(self.recipe, plan.run, plan.incarnation)
        self._late: set[int] = set()
        """Plates of which the merger was told that their deadline has passed."""
        self._times = InspectionTimes()
        self._merged: dict[int, list[int]] = {}
        """Windows of this round, for one message a plate."""
        self._classifier_there = False
        """It has said so; then it is told what was to be asked before."""
        if self.config.web.enabled:
            self.beat_s = min(self.beat_s, _SHOWN_S)
        self._classifier_due: dict[int, float] = {}
        """Time at which the classifier is waited for no longer, of plates that wait for nothing else."""

    def load_recipe(self, number: int, recipe: Recipe) -> None:
        """Know by what its plates are judged."""
        self._merger.add_recipe(number, recipe)

    def forget_recipe(self, number: int) -> None:
        """None of its plates is open."""
        self._merger.forget_recipe(number)

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
        for plate, windows in self._merged.items():
            self._tile.send("tile-0", WindowsMerged(plate, tuple(windows)), now)
        self._merged.clear()
        counters = self._merger.counters
        self.tally.set("results_dropped_total", counters.windows_repeated, "repeated")
        self.tally.set("results_dropped_total", counters.events_final, "plate final")
        self.tally.set("results_dropped_total", counters.windows_foreign, "foreign run")
        self.tally.set("results_dropped_total", counters.windows_outside, "no such window")
        self.tally.set("results_dropped_total", counters.windows_other_recipe, "another recipe")
        asked = self._merger.asked
        self.tally.set("crops_total", asked.crops_classified, "classified")
        self.tally.set("crops_total", asked.crops_late, "late")
        self.tally.set("crops_total", asked.crops_left_out, "left out")
        self.tally.set("crops_total", asked.crops_unheard, "nobody to ask")
        self.tally.set("answers_refused_total", asked.answers_late, "plate decided")
        self.tally.set("answers_refused_total", asked.answers_repeated, "repeated")
        self.tally.set("answers_refused_total", asked.answers_unasked, "not asked")
        self.tally.set("answers_refused_total", asked.answers_malformed, "malformed")
        self.tally.set("answers_refused_total", asked.answers_of_another, "merge restarted")
        if any(now >= due for due in self._classifier_due.values()):
            # A long round must not cost the answers that came during it.
            for event in self._crops.receive(now):
                self._on_classifier(event, now)
        plates = self._merger.open_plates
        self.note = f"{len(plates)} plates open, {len(self._classifier_due)} wait for the classifier"
        for plate in plates:
            self._check_deadline(plate, now)
        self.explain(self._merger, now)
        for plate in [plate for plate, due in self._classifier_due.items() if now >= due]:
            del self._classifier_due[plate]
            self._do(merge.ClassifierDeadline(plate), now)

    def progress(self) -> dict[int, Progress]:
        """How far each open plate is; in detail where somebody may look at it."""
        said = {}
        for plate in self._merger.open_plates:
            far = self._merger.progress(plate, MOST_BOXES if self.config.web.enabled else 0)
            said[plate] = Progress(far.windows, far.regions, self._times.seconds(plate), far.judged, far.boxes)
        return said

    def on_supervisor(self, event: Event, now: float) -> None:
        """End every open plate; or go on without the classifier."""
        super().on_supervisor(event, now)
        if isinstance(event[1], Abort | ClassifierLost):
            self._do(event[1], now)

    def _on_tile(self, event: Event, now: float) -> None:
        match event[1]:
            case PlateClosed() as closed:
                self._check_deadline(closed.plate, now, closed.last_row_at)
                self._do(closed, now)
            case PlateOpened() as opened:
                self._times.opened(opened.plate, now)
                self._do(opened, now)
            case WindowQuarantined() as said:
                self._do(said, now)

    def _on_worker(self, event: Event, now: float) -> None:
        scored = event[1]
        if not isinstance(scored, WindowScored):
            return
        if not 0 <= scored.place.slot < self.plan.shape.slots:
            self.tally.add("messages_refused_total", 1, "no such slot")
        else:
            # Before the window is taken, which may be the last: what comes late must not make a plate OK.
            self._check_deadline(scored.result.plate, now)
            self._do(scored, now)

    def _on_classifier(self, event: Event, now: float) -> None:
        sender, said = event
        if sender.name != _CLASSIFIER:
            return
        match said:
            case Joined():
                self._classifier_there = True
                self._do(merge.ClassifierStarted(), now)
            case CropsClassified() as answer:
                self._do(answer, now)

    def _on_record(self, event: Event, now: float) -> None:
        match event[1]:
            case Joined():
                self._do(SayAgain(), now)
            case SayAgain() | PlateFinal() as said:
                self._do(said, now)

    def _check_deadline(self, plate: int, now: float, last_row_at: float | None = None) -> None:
        at = self._merger.last_row_at(plate) if last_row_at is None else last_row_at
        deadline, state = self._merger.recipe_of(plate).decision.deadline_s, self._merger.state_of(plate)
        if at is None or deadline is None or now - at <= deadline or plate in self._late:
            return
        if state is not PlateState.DECIDED and state is not PlateState.FINAL:
            self._late.add(plate)
            waits_for, story = self._merger.waits_for(plate), self._merger.story(plate)
            self.log.warning("plate is late", plate=plate, waits_for=waits_for, story=story)
            self._do(merge.Deadline(plate), now)

    def _do(self, event: merge.Event, now: float) -> None:
        for order in self._merger.handle(event):
            match order:
                case WindowsMerged(plate, windows):
                    self._times.scored(plate, now)
                    self._merged.setdefault(plate, []).extend(windows)
                case ClassifyCrops():
                    if self._classifier_there:
                        self._crops.send(_CLASSIFIER, order, now, keep=False)
                case CropsUnwanted():
                    self._crops.send(_CLASSIFIER, order, now, keep=False)
                case merge.AwaitClassifier(plate):
                    self._classifier_due[plate] = self._due(plate)
                case PlateDecided():
                    self._classifier_due.pop(order.result.plate, None)
                    seconds = self._times.seconds(order.result.plate)
                    self._record.send(structs.replace(order, inspection_s=seconds), now)
                case merge.Forget(plate):
                    self._late.discard(plate)
                    self._times.forget(plate)
                    self._classifier_due.pop(plate, None)

    def _due(self, plate: int) -> float:
        """When a plate that waits for the classifier from now on waits no longer: not beyond its own deadline."""
        # By the clock, for a round with many windows may have begun long ago.
        recipe = self._merger.recipe_of(plate)
        due = time.monotonic() + recipe.classifier.deadline_s
        at, deadline = self._merger.last_row_at(plate), recipe.decision.deadline_s
        return due if at is None or deadline is None else min(due, at + deadline)


ROLE = MergeProcess
