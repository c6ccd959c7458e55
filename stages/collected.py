"""What the merger has collected of a plate, where the plate stands by it, and the result that follows from it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum

from config.schema import Recipe, Windows
from stages.camera import Sheet
from stages.defects import defects_of
from stages.events import PlateClosed, PlateDecided
from stages.opinions import Opinions
from stages.optics import profile_of
from stages.plate import Cause, PlateResult, WindowResult, window_columns, window_rows
from stages.verdict import PlateFacts, judged

NO_PIXELS = frozenset({Cause.OVERLOAD, Cause.NO_ROWS, Cause.STARTED_MID_SHEET})
"""Causes of plates that have no slot, so that no window of theirs will ever come."""
_FINAL_REMEMBERED = 4096


class PlateState(StrEnum):
    """Where a plate stands; stages/merge.py has the table."""

    OPEN = "open"
    CLOSED = "closed"
    AWAITED = "awaited"
    DECIDED = "decided"
    FINAL = "final"


@dataclass(slots=True)
class Collected:
    """What is known of a plate that is not final."""

    plate: int
    recipe: int | None = None
    """Number of the recipe by which it is judged; None as long as nothing of its pixels was heard."""
    opened: bool = False
    columns: int | None = None
    sheet: Sheet | None = None
    """What the camera knew of it."""
    results: dict[int, WindowResult] = field(default_factory=dict)
    quarantined: set[int] = field(default_factory=set)
    closed: PlateClosed | None = None
    late: bool = False
    """Its deadline passed before its decision; one that is not closed yet is decided when it is."""
    awaited: bool = False
    """Every window is in, and it was said that the classifier's time runs."""
    unheard: bool = False
    """The classifier's time has passed."""
    decided: PlateDecided | None = None

    @property
    def state(self) -> PlateState:
        """Where it stands."""
        if self.decided is not None:
            return PlateState.DECIDED
        if self.awaited:
            return PlateState.AWAITED
        return PlateState.OPEN if self.closed is None else PlateState.CLOSED

    @property
    def windows_done(self) -> int:
        """Windows that are scored or given up."""
        return len(self.results) + sum(window not in self.results for window in self.quarantined)

    def columns_by(self, recipe: Recipe) -> int:
        """Its columns, by what was said of it, else by the recipe; 0 where neither is known."""
        return self.columns or (recipe.columns.count if recipe.columns else 0)

    def decide(self, recipe: Recipe, run: str, opinions: Opinions, aborted: Cause | None) -> PlateDecided:
        """The verdict that follows from what is there; only that is needed from here on."""
        result = _result(self, recipe, run, opinions, aborted)
        last_row_at = None if self.closed is None else self.closed.last_row_at
        profile = profile_of(self.results.values(), self.columns_by(recipe), recipe)
        self.decided = PlateDecided(result, last_row_at, recipe=self.recipe, profile=profile)
        self.results, self.quarantined = {}, set()
        return self.decided


class FinalPlates:
    """The plates that are final: the last some thousand by number, and all below them that are not open."""

    def __init__(self) -> None:
        self._recent: set[int] = set()
        self._order: deque[int] = deque()
        self._forgotten = -1

    def add(self, plate: int) -> None:
        """Take one that has become final."""
        if plate not in self._recent:
            self._recent.add(plate)
            self._order.append(plate)
        if len(self._order) > _FINAL_REMEMBERED:
            oldest = self._order.popleft()
            self._recent.discard(oldest)
            self._forgotten = max(self._forgotten, oldest)

    def __contains__(self, plate: int) -> bool:
        return plate in self._recent or plate <= self._forgotten


def has_pixels(closed: PlateClosed) -> bool:
    """Whether windows of the plate will be scored."""
    return closed.place is not None and not NO_PIXELS & set(closed.causes)


def windows_in(closed: PlateClosed, windows: Windows) -> int:
    """Number of windows of a closed plate."""
    return window_rows(closed.rows, windows) * window_columns(closed.columns, windows)


def _result(plate: Collected, recipe: Recipe, run: str, opinions: Opinions, aborted: Cause | None) -> PlateResult:
    closed, results = plate.closed, sorted(plate.results.values(), key=lambda r: r.window)
    columns = plate.columns_by(recipe)
    given_up = plate.quarantined - plate.results.keys()
    # Of a plate that is cut off before its end, the rows and windows that must have been there.
    across = window_columns(columns, recipe.windows)
    rows, windows = 0, len(results) + len(given_up)
    if closed is not None:
        rows, windows = closed.rows, windows_in(closed, recipe.windows)
    elif results and across:
        rows = results[-1].window // across * recipe.windows.stride + 1
    causes = list(closed.causes) if closed is not None else []
    if aborted is not None:
        causes.append(aborted)
    if plate.late:
        causes.append(Cause.LATE)
    facts = PlateFacts(
        run=run,
        plate=plate.plate,
        rows=rows,
        columns=columns,
        windows=windows,
        windows_scored=sum(r.scored for r in results),
        windows_quarantined=len(given_up),
        windows_unscored=sum(not r.scored for r in results),
        windows_truncated=sum(r.truncated for r in results),
        rows_missing=closed.rows_missing if closed is not None else 0,
        causes=tuple(dict.fromkeys(causes)),
        sheet=plate.sheet,
        doubt=closed.doubt if closed is not None else "",
        losses=closed.losses if closed is not None else {},
        classifier=opinions.summary(plate.plate, inspected=bool(results)),
    )
    # Without a closing the bottom edge is not known: what the windows saw counts, wherever it lies.
    height = rows if closed is not None else rows + 2 * recipe.windows.size
    found = opinions.of(plate.plate)
    defects = defects_of(results, height, columns, recipe, found) if columns else ()
    return judged(facts, defects, results, columns, recipe)
