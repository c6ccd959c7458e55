"""A plate on its way, as the screen follows it: how far it is, and how fast."""

from __future__ import annotations

from dataclasses import dataclass

from config.schema import Recipe
from daemon.wire.messages import Progress
from daemon.wire.plate_memory import SlotFacts, State
from stages.events import VerdictCommitted
from stages.plate import PlateResult, found_and_vetoed, window_columns, window_rows

_NOTHING = Progress(0, 0, None)


@dataclass(slots=True)
class Passing:
    """One plate of this run."""

    plate: int
    rows: int = 0
    closed: bool = False
    progress: Progress = _NOTHING
    has_slot: bool = False
    """Its rows come, or came."""
    decided: VerdictCommitted | None = None

    def follow(self, slot: SlotFacts) -> None:
        """Take what the header of its slot says."""
        if slot.state is not State.FREE:
            self.has_slot, self.rows, self.closed = True, max(self.rows, slot.rows), slot.closed

    @property
    def found(self) -> int:
        """Defects, or regions while it is open: some of these will be none, or parts of one."""
        return self.progress.regions if self.result is None else found_and_vetoed(self.result.defects)[0]

    @property
    def windows(self) -> int:
        """Windows scored; while it is open, or given up."""
        return self.progress.windows if self.result is None else self.result.windows_scored

    @property
    def result(self) -> PlateResult | None:
        """What was decided; None while it is open."""
        return None if self.decided is None else self.decided.result

    def total_windows(self, recipe: Recipe) -> int:
        """Windows that it has, or will have if it is as long as the recipe says."""
        if self.result is not None:
            return self.result.windows
        assert recipe.columns is not None
        return window_rows(self._rows(recipe), recipe.windows) * window_columns(recipe.columns.count, recipe.windows)

    def pixels(self, recipe: Recipe) -> float:
        """Pixels whose windows are scored so far."""
        total = self.total_windows(recipe)
        if not total:
            return 0.0
        if self.result is not None:
            return self.result.rows * self.result.columns * self.result.windows_scored / total
        assert recipe.columns is not None
        return self._rows(recipe) * recipe.columns.count * min(1.0, self.windows / total)

    def speed(self, recipe: Recipe) -> float | None:
        """Pixels a second over the time of work on it alone (stages/inspection_times.py); None where not known."""
        seconds = self.progress.seconds if self.decided is None else self.decided.inspection_s
        return self.pixels(recipe) / seconds if seconds else None

    def stage(self, recipe: Recipe) -> str:
        """Where an open plate is, in a word."""
        if not self.has_slot:
            return "waiting"
        if not self.closed:
            return "passing"
        return "deciding" if self.windows >= self.total_windows(recipe) else "scoring"

    def _rows(self, recipe: Recipe) -> int:
        assert recipe.length is not None
        return self.rows if self.closed else max(self.rows, recipe.length.nominal_rows)
