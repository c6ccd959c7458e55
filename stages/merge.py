"""The merger: collects what was found in each window of a plate and decides it, once.

A state machine without I/O: events in, instructions out. Events may come in any order, twice, late, or again after
the merger itself was restarted. The decision is said again to a record stage that has not taken it. What is kept is
bounded by the open plates.

| a plate is | from | until |
|---|---|---|
| open | anything is heard of it | PlateClosed |
| closed | PlateClosed | each of its windows was scored or given up, or its deadline has passed |
| awaited | AwaitClassifier: only the classifier is missing (stages/opinions.py) | it answered, or had its time |
| decided | PlateDecided | its verdict is committed |
| final | PlateFinal | |

An Abort decides whatever is open or closed at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from config.schema import Recipe
from stages.collected import Collected, FinalPlates, PlateState, has_pixels, windows_in
from stages.events import (
    Abort,
    ClassifierLost,
    ClassifyCrops,
    CropsClassified,
    CropsUnwanted,
    Place,
    PlateClosed,
    PlateDecided,
    PlateFinal,
    PlateOpened,
    SayAgain,
    WindowQuarantined,
    WindowScored,
    WindowsMerged,
)
from stages.judging import Judging
from stages.opinions import OpinionCounters, Opinions
from stages.plate import Cause, WindowResult
from stages.so_far import SoFar, so_far
from stages.story import Stories

# --- what only the merge process says and does ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Deadline:
    """The time in which this plate should have been decided has passed: it is decided with what is there."""

    plate: int


@dataclass(frozen=True, slots=True)
class ClassifierDeadline:
    """The time in which the classifier should have answered for this plate has passed."""

    plate: int


@dataclass(frozen=True, slots=True)
class ClassifierStarted:
    """A classifier that knows nothing of what was asked is there."""


@dataclass(frozen=True, slots=True)
class AwaitClassifier:
    """Every window is in and only the classifier is waited for: say so when its time has passed."""

    plate: int


@dataclass(frozen=True, slots=True)
class Forget:
    """The plate is final: nothing more is to be known of it."""

    plate: int


Event = (
    PlateOpened
    | WindowScored
    | WindowQuarantined
    | PlateClosed
    | PlateFinal
    | Deadline
    | Abort
    | SayAgain
    | CropsClassified
    | ClassifierDeadline
    | ClassifierStarted
    | ClassifierLost
)
Instruction = WindowsMerged | PlateDecided | Forget | ClassifyCrops | AwaitClassifier | CropsUnwanted


# --- the machine ---------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class MergeCounters:
    """What the merger has done and refused since it started."""

    plates_opened: int = 0
    plates_decided: int = 0
    plates_committed: int = 0
    windows_scored: int = 0
    windows_quarantined: int = 0
    windows_repeated: int = 0
    """Results of a window that had one, or of a plate already decided."""
    windows_outside: int = 0
    """Results of windows that the plate does not have."""
    windows_foreign: int = 0
    """Results of another run of the service."""
    windows_other_recipe: int = 0
    """Results by another recipe than the plate's."""
    events_final: int = 0
    """Events of plates whose verdict is final."""
    events_repeated: int = 0


class Merger:
    """Merges the windows of plates into one decision each.

    Args:
        recipe: the product's windows, limits and decision rule; that of the number 1 (stages/recipes.py).
        run: id of this run of the service; results of another run are dropped and counted.
        incarnation: which merger of this run it is; answers to what another asked are dropped and counted.
    """

    def __init__(self, recipe: Recipe, run: str, incarnation: int = 1) -> None:
        self._run = run
        self._plates: dict[int, Collected] = {}
        self._final = FinalPlates()
        self._aborted: Cause | None = None
        self._stories = Stories(self._plates)
        self._judging = Judging(recipe, incarnation)
        self.counters = MergeCounters()

    def add_recipe(self, number: int, recipe: Recipe) -> None:
        """Plates of that number are judged by this recipe."""
        self._judging.add(number, recipe)

    def forget_recipe(self, number: int) -> None:
        """No plate of that recipe will come any more; it stays while one is open."""
        if all(state.recipe != number for state in self._plates.values()):
            self._judging.forget(number)

    def recipe_of(self, plate: int) -> Recipe:
        """The recipe by which an open plate is judged; the first one where nothing of it was heard yet."""
        state = self._plates.get(plate)
        return self._judging.recipe(None if state is None else state.recipe)

    @property
    def asked(self) -> OpinionCounters:
        """What became of the crops that the classifier was asked about."""
        return self._judging.asked

    @property
    def open_plates(self) -> tuple[int, ...]:
        """Plates that are not final, in order."""
        return tuple(sorted(self._plates))

    def progress(self, plate: int, most_boxes: int = 0) -> SoFar:
        """How far an open plate is, with so many boxes at most; nothing for any other."""
        return so_far(self._plates.get(plate), self.recipe_of(plate), most_boxes)

    def state_of(self, plate: int) -> PlateState | None:
        """Where a plate stands; None where nothing was heard of it, or too long ago."""
        state = self._plates.get(plate)
        return state.state if state is not None else PlateState.FINAL if plate in self._final else None

    def last_row_at(self, plate: int) -> float | None:
        """Monotonic time when the last row of an open plate was delivered, s; None where that is not known."""
        state = self._plates.get(plate)
        return None if state is None or state.closed is None else state.closed.last_row_at

    def waits_for(self, plate: int) -> str:
        """What an open plate waits for here, in words; empty for any other."""
        state = self._plates.get(plate)
        if state is None:
            return ""
        if state.decided is not None:
            return "record, to commit its verdict"
        if state.closed is None:
            return "tile, to say that it has ended"
        if state.awaited:
            return "the classifier"
        return f"windows: {state.windows_done} of {self._windows_in(state, state.closed)} are there"

    def story(self, plate: int) -> list[str]:
        """What was said of a plate that is not final, for people who ask why it hangs."""
        return self._stories.of(plate)

    def handle(self, event: Event) -> list[Instruction]:
        """Take one event and say what is to be done."""
        done = self._handle(event)
        self._stories.add(event, done)
        return done

    def validate(self) -> None:
        """Check what always holds between two events.

        Raises:
            AssertionError: it does not.
        """
        self._judging.validate()
        for plate, state in self._plates.items():
            assert plate == state.plate
            assert state.recipe is None or state.recipe in self._judging, f"plate {plate}: its recipe is forgotten"
            opinions = self._opinions_of(state)
            if state.state is PlateState.DECIDED:
                assert not state.results, f"plate {plate} is decided and keeps its windows"
                assert not opinions.waits(plate), f"plate {plate} is decided and waits for the classifier"
                continue
            assert self._aborted is None, f"plate {plate} outlived the abort"
            if state.closed is not None:
                most = self._windows_in(state, state.closed)
                assert all(w < most for w in (*state.results, *state.quarantined)), f"plate {plate}: a window beyond"
                missing = state.windows_done < most and has_pixels(state.closed)
                assert missing or opinions.waits(plate), f"plate {plate} waits for nothing"
            assert not (state.state is PlateState.AWAITED and state.closed is None), f"plate {plate}: awaited too soon"

    def _handle(self, event: Event) -> list[Instruction]:
        match event:
            case WindowScored(result=result, place=place):
                return self._scored(result, place)
            case PlateOpened() | PlateClosed() | WindowQuarantined() | Deadline():
                return self._told(event)
            case PlateFinal(plate):
                return self._let_go(plate)
            case Abort(cause):
                self._aborted = self._aborted or cause
                return self._all_due()
            case SayAgain():
                states = [self._plates[plate] for plate in self.open_plates]
                return [state.decided for state in states if state.decided is not None]
            case CropsClassified() | ClassifierDeadline() | ClassifierStarted() | ClassifierLost():
                return self._classifier(event)
            case _:
                assert_never(event)

    def _scored(self, result: WindowResult, place: Place) -> list[Instruction]:
        if result.run != self._run:
            self.counters.windows_foreign += 1
            return []
        if self._is_final(result.plate):
            self.counters.events_final += 1
            return [Forget(result.plate)]
        exists = self._judging.may_exist(result.window, place.recipe)
        state = self._state(result.plate, place) if exists else None
        if state is None or state.recipe != place.recipe:
            self.counters.windows_outside += state is None
            self.counters.windows_other_recipe += state is not None
            return []
        acknowledged: list[Instruction] = [WindowsMerged(result.plate, (result.window,))]
        if state.decided is not None or result.window in state.results:
            self.counters.windows_repeated += 1
            return acknowledged
        if state.closed is not None and result.window >= self._windows_in(state, state.closed):
            self.counters.windows_outside += 1
            return acknowledged
        state.results[result.window] = result
        self.counters.windows_scored += 1
        asked = self._opinions_of(state).ask(result, place, state.columns_by(self.recipe_of(result.plate)))
        return [*acknowledged, *asked, *self._decide_if_due(state)]

    def _classifier(
        self, event: CropsClassified | ClassifierDeadline | ClassifierStarted | ClassifierLost
    ) -> list[Instruction]:
        match event:
            case ClassifierStarted():
                # What is not asked any more may be all that a plate waited for.
                return [*self._judging.again(), *self._all_due()]
            case ClassifierLost():
                self._judging.lost()
                return self._all_due()
        state, asked = self._plates.get(event.plate), []
        if isinstance(event, ClassifierDeadline):
            if state is None or not state.awaited or state.decided is not None:
                self.counters.events_repeated += 1
                return []
            state.unheard = True
        elif (state is None and event.plate in self._final) or (state is not None and state.decided is not None):
            self.asked.answers_late += 1
            return []
        else:
            asked = self._opinions_of(state).take(event)
        return [*asked, *([] if state is None else self._decide_if_due(state))]

    def _told(self, event: PlateOpened | PlateClosed | WindowQuarantined | Deadline) -> list[Instruction]:
        if self._is_final(event.plate):
            self.counters.events_final += 1
            return [Forget(event.plate)]
        instructions: list[Instruction] = []
        if isinstance(event, WindowQuarantined):
            known = self._plates.get(event.plate)
            if not self._judging.may_exist(event.window, None if known is None else known.recipe):
                self.counters.windows_outside += 1
                return []
            instructions.append(WindowsMerged(event.plate, (event.window,)))
        state = self._state(event.plate, event.place if isinstance(event, PlateOpened | PlateClosed) else None)
        if state.decided is not None:
            self.counters.events_repeated += 1
            return instructions
        match event:
            case PlateOpened(place=place, sheet=sheet):
                self.counters.events_repeated += state.opened
                state.opened = True
                state.sheet = state.sheet or sheet
                if place is not None and state.columns is None:
                    state.columns = place.columns
            case WindowQuarantined(window=window):
                self._quarantined(state, window)
            case Deadline():
                # Where only answers are missing the plate is ready: without them, and not late.
                state.unheard, state.late = state.awaited, not state.awaited
            case PlateClosed():
                self._closed(state, event)
        return instructions + self._decide_if_due(state)

    def _quarantined(self, state: Collected, window: int) -> None:
        if window in state.quarantined:
            self.counters.windows_repeated += 1
        elif state.closed is not None and window >= self._windows_in(state, state.closed):
            self.counters.windows_outside += 1
        else:
            state.quarantined.add(window)
            self.counters.windows_quarantined += 1

    def _closed(self, state: Collected, event: PlateClosed) -> None:
        if state.closed is not None:
            self.counters.events_repeated += 1
            return
        state.closed = event
        state.columns = event.columns
        most = self._windows_in(state, event)
        outside = [w for w in state.results if w >= most]
        for window in outside:
            del state.results[window]
        self._opinions_of(state).drop(state.plate, outside)
        given_up = {w for w in state.quarantined if w < most}
        self.counters.windows_outside += len(outside) + len(state.quarantined) - len(given_up)
        state.quarantined = given_up

    def _decide_if_due(self, state: Collected) -> list[Instruction]:
        if state.decided is not None:
            return []
        closed, opinions = state.closed, self._opinions_of(state)
        if self._aborted is None:
            if closed is None:
                return []
            all_there = state.windows_done >= self._windows_in(state, closed)
            if has_pixels(closed) and not all_there and not state.late:
                return []
            if opinions.waits(state.plate) and not (state.late or state.unheard):
                first, state.awaited = not state.awaited, True
                return [AwaitClassifier(state.plate)] if first else []
        decided = state.decide(self.recipe_of(state.plate), self._run, opinions, self._aborted)
        self.counters.plates_decided += 1
        return [decided, *opinions.close(state.plate)]

    def _all_due(self) -> list[Instruction]:
        return [one for plate in self.open_plates for one in self._decide_if_due(self._plates[plate])]

    def _let_go(self, plate: int) -> list[Instruction]:
        if self._is_final(plate):
            self.counters.events_final += 1
            return [Forget(plate)]
        opinions = self._opinions_of(self._plates.pop(plate, None))
        self._final.add(plate)
        self.counters.plates_committed += 1
        return [Forget(plate), *opinions.close(plate)]

    def _state(self, plate: int, place: Place | None) -> Collected:
        """What is known of a plate; the first that is heard of its place says by which recipe it is judged."""
        if plate not in self._plates:
            self._plates[plate] = Collected(plate)
            self.counters.plates_opened += 1
        state = self._plates[plate]
        if state.recipe is None and place is not None and place.recipe in self._judging:
            state.recipe = place.recipe
        return state

    def _opinions_of(self, state: Collected | None) -> Opinions:
        return self._judging.opinions(None if state is None else state.recipe)

    def _windows_in(self, state: Collected, closed: PlateClosed) -> int:
        return windows_in(closed, self.recipe_of(state.plate).windows)

    def _is_final(self, plate: int) -> bool:
        return plate not in self._plates and plate in self._final
