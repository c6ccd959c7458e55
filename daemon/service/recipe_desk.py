"""Where a running service is asked for another recipe, and where record is told which plates began by which.

Who asks: `linesentry reload` by the control socket, SIGHUP, or an output whose peer wants another product. At the same
socket `linesentry golden run --next` says that the next sheet is the golden sheet.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping

from config.schema import Recipe
from daemon.service.control import Question
from daemon.service.ledger import RunLedger
from daemon.service.recipe_answers import Answer, Reply
from daemon.service.recipe_keeper import ROLES, RecipeKeeper
from daemon.service.recipes import Recipes
from daemon.service.resources import Resources
from daemon.service.sightings import Sighting
from daemon.service.signals import Signals
from daemon.telemetry.metrics import Metrics
from daemon.wire import messages as m
from stages.events import ChangeRecipe, PlateSeen, RecipeChangeAnswered
from stages.plc import Part
from stages.switch import SwitchState


class RecipeDesk:
    """Of one run.

    Args:
        recipes: what is loaded.
        taken: what the run holds.
        wanted: how many processes of each role there are.
        ledger: of the run's plates.
        signals: of the supervisor.
        lost: roles without which the service goes on.
        start: has the one process of a role started.
        at_work: all processes are at work now.
        switch: how far the switch is counted.
        load_s: longest time that processes may take to have recipes ready.
        metrics: of the run.
    """

    def __init__(
        self,
        recipes: Recipes,
        taken: Resources,
        *,
        wanted: Mapping[str, int],
        ledger: RunLedger,
        signals: Signals,
        lost: Callable[[], Collection[str]],
        start: Callable[[str], None],
        at_work: Callable[[], bool],
        switch: Callable[[], SwitchState],
        load_s: float,
        metrics: Metrics,
    ) -> None:
        self.recipes = recipes
        self._taken, self._ledger, self._signals, self._switch = taken, ledger, signals, switch
        self._golden = False
        """Somebody said that the next sheet is the golden sheet."""
        self.keeper = RecipeKeeper(
            recipes,
            taken.memory.shape,
            processes=[f"{role}-{index}" for role in ROLES for index in range(wanted.get(role, 0))],
            lost=lost,
            start=start,
            at_work=at_work,
            send=lambda name, body: taken.link.send(name, body, time.monotonic()),
            next_plate=lambda: switch().next_plate,
            decided=self._decided,
            load_s=load_s,
            metrics=metrics,
        )

    @property
    def active(self) -> Recipe:
        """By which the plates to come are judged."""
        return self.recipes.active.recipe

    # --- plates ------------------------------------------------------------------------------------------------------

    def saw(self, sighting: Sighting, part: Part | None, now: float) -> None:
        """The switch saw a plate begin: count it, and have that committed with its recipe and its part."""
        if self._golden:
            self._golden = False
            batch = None if part is None else part.batch_id
            part = Part(self.recipes.sources.config.golden.part_id, batch)
        facts = self.recipes.of(sighting.plate).facts
        self._ledger.saw(sighting.plate, sighting.image, facts, part, sighting.camera)
        self._say_seen(sighting.plate, now)

    def say_open(self, now: float) -> None:
        """Have committed again that the open plates were seen."""
        for plate in sorted(self._ledger.open):
            self._say_seen(plate, now)

    def _say_seen(self, plate: int, now: float) -> None:
        number = self.keeper.number_of(plate)
        # Where it is not known yet, it is said once it is.
        if number is not None:
            ledger = self._ledger
            image, part, camera = ledger.images.get(plate), ledger.parts.get(plate), ledger.cameras.get(plate)
            self._taken.link.send("record-0", PlateSeen(plate, image, number, part, camera), now)

    def _decided(self) -> None:
        for plate in sorted(self._ledger.open):
            self._ledger.judged_by(plate, self.recipes.of(plate).facts)
        self.say_open(time.monotonic())

    # --- changes -----------------------------------------------------------------------------------------------------

    def hear(self, process: str, said: m.RecipeLoaded | m.JudgesBy | ChangeRecipe, now: float) -> None:
        """A process says how far a change is, or an output asks for one."""
        if not isinstance(said, ChangeRecipe):
            self.keeper.hear(process, said, now)
            return

        def reply(answer: Answer) -> None:
            refused = answer.text if answer.outcome == "refused" else ""
            told = RecipeChangeAnswered(said.name, said.request, refused, answer.first_plate)
            self._taken.link.send(process, told, time.monotonic())

        self.keeper.change_to(said.name, process, reply, now)

    def gone(self, process: str, now: float) -> None:
        """A process ended."""
        held = [one for one in self._taken.memory.all_facts() if one.holds]
        self.keeper.gone(process, [(one.plate, one.place.recipe) for one in held], now)

    def step(self, now: float, *, stopping: bool) -> None:
        """Hear who asks, and do what is due."""
        if self._signals.take_reload():
            self.keeper.reload("SIGHUP", lambda _answer: None, now)
        self._taken.control.step(now, self._asked)
        if stopping:
            self.keeper.stopping(now)
        self.keeper.step(now, self._plates)

    def _plates(self) -> set[int]:
        """Plates that are open, lie in the plate memory, or have a number before anybody is told of them."""
        held = (one.plate for one in self._taken.memory.all_facts() if one.holds)
        return {*self._ledger.open, *held, self._switch().oldest_to_come}

    def _asked(self, question: Question, reply: Reply) -> None:
        if question.ask == "golden":
            self._golden = True
            active = self.recipes.active.facts
            reply(Answer("golden", "the next sheet is the golden sheet", active.recipe, active.recipe_sha256 or ""))
        elif question.recipe is None:
            self.keeper.reload("linesentry reload", reply, time.monotonic())
        else:
            self.keeper.change_to(question.recipe, "linesentry reload", reply, time.monotonic())
