"""The challenge process: candidates judge plates of the archive while the line has none. No verdict is theirs.

It gives way at once: to any plate that comes, and to every other process. Nothing waits for it, and its death costs
the plate that it was judging, which is judged anew.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import structlog

from config.challenger import candidate_of
from config.errors import ConfigError
from config.load import recipe_hash
from config.schema import Config, Recipe
from daemon.offline.reinspect.candidate import CandidateError
from daemon.offline.reinspect.candidate import candidate_of as with_networks
from daemon.offline.reinspect.plate import Inspector, Job
from daemon.service.child import Child, Plan
from daemon.store.challenges import unchallenged
from daemon.store.results import Store, StoreError, store_path
from daemon.store.rows import result_of
from daemon.wire.channel import Event
from daemon.wire.plate_memory import PlateMemory
from stages.comparison import challenge_of
from stages.events import PlateChallenged
from stages.recipes import FIRST

_NICENESS = 19
_LOOK_S = 0.02
"""How often it looks whether the line is free again."""
_REST_S = 5.0
"""Before the store is asked again where it had no plate, or could not be read."""


@dataclass(frozen=True, slots=True)
class _Contender:
    """The candidate of a recipe, loaded."""

    recipe_sha256: str
    """Of the recipe that names it: of its plates those are judged that it judged."""
    candidate: str
    """SHA-256 of all that decides the candidate's results, hex."""
    name: str
    share: float
    inspector: Inspector


class ChallengeProcess(Child):
    """Has one plate after the other judged in a thread, and tells record what each candidate says."""

    role = "challenge"

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._bench = Bench(self.config, Path(plan.state), self.plate_memory())
        self._judge = ThreadPoolExecutor(1, "challenge", _give_way)
        self._judging: Future[PlateChallenged | None] | None = None
        self._next_at = 0.0

    def start(self) -> None:
        """Take up the challenger of the first recipe; those of others are known by now."""
        if self.plan.first_is_used:
            self.load_recipe(FIRST, self.recipe)
        self._record = self.connect("record", _on_record)

    def load_recipe(self, number: int, recipe: Recipe) -> None:
        """Take up its challenger, if it names one: with the next plate that is judged."""
        # The hash that its plates are stored with: here the recipe names copies of its weights.
        self._bench.take_up(number, recipe, str(self.facts[number].get("recipe_sha256") or recipe_hash(recipe)))
        self._next_at = 0.0

    def forget_recipe(self, number: int) -> None:
        """Its challenger judges no plate any more, once it is done with the one at hand."""
        self._bench.let_go(number)

    def tick(self, now: float) -> None:
        """Tell what was judged; have the next plate judged once the line has none."""
        if self._judging is not None and self._judging.done():
            said, self._judging = self._judging.result(), None
            if said is None:
                self._next_at = now + _REST_S
            else:
                self._record.send(said, now)
        if self._judging is None and now >= self._next_at and self._bench.line_is_free():
            self._judging = self._judge.submit(self._bench.judge_next)
        self.note = "rests" if self._judging is None else "judges a plate"

    def stop(self) -> None:
        """End at the next row of windows."""
        self._bench.stopped.set()
        self._judge.shutdown(cancel_futures=True)


class Bench:
    """What happens in the thread. Whatever fails there is logged, and costs a candidate's word on one plate."""

    def __init__(self, config: Config, state: Path, memory: PlateMemory) -> None:
        self.stopped = threading.Event()
        self._config, self._state, self.memory = config, state, memory
        self._recipes: dict[int, tuple[Recipe, str]] = {}
        """By number, each with the hash that its plates are stored with: changed outside the thread."""
        self._contenders: dict[int, _Contender | None] = {}
        """Those that are loaded; None for a recipe that has none, or one that cannot be used."""
        self._failed: deque[int] = deque(maxlen=1000)
        """Plates whose files could not be judged: they are not tried again soon."""
        self._judged: deque[tuple[str, int]] = deque(maxlen=100)
        """By candidate and plate: what record may not have stored yet."""
        self._log = structlog.get_logger()

    def line_is_free(self) -> bool:
        """Whether no slot is held: neither by a plate nor by what is kept of one."""
        return len(self.memory.free_places()) == self.memory.shape.slots

    def take_up(self, number: int, recipe: Recipe, sha256: str) -> None:
        """From now on plates of that recipe are judged by its challenger, if it names one."""
        self._recipes = {**self._recipes, number: (recipe, sha256)}

    def let_go(self, number: int) -> None:
        """The challenger of that recipe judges no more."""
        self._recipes = {known: pair for known, pair in self._recipes.items() if known != number}

    def judge_next(self) -> PlateChallenged | None:
        """What a candidate says of a plate that it has not judged; None where there is none, or nothing to say."""
        recipes = self._recipes
        self._contenders = {
            number: self._contenders[number] if number in self._contenders else self._loaded(*pair)
            for number, pair in recipes.items()
        }
        # The latest first: until the one before it is let go, both may judge the same plates.
        for _, contender in sorted(self._contenders.items(), reverse=True):
            if contender is None:
                continue
            try:
                if (said := self._judge(contender)) is not None:
                    return said
            except StoreError as error:
                self._log.warning("a challenger cannot read the store", error=str(error))
        return None

    def _judge(self, contender: _Contender) -> PlateChallenged | None:
        while (job := self._next_job(contender)) is not None and self.line_is_free():
            outcome = contender.inspector.inspect(job, self.give_way)
            if self.stopped.is_set():
                return None
            if outcome.candidate is not None:
                self._judged.append((contender.candidate, job.plate))
                said = challenge_of(contender.candidate, contender.name, job.stored, outcome.candidate)
                self._log.info("a challenger judged a plate", plate=job.plate, recipe=contender.name, change=said.kind)
                return PlateChallenged(job.plate, said)
            self._failed.append(job.plate)
            self._log.warning("a challenger could not judge a plate", plate=job.plate, error=outcome.words)
        return None

    def _next_job(self, contender: _Contender) -> Job | None:
        without = {*self._failed, *(plate for one, plate in self._judged if one == contender.candidate)}
        with Store.open(store_path(self._state), read_only=True) as store:
            found = unchallenged(store, contender.recipe_sha256, contender.candidate, contender.share, without)
        return None if found is None else Job(str(found.path), found.sha256, result_of(found.row))

    def _loaded(self, recipe: Recipe, sha256: str) -> _Contender | None:
        try:
            own = candidate_of(recipe)
            if own is None or recipe.challenger is None:
                return None
            candidate = with_networks(own, self._config)
            inspector = Inspector(candidate)
        except (ConfigError, CandidateError) as error:
            self._log.error("a challenger cannot be used", recipe=recipe.name, error=str(error))
            return None
        return _Contender(sha256, candidate.digest, own.name, recipe.challenger.share, inspector)

    def give_way(self, _done: int, _total: int) -> None:
        """Wait until the line is free; the inspection goes on after that."""
        while not self.line_is_free():
            if self.stopped.wait(_LOOK_S):
                break
        if self.stopped.is_set():
            raise StoppedError


class StoppedError(Exception):
    """The service ends."""


def _on_record(_event: Event, _now: float) -> None:
    """Record has nothing to say here."""


def _give_way() -> None:
    """Let this thread run when nothing else wants to."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)


ROLE = ChallengeProcess
