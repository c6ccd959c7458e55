"""The classify process: says of crops whether they show a crack, reading them in place from the plate memory.

Of a plate the classifier of its own recipe is asked. All that are loaded are ready at once.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from config.schema import Recipe
from config.weights import classifier_path
from daemon.service.child import Child, Plan
from daemon.service.unusable import UnusableError
from daemon.wire.channel import Event, Joined
from daemon.wire.plate_memory import Hold
from models.classifier.classifier import Classifier, ClassifierError
from stages.classify import Questions, Work, rows_needed
from stages.events import ClassifyCrops, CropsUnwanted
from stages.recipes import FIRST

_KNOWN_ANSWER_S = 30.0
"""Time between two proofs of the classifier, where it has nothing to answer."""
_PROOF_HOLDS_S = 2.0
"""Where it has, no answer is sent without a proof that is newer: nonsense may look like an answer."""
_GPU_BATCH = 16
_ROWS_COME_S = 0.005
"""How often rows are looked for that a crop still lacks."""


@dataclass(slots=True)
class _Proved:
    """A classifier, and when it gave its known answer last."""

    classifier: Classifier
    sha256: str
    at: float

    def prove(self) -> None:
        """Compute what is known; where that fails the process ends, with all that it has not answered."""
        self.classifier.known_answer()
        self.at = time.monotonic()


class ClassifyProcess(Child):
    """Answers what merge asks; what was asked by a merge that is no more, or of a reused slot, is dropped."""

    role = "classify"

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._memory = self.plate_memory()
        self._questions = Questions()
        self._work = Work()
        self._classifiers: dict[int, _Proved] = {}
        """By the number of their recipe; recipes with the same weights share one."""
        self._batch = 1

    def start(self) -> None:
        """Load the weights, prove them on a known crop, then say that questions are welcome.

        Raises:
            ClassifierError: weights that compute wrongly, or are not those that results name.
            UnusableError: weights or a device that cannot be had.
        """
        if self.plan.first_is_used:
            self.load_recipe(FIRST, self.recipe)
        self._merge = self.connect("crops", self._on_merge)

    def load_recipe(self, number: int, recipe: Recipe) -> None:
        """Load its weights, and prove them. Raises UnusableError where they cannot be had, or are not those named."""
        if recipe.classifier.mode == "off":
            return
        named = self.facts[number]["classifier_sha256"]
        same = next((one for one in self._classifiers.values() if one.sha256 == named), None)
        self._classifiers[number] = self._loaded(number, recipe) if same is None else same

    def forget_recipe(self, number: int) -> None:
        """Nothing will be asked about its plates any more."""
        self._questions.forget_recipe(number)
        self._work.forget_recipe(number)
        self._classifiers.pop(number, None)

    def _loaded(self, number: int, recipe: Recipe) -> _Proved:
        settings = self.config.classify
        path = classifier_path(settings, recipe)
        try:
            loaded = Classifier.load(path, device=settings.device, dtype=settings.dtype, views=settings.views)
        except ClassifierError as error:
            raise UnusableError(str(error)) from error
        digest = str(loaded.facts["weights_sha256"])
        if why := self.other_weights("classifier_sha256", digest, number):
            raise UnusableError(why)
        if doubt := loaded.doubt():
            self.log.warning("classifier in doubt", recipe=recipe.name, reason=doubt)
        # On a CPU crops are computed one by one anyway: after each it hears what is no longer wanted, and is heard.
        self._batch = (settings.batch or _GPU_BATCH) if loaded.device.type == "cuda" else 1
        self.log.info("classifier ready", recipe=recipe.name, number=number, **loaded.facts)
        return _Proved(loaded, digest, time.monotonic())

    def wait_s(self) -> float:
        """Not while there are crops to classify, and not long while there are questions."""
        if len(self._work):
            return 0.0
        return _ROWS_COME_S if len(self._questions) else super().wait_s()

    def tick(self, now: float) -> None:
        """Prove the classifier when that is due; read what is asked; classify the next crops."""
        busy = len(self._work) + len(self._questions) > 0
        for one in self._classifiers.values():
            if now - one.at > _KNOWN_ANSWER_S:
                one.prove()
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
        facts, loaded = self._memory.facts(place.slot), place.recipe in self._classifiers
        if not loaded and facts.place == place and Hold.TILE in facts.holds:
            # Its weights are no more what they were: plates are decided without it.
            raise ClassifierError(f"recipe {place.recipe} of plate {question.plate} is not loaded here")
        if facts.rows and loaded:
            self._work.add(question, self._memory.pixels(place.slot)[: facts.rows, : place.columns])
        if not loaded or not self._memory.is_current(place):
            self._work.forget(question.plate, question.window)
            self.tally.add("results_dropped_total", 1, "stale slot")

    def _compute(self) -> None:
        assert self._work.recipe is not None
        asked, before, started = self._classifiers[self._work.recipe], len(self._work), time.monotonic()
        done = self._work.compute(lambda recipe: self._classifiers[recipe].classifier, self._batch)
        now, count = time.monotonic(), before - len(self._work)
        for _ in range(count):
            self.tally.observe("crop_seconds", (now - started) / count)
        if done and now - asked.at > _PROOF_HOLDS_S:
            asked.prove()
        for answer in done:
            self._merge.send(answer, now, keep=False)


ROLE = ClassifyProcess
