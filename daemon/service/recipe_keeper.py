"""Changes the recipes of a running service: has them read, asks the processes, and answers who asked.

What is done when is told in stages/recipe_change.py; this moves its orders to the processes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

import structlog

from config.errors import printable
from config.schema.service import REPLAYS
from daemon.service.needs import challenger_need, classifier_need, further_need
from daemon.service.plans import OPTIONAL
from daemon.service.recipe_answers import RecipeAnswers, Reply, both
from daemon.service.recipe_reader import Read, RecipeReader, result
from daemon.service.recipes import Loaded, Recipes
from daemon.telemetry.metrics import Metrics
from daemon.wire.messages import AnyMessage, JudgeBy, JudgesBy, KeepRecipes, LoadRecipe, NumberedRecipe, RecipeLoaded
from daemon.wire.plate_memory import Shape
from models.machine.memory import Need, shortage
from stages.events import Noted
from stages.recipe_change import (
    Begin,
    Begun,
    Done,
    Event,
    Gone,
    Load,
    Ready,
    RecipeChange,
    Refuse,
    Stopping,
    Tick,
    Wanted,
)
from stages.recipes import FIRST

ROLES = ("line", "acquire", "tile", "detect", "classify", "merge", "record", "challenge")
"""Those whose processes have to do with recipes, where there are any."""
_FORGET_S = 1.0


@dataclass(frozen=True, slots=True)
class _Request:
    """A change that waits until all processes are at work."""

    by: str
    reply: Reply
    recipe: str | None
    """That is changed to; None: all files are read again."""
    begin: Callable[[Reply, float], None]
    until: float
    """Monotonic time, s, after which it waits no longer."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A change under way."""

    by: str
    reply: Reply
    read: Read | None
    target: Loaded


class RecipeKeeper:
    """The recipes of one run and the change under way.

    Args:
        recipes: what is loaded.
        shape: of the plate memory.
        processes: names of all that have to do with recipes.
        lost: roles without which the service goes on.
        start: has the one process of a role started.
        at_work: all processes are at work now.
        send: a message to a process.
        next_plate: number of the plate that begins next.
        decided: it is known again of all plates by which recipe they are judged.
        load_s: longest time that processes may take to have recipes ready.
        metrics: of the run.
    """

    def __init__(
        self,
        recipes: Recipes,
        shape: Shape,
        *,
        processes: Collection[str],
        lost: Callable[[], Collection[str]],
        start: Callable[[str], None],
        at_work: Callable[[], bool],
        send: Callable[[str, AnyMessage], object],
        next_plate: Callable[[], int],
        decided: Callable[[], None],
        load_s: float,
        metrics: Metrics,
    ) -> None:
        self.recipes = recipes
        self._lost, self._start = lost, start
        self._all, self._at_work, self._send = tuple(processes), at_work, send
        self._next_plate, self._decided = next_plate, decided
        self._change = RecipeChange(FIRST, "acquire-0", load_s)
        self._load_s, self._slot_px = load_s, shape.rows * shape.columns
        self._request: _Request | None = None
        self._reader = RecipeReader(recipes, shape)
        self._answers = RecipeAnswers(recipes, metrics)
        self._asked: _Asked | None = None
        self._forget_at = 0.0
        self._shown = recipes.active.recipe.name
        """The recipe whose sheets a replay shows."""
        self._other_sheets = False
        """It was said that a replay goes on with sheets of the first recipe."""
        self._log = structlog.get_logger()

    def close(self) -> None:
        """Wait for no reading any more."""
        self._reader.close()

    def number_of(self, plate: int) -> int | None:
        """Number of the recipe that judges a plate; None as long as that is not known."""
        undecided = self._change.undecided_from
        return None if undecided is not None and plate >= undecided else self.recipes.schedule.of(plate)

    @property
    def further(self) -> tuple[NumberedRecipe, ...]:
        """What a process that starts now is given beside the first recipe: also one that acquisition may begin with."""
        asked = self._asked if self._change.undecided_from is not None else None
        coming = () if asked is None else (*(asked.read.loaded if asked.read else ()), asked.target)
        new = {one.number: one.told for one in coming if one.number not in self.recipes.numbers}
        return (*self.recipes.further, *new.values())

    @property
    def _workers(self) -> int:
        return sum(_role(one) == "detect" for one in self._all)

    @property
    def _processes(self) -> tuple[str, ...]:
        """Names of those that have to do with recipes, and are not lost."""
        lost = self._lost()
        return tuple(one for one in self._all if _role(one) not in lost)

    # --- what is asked -------------------------------------------------------------------------------------------

    def change_to(self, name: str, by: str, reply: Reply, now: float) -> None:
        """Judge the plates to come by that loaded recipe; what became of it goes to `reply`, perhaps later.

        Who asks for the recipe that is being changed to gets the same answer: an output that died meanwhile asks again.
        """
        asked, waits = self._asked, self._request
        if asked is not None and asked.read is None and asked.target.recipe.name == name:
            self._asked = replace(asked, reply=both(asked.reply, reply))
            return
        if waits is not None and waits.recipe == name:
            self._request = replace(waits, reply=both(waits.reply, reply))
            return

        def begin(reply: Reply, now: float) -> None:
            target = self.recipes.named(name)
            if target is None:
                loaded = ", ".join(self.recipes.names)
                self._answers.refuse(by, reply, f"recipe {printable(name[:100])} is not loaded; loaded: {loaded}")
            elif target.number == self._change.judging:
                self._answers.say("unchanged", by, reply, f"recipe {name} judges already", self._next_plate())
            else:
                self._begin(_Asked(by, reply, None, target), [target.number], now)

        self._take(_Request(by, reply, name, begin, now + self._load_s), now)

    def reload(self, by: str, reply: Reply, now: float) -> None:
        """Read configuration and recipes again, and change to what they say now."""

        def begin(reply: Reply, _now: float) -> None:
            self._log.info("configuration and recipes are read again", by=by)
            self._reader.begin(by, reply)

        self._take(_Request(by, reply, None, begin, now + self._load_s), now)

    def _take(self, request: _Request, now: float) -> None:
        """Begin with it, or wait until all processes are at work; one at a time."""
        if self._change.busy or self._reader.busy or self._request is not None:
            self._answers.refuse(request.by, request.reply, "another change is under way: try again when it is done")
        elif self._at_work():
            request.begin(request.reply, now)
        else:
            self._request = request

    # --- what happens --------------------------------------------------------------------------------------------

    def hear(self, process: str, said: RecipeLoaded | JudgesBy, now: float) -> None:
        """A process has a recipe ready, or cannot have it; or acquisition has begun with one."""
        if isinstance(said, RecipeLoaded):
            self._do(Ready(process, said.number, printable(said.refused)), now)
        else:
            self._do(Begun(said.number, said.first_plate), now)

    def gone(self, process: str, opened: Collection[tuple[int, int]], now: float) -> None:
        """A process ended; `opened` are the plates in the plate memory, each with the number of its recipe."""
        asked = None if self._asked is None else self._asked.target.number
        own = [plate for plate, number in opened if number == asked]
        others = [plate + 1 for plate, number in opened if number != asked]
        # What acquisition has begun by the new recipe before it ended, is of it; all else is as it was.
        self._do(Gone(process, min(own, default=max([self._next_plate(), *others]))), now)

    def stopping(self, now: float) -> None:
        """The service stops."""
        if (reading := self._reader.drop()) is not None:
            self._answers.refuse(reading.by, reading.reply, "the service stops")
        if self._request is not None:
            self._drop_request("the service stops")
        self._do(Stopping(), now)

    def step(self, now: float, used: Callable[[], Collection[int]]) -> None:
        """What is due; `used` gives the plates that are open, or lie in the plate memory."""
        if (reading := self._reader.done()) is not None:
            self._has_read(reading.by, reading.reply, result(reading), now)
        if self._request is not None and self._at_work():
            request, self._request = self._request, None
            request.begin(request.reply, now)
        elif self._request is not None and now > self._request.until:
            self._drop_request("not all processes are at work: see the log and /healthz, and try again")
        for process in set(self._all).difference(self._processes):
            self._do(Gone(process, self._next_plate()), now)
        self._do(Tick(), now)
        if now >= self._forget_at and not self._change.busy and not self._reader.busy:
            self._forget_at = now + _FORGET_S
            self._forget(used())

    # --- what was read -------------------------------------------------------------------------------------------

    def _has_read(self, by: str, reply: Reply, read: Read | str, now: float) -> None:
        if isinstance(read, str):
            self._answers.refuse(by, reply, read)
            return
        if read.restart:
            self._answers.say(
                "restart", by, reply, "\n".join(f"{key}: changes with a restart alone" for key in read.restart)
            )
            return
        new = [one.number for one in read.loaded if one.number not in self.recipes.numbers]
        target = self.recipes.target(read.sources, read.loaded)
        if not new and target.number == self._change.judging:
            self.recipes.take(read.sources, read.loaded)
            self._answers.say("unchanged", by, reply, "nothing is new: all is as it was")
        elif why := shortage(self._further_needs(read)):
            self._answers.refuse(by, reply, why)
        else:
            for role in self._lacking(read):
                self._log.info("a process is started: a recipe needs it for the first time", role=role)
                self._all = (*self._all, f"{role}-0")
                self._start(role)
            self._begin(_Asked(by, reply, read, target), [*new, target.number], now)

    def _lacking(self, read: Read) -> list[str]:
        """Roles of one process that a recipe needs, and no recipe of the run has needed yet."""
        needed = {
            "classify": any(one.classifier is not None for one in read.loaded),
            "challenge": read.sources.config.archive.on and any(one.challenger is not None for one in read.loaded),
        }
        return [role for role, needs in needed.items() if needs and f"{role}-0" not in self._all]

    def _further_needs(self, read: Read) -> list[Need]:
        new = [one for one in read.loaded if one.number not in self.recipes.numbers]
        needs = [further_need(len(new), self._workers, self.recipes.new_classifiers(read.loaded))]
        lacking = self._lacking(read)
        if "classify" in lacking:
            needs.append(classifier_need())
        if "challenge" in lacking:
            needs.append(challenger_need(read.sources.recipes, self._slot_px))
        return needs

    # --- changing ------------------------------------------------------------------------------------------------

    def _begin(self, asked: _Asked, numbers: Collection[int], now: float) -> None:
        self._asked = asked
        processes = self._processes
        if asked.read is None:
            # It has been loaded already, and who starts anew loads it first: no change of product waits for a role
            # without which the service goes on.
            processes = tuple(one for one in processes if _role(one) not in OPTIONAL)
        self._do(Wanted(tuple(dict.fromkeys(numbers)), asked.target.number, processes), now)

    def _do(self, event: Event, now: float) -> None:
        for order in self._change.handle(event, now, self._next_plate()):
            match order:
                case Load(process, number):
                    self._send(process, LoadRecipe(self._wanted(number).told))
                case Begin(number, not_before):
                    self._send("acquire-0", JudgeBy(number, not_before))
                case Done(target=target, first_plate=first_plate):
                    self._done(target, first_plate)
                case Refuse(why=why):
                    asked = self._asked
                    assert asked is not None
                    self._asked = None
                    self._keep()
                    self.recipes.delete_weights()
                    self._answers.refuse(asked.by, asked.reply, why)

    def _wanted(self, number: int) -> Loaded:
        assert self._asked is not None
        read = () if self._asked.read is None else self._asked.read.loaded
        return next(one for one in (*read, self._asked.target) if one.number == number)

    def _done(self, target: int, first_plate: int | None) -> None:
        asked = self._asked
        assert asked is not None
        self._asked = None
        if asked.read is not None:
            self.recipes.take(asked.read.sources, asked.read.loaded)
        if first_plate is not None:
            self.recipes.schedule.change(first_plate, target)
            self._decided()
        self._answers.active()
        text = f"recipe {asked.target.recipe.name} judges from plate {first_plate} on"
        if first_plate is None:
            text = f"recipe {asked.target.recipe.name} judges, as before; what else is loaded is new"
        self._send("record-0", Noted("recipe", f"{text}, asked by {asked.by}"))
        self._answers.say("changed", asked.by, asked.reply, text, first_plate)
        self._tell_other_sheets(asked.target.recipe.name)

    def _tell_other_sheets(self, judging: str) -> None:
        """A replay shows what it was made for, whatever judges: say that once."""
        source = self.recipes.sources.config.camera.source
        if source in REPLAYS and judging != self._shown and not self._other_sheets:
            self._other_sheets = True
            words = f"the camera is a replay ({source}): it goes on with sheets of {self._shown}"
            self._log.warning(words, recipe=judging)

    def _forget(self, plates: Collection[int]) -> None:
        begun = max((first for first, _ in self.recipes.schedule.begins), default=0)
        if self._next_plate() < begun:
            return  # plates of the recipe before are still to be heard of
        used = self.recipes.used(plates)
        self.recipes.schedule.forget(min([self._next_plate(), *plates]))
        if self.recipes.forget(used):
            self._keep()

    def _keep(self) -> None:
        for process in self._processes:
            self._send(process, KeepRecipes(self.recipes.numbers))

    def _drop_request(self, why: str) -> None:
        request, self._request = self._request, None
        assert request is not None
        self._answers.refuse(request.by, request.reply, why)


def _role(process: str) -> str:
    return process.rpartition("-")[0]
