"""The merger: collects what was found in each window of a plate and decides it, once.

A state machine without I/O: events in, instructions out. Events may come in any order, twice, late, or again after
the merger itself was restarted. A plate is decided when it is closed, each of its windows was scored or given up, and
the classifier has answered what it was asked (stages/opinions.py) or had its time; the decision is said again to a
record stage that has not taken it, and once it is committed the plate is let go. What is kept is bounded by the open
plates.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import assert_never

from config.schema import Recipe
from stages.defects import defects_of
from stages.merge_events import (
    Abort,
    Acknowledge,
    AwaitClassifier,
    ClassifierDeadline,
    ClassifierLost,
    ClassifierStarted,
    Classify,
    Committed,
    CropsClassified,
    Deadline,
    Decide,
    Event,
    Instruction,
    PlateClosed,
    PlateOpened,
    RecordRestarted,
    Released,
    WindowQuarantined,
    WindowScored,
)
from stages.opinions import Opinions
from stages.plate import Cause, PlateResult, WindowResult, found_and_vetoed, window_columns, window_rows
from stages.verdict import PlateFacts, bands_of, verdict_of

NO_PIXELS = frozenset({Cause.OVERLOAD, Cause.NO_ROWS, Cause.STARTED_MID_SHEET})
"""Causes of plates that have no slot, so that no window of theirs will ever come."""
_FINAL_REMEMBERED = 4096


# --- the machine -----------------------------------------------------------------------------------------------


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
    events_final: int = 0
    """Events of plates whose verdict is final."""
    events_repeated: int = 0


@dataclass(slots=True)
class _Plate:
    """What is known of a plate that is not final."""

    plate: int
    opened: bool = False
    columns: int | None = None
    results: dict[int, WindowResult] = field(default_factory=dict)
    quarantined: set[int] = field(default_factory=set)
    closed: PlateClosed | None = None
    late: bool = False
    """Its deadline passed before its decision; one that is not closed yet is decided when it is."""
    awaited: bool = False
    """Every window is in, and it was said that the classifier's time runs."""
    unheard: bool = False
    """The classifier's time has passed."""
    decided: PlateResult | None = None


class _FinalPlates:
    """The plates that are final: the last some thousand by number, and all below them that are not open."""

    def __init__(self) -> None:
        self._recent: set[int] = set()
        self._order: deque[int] = deque()
        self._forgotten = -1

    def add(self, plate: int) -> None:
        if plate not in self._recent:
            self._recent.add(plate)
            self._order.append(plate)
        if len(self._order) > _FINAL_REMEMBERED:
            oldest = self._order.popleft()
            self._recent.discard(oldest)
            self._forgotten = max(self._forgotten, oldest)

    def __contains__(self, plate: int) -> bool:
        return plate in self._recent or plate <= self._forgotten


class Merger:
    """Merges the windows of plates into one decision each.

    Args:
        recipe: the product's windows, limits and decision rule.
        run: id of this run of the service; results of another run are dropped and counted.
    """

    def __init__(self, recipe: Recipe, run: str) -> None:
        self._recipe = recipe
        self._run = run
        self._plates: dict[int, _Plate] = {}
        self._final = _FinalPlates()
        self._aborted: Cause | None = None
        self.opinions = Opinions(recipe)
        self.counters = MergeCounters()

    @property
    def open_plates(self) -> tuple[int, ...]:
        """Plates that are not final, in order."""
        return tuple(sorted(self._plates))

    def progress(self, plate: int) -> tuple[int, int]:
        """Windows of an open plate that are scored or given up, and regions found so far; zeros for any other."""
        state = self._plates.get(plate)
        if state is None:
            return 0, 0
        if state.decided is not None:
            return state.decided.windows_scored, found_and_vetoed(state.decided.defects)[0]
        return _done(state), sum(len(r.regions) for r in state.results.values())

    def handle(self, event: Event) -> list[Instruction]:
        """Take one event and say what is to be done."""
        match event:
            case WindowScored(result):
                return self._scored(result)
            case PlateOpened() | PlateClosed() | WindowQuarantined() | Deadline():
                return self._told(event)
            case Committed(plate):
                return self._let_go(plate)
            case Abort(cause):
                self._aborted = self._aborted or cause
                return self._all_due()
            case RecordRestarted():
                states = [self._plates[plate] for plate in self.open_plates]
                return [Decide(state.decided) for state in states if state.decided is not None]
            case CropsClassified() | ClassifierDeadline() | ClassifierStarted() | ClassifierLost():
                return self._classifier(event)
            case _:
                assert_never(event)

    def _scored(self, result: WindowResult) -> list[Instruction]:
        if result.run != self._run:
            self.counters.windows_foreign += 1
            return []
        if self._is_final(result.plate):
            self.counters.events_final += 1
            return [Released(result.plate)]
        if not self._may_exist(result.window):
            self.counters.windows_outside += 1
            return []
        state = self._state(result.plate)
        acknowledged: list[Instruction] = [Acknowledge(result.plate, (result.window,))]
        if state.decided is not None or result.window in state.results:
            self.counters.windows_repeated += 1
            return acknowledged
        if state.closed is not None and result.window >= self._windows(state.closed):
            self.counters.windows_outside += 1
            return acknowledged
        state.results[result.window] = result
        self.counters.windows_scored += 1
        asked = self.opinions.ask(result, self._columns(state))
        return [*acknowledged, *asked, *self._decide_if_due(state)]

    def _classifier(
        self, event: CropsClassified | ClassifierDeadline | ClassifierStarted | ClassifierLost
    ) -> list[Instruction]:
        match event:
            case ClassifierStarted():
                # What is not asked any more may be all that a plate waited for.
                return [*self.opinions.again(), *self._all_due()]
            case ClassifierLost():
                self.opinions.lost()
                return self._all_due()
        state, asked = self._plates.get(event.plate), list[Classify]()
        if isinstance(event, ClassifierDeadline):
            if state is None or not state.awaited or state.decided is not None:
                self.counters.events_repeated += 1
                return []
            state.unheard = True
        elif (state is None and event.plate in self._final) or (state is not None and state.decided is not None):
            self.opinions.counters.answers_late += 1
            return []
        else:
            asked = self.opinions.take(event)
        return [*asked, *([] if state is None else self._decide_if_due(state))]

    def _told(self, event: PlateOpened | PlateClosed | WindowQuarantined | Deadline) -> list[Instruction]:
        if self._is_final(event.plate):
            self.counters.events_final += 1
            return [Released(event.plate)]
        instructions: list[Instruction] = []
        if isinstance(event, WindowQuarantined):
            if not self._may_exist(event.window):
                self.counters.windows_outside += 1
                return []
            instructions.append(Acknowledge(event.plate, (event.window,)))
        state = self._state(event.plate)
        if state.decided is not None:
            self.counters.events_repeated += 1
            return instructions
        match event:
            case PlateOpened(_, columns):
                self.counters.events_repeated += state.opened
                state.opened = True
                state.columns = columns if state.columns is None else state.columns
            case WindowQuarantined(_, window):
                self._quarantined(state, window)
            case Deadline():
                # Where only answers are missing the plate is ready: without them, and not late.
                state.unheard, state.late = state.awaited, not state.awaited
            case PlateClosed():
                self._closed(state, event)
        return instructions + self._decide_if_due(state)

    def _quarantined(self, state: _Plate, window: int) -> None:
        if window in state.quarantined:
            self.counters.windows_repeated += 1
        elif state.closed is not None and window >= self._windows(state.closed):
            self.counters.windows_outside += 1
        else:
            state.quarantined.add(window)
            self.counters.windows_quarantined += 1

    def _closed(self, state: _Plate, event: PlateClosed) -> None:
        if state.closed is not None:
            self.counters.events_repeated += 1
            return
        state.closed = event
        state.columns = event.columns
        most = self._windows(event)
        outside = [w for w in state.results if w >= most]
        for window in outside:
            del state.results[window]
        self.opinions.drop(state.plate, outside)
        given_up = {w for w in state.quarantined if w < most}
        self.counters.windows_outside += len(outside) + len(state.quarantined) - len(given_up)
        state.quarantined = given_up

    def _decide_if_due(self, state: _Plate) -> list[Instruction]:
        if state.decided is not None:
            return []
        closed = state.closed
        if self._aborted is None:
            if closed is None:
                return []
            all_there = _done(state) >= self._windows(closed)
            pixels = closed.in_memory and not NO_PIXELS & set(closed.causes)
            if pixels and not all_there and not state.late:
                return []
            if self.opinions.waits(state.plate) and not (state.late or state.unheard):
                first, state.awaited = not state.awaited, True
                return [AwaitClassifier(state.plate)] if first else []
        state.decided = self._decision(state)
        # Only the decision is needed from here on.
        state.results = {}
        state.quarantined = set()
        self.counters.plates_decided += 1
        return [Decide(state.decided), *self.opinions.close(state.plate)]

    def _all_due(self) -> list[Instruction]:
        return [one for plate in self.open_plates for one in self._decide_if_due(self._plates[plate])]

    def _decision(self, state: _Plate) -> PlateResult:
        closed, results = state.closed, sorted(state.results.values(), key=lambda r: r.window)
        columns = self._columns(state)
        given_up = state.quarantined - state.results.keys()
        # Of a plate that is cut off before its end, the rows and windows that must have been there.
        across = window_columns(columns, self._recipe.windows)
        rows, windows = 0, len(results) + len(given_up)
        if closed is not None:
            rows, windows = closed.rows, self._windows(closed)
        elif results and across:
            rows = results[-1].window // across * self._recipe.windows.stride + 1
        causes = list(closed.causes) if closed is not None else []
        if self._aborted is not None:
            causes.append(self._aborted)
        if state.late:
            causes.append(Cause.LATE)
        facts = PlateFacts(
            run=self._run,
            plate=state.plate,
            rows=rows,
            columns=columns,
            windows=windows,
            windows_scored=len(results),
            windows_quarantined=len(given_up),
            windows_truncated=sum(r.truncated for r in results),
            rows_missing=closed.rows_missing if closed is not None else 0,
            causes=tuple(dict.fromkeys(causes)),
            classifier=self.opinions.summary(state.plate, inspected=bool(results)),
        )
        # Without a closing the bottom edge is not known: what the windows saw counts, wherever it lies.
        height = rows if closed is not None else rows + 2 * self._recipe.windows.size
        opinions = self.opinions.of(state.plate)
        defects = defects_of(results, height, columns, self._recipe, opinions) if columns else ()
        return verdict_of(facts, defects, bands_of(results, columns, self._recipe), self._recipe)

    def _let_go(self, plate: int) -> list[Instruction]:
        if self._is_final(plate):
            self.counters.events_final += 1
            return [Released(plate)]
        self._plates.pop(plate, None)
        self._final.add(plate)
        self.counters.plates_committed += 1
        return [Released(plate), *self.opinions.close(plate)]

    def _state(self, plate: int) -> _Plate:
        if plate not in self._plates:
            self._plates[plate] = _Plate(plate)
            self.counters.plates_opened += 1
        return self._plates[plate]

    def _is_final(self, plate: int) -> bool:
        return plate not in self._plates and plate in self._final

    def _columns(self, state: _Plate) -> int:
        """Columns of a plate, by what was said of it, else by the recipe; 0 where neither is known."""
        return state.columns or (self._recipe.columns.count if self._recipe.columns else 0)

    def _windows(self, closed: PlateClosed) -> int:
        """Number of windows of a closed plate."""
        windows = self._recipe.windows
        return window_rows(closed.rows, windows) * window_columns(closed.columns, windows)

    def _may_exist(self, window: int) -> bool:
        """Whether any plate of this recipe can have that window: what is kept stays bounded by the recipe."""
        if window < 0:
            return False
        recipe = self._recipe
        if recipe.slot_rows is None or recipe.columns is None:
            return True
        windows = recipe.windows
        return window < window_rows(recipe.slot_rows, windows) * window_columns(recipe.columns.count, windows)


def _done(state: _Plate) -> int:
    """Windows that are scored or given up."""
    return len(state.results) + sum(window not in state.results for window in state.quarantined)
