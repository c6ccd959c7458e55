"""The detect process: scores leased windows, reading them in place from the plate memory."""

from __future__ import annotations

import time

from config.schema import Recipe
from daemon.service.child import Child, Plan
from daemon.service.unusable import UnusableError
from daemon.wire.channel import Event, Joined
from daemon.wire.plate_memory import Hold
from models.detector.detector import Detector, DetectorError
from stages.detect import score_windows, warm_up
from stages.events import Lease, WindowScored
from stages.lease_queue import LeaseQueue
from stages.recipes import FIRST

_READY_S = 0.5
_KNOWN_ANSWER_S = 30.0
"""Time between two proofs of the detector, where it has nothing else to do."""
_KNOWN_ANSWER_BUSY_S = 120.0
"""The same under load: a worker that is never idle must not compute wrongly for hours."""
LEASES_AHEAD = 2
"""Leases that a worker holds: one in work, and one so that it never waits for a message."""


class DetectProcess(Child):
    """Takes leases in order; a lease of a tile stage that is no more, or of a reused slot, is dropped."""

    role = "detect"

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._memory = self.plate_memory()
        self._detectors: dict[int, Detector] = {}
        """By the number of their recipe."""
        self._warm: set[tuple[object, ...]] = set()
        """Shapes that were computed once."""
        self._queue = LeaseQueue(plan.index, plan.incarnation, LEASES_AHEAD)
        self._ready_at = 0.0
        self._checked_at = 0.0

    def start(self) -> None:
        """Load the weights, prove them on a known window, compute a first time, then ask for work.

        Raises:
            DetectorError: weights that compute wrongly, or are not those that results name.
            UnusableError: weights, templates or a device that cannot be had.
        """
        if self.plan.first_is_used:
            self._detectors[FIRST] = self._loaded(self.recipe)
            if why := self.other_weights("weights_sha256", self._detectors[FIRST].facts["weights_sha256"]):
                raise DetectorError(why)
            self._warm_up(self._detectors[FIRST])
        self._checked_at = time.monotonic()
        self._results = self.connect("results", lambda _event, _now: None)
        self._tile = self.connect("leases", self._on_tile)
        for detector in self._detectors.values():
            self.log.info("detector ready", **detector.facts)

    def load_recipe(self, number: int, recipe: Recipe) -> None:
        """Load its weights, and prove them. Raises UnusableError where they cannot be had, or are not those named."""
        detector = self._loaded(recipe)
        if why := self.other_weights("weights_sha256", detector.facts["weights_sha256"], number):
            raise UnusableError(why)
        self._warm_up(detector)
        self._detectors[number] = detector
        self.log.info("recipe loaded", recipe=recipe.name, number=number, **detector.facts)

    def forget_recipe(self, number: int) -> None:
        """Nothing will be scored by it any more."""
        self._detectors.pop(number, None)

    def _loaded(self, recipe: Recipe) -> Detector:
        workers = self.config.workers
        try:
            return Detector.load(recipe, device=workers.device, dtype=workers.dtype)
        except DetectorError as error:
            raise UnusableError(str(error)) from error

    def _warm_up(self, detector: Detector) -> None:
        """Compute a first time, unless another one has computed the same shapes already."""
        shape = _shape(detector.recipe)
        if detector.recipe.columns is not None and shape not in self._warm:
            warm_up(detector, detector.recipe.columns.count)
            self._warm.add(shape)

    def wait_s(self) -> float:
        """Do not wait while there are leases."""
        return 0.0 if self._queue else super().wait_s()

    def tick(self, now: float) -> None:
        """Prove the detector when that is due, or score the next lease."""
        if now - self._checked_at > (_KNOWN_ANSWER_BUSY_S if self._queue else _KNOWN_ANSWER_S):
            for detector in self._detectors.values():
                detector.known_answer()
            self._checked_at = now
        elif self._queue:
            self._score(self._queue.held[0])
            self._queue.finish()
            self._say_ready(time.monotonic())
        if now - self._ready_at > _READY_S:
            self._say_ready(now)

    def _on_tile(self, event: Event, _now: float) -> None:
        match event[1]:
            case Joined():
                self._queue.clear()
                self._ready_at = 0.0
            case Lease() as lease:
                if not self._queue.take(lease):
                    self.tally.add("messages_refused_total", 1, "lease repeated")

    def _say_ready(self, now: float) -> None:
        # What has come while a lease was scored is held, too: it must not be taken for lost.
        for event in self._tile.receive(now):
            self._on_tile(event, now)
        self._ready_at = now
        self._tile.send(self._queue.ready(), now, keep=False)

    def _score(self, lease: Lease) -> None:
        def on(*windows: int) -> None:
            self._memory.write_board(self.plan.index, lease.plate, windows)

        detector = self._detectors.get(lease.place.recipe)
        if detector is None:
            facts = self._memory.facts(lease.place.slot)
            if facts.place != lease.place or Hold.TILE not in facts.holds:
                # The plate is final, and its recipe forgotten, while the lease waited here.
                self.tally.add("results_dropped_total", len(lease.windows), "stale slot")
                return
            # Its weights are no more what they were: another worker may have them.
            raise DetectorError(f"recipe {lease.place.recipe} of plate {lease.plate} is not loaded here")
        on(*(window.index for window in lease.windows))
        results = score_windows(
            detector,
            self._memory.pixels(lease.place.slot)[: lease.rows, : lease.place.columns],
            lease.windows,
            detector.recipe.windows,
            run=self.plan.run,
            plate=lease.plate,
            judging=on,
        )
        if unscored := [result.window for result in results if not result.scored]:
            self.log.error("windows not scored", plate=lease.plate, windows=unscored, reason="values are no numbers")
            # A detector that fails here computes wrongly: the process ends, and the lease goes to another.
            on(*unscored)
            detector.known_answer()
        self._memory.write_board(self.plan.index, 0, ())
        if not self._memory.is_current(lease.place):
            self.tally.add("results_dropped_total", len(results), "stale slot")
            return
        now = time.monotonic()
        for result in results:
            self._results.send(WindowScored(result, lease.place), now, keep=False)
            self.tally.observe("window_seconds", result.seconds)
        self.tally.add("windows_total", len(results) - len(unscored), "scored")
        self.tally.add("windows_total", len(unscored), "not scored")


def _shape(recipe: Recipe) -> tuple[object, ...]:
    """What the shapes of its swaths depend on."""
    return recipe.columns and recipe.columns.count, recipe.windows, recipe.resolution, len(recipe.templates)


ROLE = DetectProcess
