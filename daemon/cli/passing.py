"""A plate on its way, as the screen follows it: how far it is, and how fast."""

from __future__ import annotations

from dataclasses import dataclass

from config.schema import Recipe
from daemon.wire.plate_memory import SlotFacts, State
from stages.events import VerdictCommitted
from stages.plate import PlateResult, found_and_vetoed, window_columns, window_rows


@dataclass(slots=True)
class Passing:
    """One plate of this run; times are monotonic, s."""

    plate: int
    rows: int = 0
    closed: bool = False
    windows: int = 0
    """Windows scored, or given up, so far."""
    regions: int = 0
    opened_at: float | None = None
    """Since when its rows come; None while it waits for a slot."""
    decided: VerdictCommitted | None = None
    decided_at: float = 0.0

    def follow(self, slot: SlotFacts) -> None:
        """Take what the header of its slot says."""
        if slot.state is not State.FREE:
            self.opened_at, self.rows, self.closed = slot.opened_at, max(self.rows, slot.rows), slot.closed

    @property
    def found(self) -> int:
        """Defects, or regions while it is open: some of these will be none, or parts of one."""
        return self.regions if self.result is None else found_and_vetoed(self.result.defects)[0]

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

    def seconds(self, now: float) -> float | None:
        """How long it has been worked on: from its first row to its verdict, or to now.

        That leaves out what it waited for a slot. None where it is not known.
        """
        if self.opened_at is None:
            return None
        return (now if self.decided is None else self.decided_at) - self.opened_at

    def speed(self, recipe: Recipe, now: float) -> float | None:
        """Pixels a second over `seconds`; None where these are not known or too few to say."""
        seconds = self.seconds(now)
        return None if seconds is None or seconds <= 0 else self.pixels(recipe) / seconds

    def stage(self, recipe: Recipe) -> str:
        """Where an open plate is, in a word."""
        if self.opened_at is None:
            return "waiting"
        if not self.closed:
            return "passing"
        return "deciding" if self.windows >= self.total_windows(recipe) else "scoring"

    def _rows(self, recipe: Recipe) -> int:
        assert recipe.length is not None
        return self.rows if self.closed else max(self.rows, recipe.length.nominal_rows)
