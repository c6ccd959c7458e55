"""The classify process: says of crops whether they show a crack, reading them in place from the plate memory."""

from __future__ import annotations

import time

from config.weights import classifier_path
from daemon.service.child import Child, Plan
from daemon.service.unusable import UnusableError
from daemon.wire.channel import Event, Joined
from models.classifier.classifier import Classifier, ClassifierError
from stages.classify import Questions, Work, rows_needed
from stages.events import ClassifyCrops, CropsUnwanted

_KNOWN_ANSWER_S = 30.0
"""Time between two proofs of the classifier, where it has nothing to answer."""
_PROOF_HOLDS_S = 2.0
"""Where it has, no answer is sent without a proof that is newer: nonsense may look like an answer."""
_GPU_BATCH = 16
_ROWS_COME_S = 0.005
"""How often rows are looked for that a crop still lacks."""


class ClassifyProcess(Child):
    """Answers what merge asks; what was asked by a merge that is no more, or of a reused slot, is dropped."""

    role = "classify"

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._memory = self.plate_memory()
        self._questions = Questions()
        self._work = Work()
        self._checked_at = 0.0

    def start(self) -> None:
        """Load the weights, prove them on a known crop, then say that questions are welcome.

        Raises:
            ClassifierError: weights that compute wrongly, or are not those that results name.
            UnusableError: weights or a device that cannot be had.
        """
        settings = self.config.classify
        try:
            self._classifier = Classifier.load(
                classifier_path(settings), device=settings.device, dtype=settings.dtype, views=settings.views
            )
        except ClassifierError as error:
            raise UnusableError(str(error)) from error
        if why := self.other_weights("classifier_sha256", self._classifier.facts["weights_sha256"]):
            raise ClassifierError(why)
        self._checked_at = time.monotonic()
        if doubt := self._classifier.doubt():
            self.log.warning("classifier in doubt", reason=doubt)
        # On a CPU crops are computed one by one anyway: after each it hears what is no longer wanted, and is heard.
        self._batch = (settings.batch or _GPU_BATCH) if self._classifier.device.type == "cuda" else 1
        self._merge = self.connect("crops", self._on_merge)
        self.log.info("classifier ready", **self._classifier.facts)

    def wait_s(self) -> float:
        """Not while there are crops to classify, and not long while there are questions."""
        if len(self._work):
            return 0.0
        return _ROWS_COME_S if len(self._questions) else super().wait_s()

    def tick(self, now: float) -> None:
        """Prove the classifier when that is due; read what is asked; classify the next crops."""
        busy = len(self._work) + len(self._questions) > 0
        if now - self._checked_at > _KNOWN_ANSWER_S:
            self._prove()
        # What goes before it is not held up by a question that is begun.
        while (question := self._questions.take(self._is_ready, self._work.to_beat(self._batch))) is not None:
            self._read(question)
        if len(self._work):
            self._compute()
        self.note = f"{len(self._questions)} windows wait" if busy else "waits for crops"

    def _on_merge(self, event: Event, _now: float) -> None:
        match event[1]:
            case Joined():
                # A new merge asks anew.
                self._questions.clear()
                self._work.clear()
            case ClassifyCrops() as question:
                self._questions.add(question)
            case CropsUnwanted(plate):
                self._questions.forget(plate)
                self._work.forget(plate)

    def _is_ready(self, question: ClassifyCrops) -> bool:
        """Whether all rows of the crops are there, or never will be (of this plate, or of one that is gone)."""
        facts = self._memory.facts(question.place.slot)
        return facts.closed or facts.rows >= rows_needed(question) or facts.place != question.place

    def _read(self, question: ClassifyCrops) -> None:
        """Copy the crops, unless the slot has been given to another plate meanwhile."""
        place = question.place
        rows = self._memory.facts(place.slot).rows
        if rows:
            self._work.add(question, self._memory.pixels(place.slot)[:rows, : place.columns])
        if not self._memory.is_current(place):
            self._work.forget(question.plate, question.window)
            self.tally.add("results_dropped_total", 1, "stale slot")

    def _compute(self) -> None:
        count, started = min(self._batch, len(self._work)), time.monotonic()
        done = self._work.compute(self._classifier, count)
        now = time.monotonic()
        for _ in range(count):
            self.tally.observe("crop_seconds", (now - started) / count)
        if done and now - self._checked_at > _PROOF_HOLDS_S:
            self._prove()
        for answer in done:
            self._merge.send(answer, now, keep=False)

    def _prove(self) -> None:
        """Compute what is known; where that fails the process ends, with all that it has not answered."""
        self._classifier.known_answer()
        self._checked_at = time.monotonic()


ROLE = ClassifyProcess
