"""How a run changes the recipe by which plates are judged: whole, between two plates, or not at all.

A state machine without I/O: what happens in, what is to be done out. First every process has the recipes ready, then
acquisition says with which plate it begins. Until that is asked, anything that goes wrong refuses the change and all
stays as it was; from then on the change is made, whatever dies.

| the change is | from | until |
|---|---|---|
| none | | a change is asked for |
| loading | Load to every process that has to do with recipes | all have said that they are ready |
| | | one refuses or ends, the time is over, or the service stops: Refuse |
| beginning | Begin | acquisition has said from which plate on, or has ended: Done |

Only one is under way; another one that is asked for meanwhile is refused by who asks this machine (`busy`).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

# --- what it is told, and says -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wanted:
    """These recipes are to be ready, and the plates to come judged by the target."""

    numbers: Collection[int]
    target: int
    processes: Collection[str]
    """Names of those that have to do with recipes."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A process has a recipe ready, or says why it cannot have it."""

    process: str
    number: int
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Gone:
    """A process has ended; `first_plate` is where the target begins if that was acquisition and it was asked."""

    process: str
    first_plate: int


@dataclass(frozen=True, slots=True)
class Begun:
    """Acquisition judges by that recipe from that plate on."""

    number: int
    first_plate: int


@dataclass(frozen=True, slots=True)
class Stopping:
    """The service stops."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


@dataclass(frozen=True, slots=True)
class Load:
    """Have that process make that recipe ready."""

    process: str
    number: int


@dataclass(frozen=True, slots=True)
class Begin:
    """Have acquisition judge by that recipe, from a plate on that is not before."""

    number: int
    not_before: int


@dataclass(frozen=True, slots=True)
class Done:
    """The recipes are ready; from that plate on it is judged by the target. None: it was already, and still is."""

    target: int
    first_plate: int | None


@dataclass(frozen=True, slots=True)
class Refuse:
    """The change is not made, and nothing has changed."""

    why: str


Event = Wanted | Ready | Gone | Begun | Stopping | Tick
Order = Load | Begin | Done | Refuse


class State(StrEnum):
    """Where a change stands; see the table above."""

    NONE = "none"
    LOADING = "loading"
    BEGINNING = "beginning"


class RecipeChange:
    """The change under way; times are monotonic, s.

    Args:
        number: of the recipe that judges from the start.
        acquisition: name of the process that begins plates.
        load_s: longest time that processes may take to have recipes ready.
    """

    def __init__(self, number: int, acquisition: str, load_s: float) -> None:
        self.state = State.NONE
        self.judging = number
        """Number of the recipe by which the plates to come are judged."""
        self._acquisition = acquisition
        self._load_s = load_s
        self._until = 0.0
        self._wanted: Wanted | None = None
        self._not_before = 0
        self._missing: set[tuple[str, int]] = set()

    @property
    def busy(self) -> bool:
        """A change is under way."""
        return self.state is not State.NONE

    @property
    def undecided_from(self) -> int | None:
        """The plate from which on it is not known by which recipe it is judged; None while that is known of all."""
        return self._not_before if self.state is State.BEGINNING else None

    def handle(self, event: Event, now: float, next_plate: int) -> list[Order]:
        """Take one event and say what is to be done, in this order.

        Args:
            event: what happened.
            now: the time.
            next_plate: the plate that begins next, as the supervisor knows.
        """
        done: list[Order] = []
        match event:
            case Wanted():
                done = self._begin_loading(event, now, next_plate)
            case Ready(process, number, refused) if (process, number) in self._missing:
                if refused:
                    done = self._refuse(f"{process}: {refused}")
                else:
                    self._missing.discard((process, number))
                    done = self._ready(next_plate)
            case Gone(process, first_plate):
                done = self._gone(process, first_plate)
            case Begun(number, first_plate) if self.state is State.BEGINNING and number == self._target:
                done = self._done(first_plate)
            case Stopping() if self.state is State.LOADING:
                done = self._refuse("the service stops")
            case Tick() if self.state is State.LOADING and now > self._until:
                late = ", ".join(sorted({process for process, _ in self._missing}))
                done = self._refuse(f"{late} had it not ready within {self._load_s:g} s")
        return done

    def validate(self) -> None:
        """Check what always holds between two events.

        Raises:
            AssertionError: it does not.
        """
        assert (self._wanted is not None) == self.busy, f"{self.state}, wanted is {self._wanted}"
        assert bool(self._missing) == (self.state is State.LOADING), f"{self.state}, and {self._missing} are missing"
        assert self.state is not State.BEGINNING or self._target != self.judging, "begins what judges already"

    @property
    def _target(self) -> int | None:
        return None if self._wanted is None else self._wanted.target

    def _begin_loading(self, wanted: Wanted, now: float, next_plate: int) -> list[Order]:
        if self.busy:
            return []
        self._wanted, self._until = wanted, now + self._load_s
        self._missing = {(process, number) for number in wanted.numbers for process in wanted.processes}
        if not self._missing:
            return self._ready(next_plate)
        self.state = State.LOADING
        return [Load(process, number) for process, number in sorted(self._missing)]

    def _ready(self, next_plate: int) -> list[Order]:
        if self._missing or self._wanted is None:
            return []
        if self._wanted.target == self.judging:
            return self._done(None)
        self.state, self._not_before = State.BEGINNING, next_plate
        return [Begin(self._wanted.target, next_plate)]

    def _gone(self, process: str, first_plate: int) -> list[Order]:
        if self.state is State.LOADING and self._wanted is not None and process in self._wanted.processes:
            return self._refuse(f"{process} ended while it was loading")
        if self.state is State.BEGINNING and process == self._acquisition:
            # Whether it had heard or not: its successor is told from which plate on.
            return self._done(first_plate)
        return []

    def _done(self, first_plate: int | None) -> list[Order]:
        assert self._wanted is not None
        wanted, self._wanted, self._missing = self._wanted, None, set()
        self.state, self.judging = State.NONE, wanted.target
        return [Done(wanted.target, first_plate)]

    def _refuse(self, why: str) -> list[Order]:
        assert self._wanted is not None
        self._wanted, self._missing, self.state = None, set(), State.NONE
        return [Refuse(why)]
