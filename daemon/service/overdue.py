"""Which plate has had no verdict for longer than it may take, so that no service is called well that gives none.

Plates are worked on in order, so it is the oldest open one that tells. Its time begins when all its rows are there and
it is the oldest, and begins again with each window of it that is merged: a slow machine is no fault. Where the recipe
has a deadline, every plate's time is that deadline, from its last row.

A belt that stands costs no time: what lies under the camera is not whole.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from config.schema import Config, Recipe

DEADLINE_GRACE_S = 10.0
"""Time after a recipe's deadline for the verdict to be decided and stored."""
_ASLEEP_S = 3.0


def within_s(config: Config, recipe: Recipe) -> float:
    """Seconds within which the oldest plate that lies whole gets further.

    A process that hangs is replaced by then, and the classifier is waited for no longer.
    """
    return config.restart.hang_s + config.restart.start_s + recipe.classifier.deadline_s


@dataclass(frozen=True, slots=True)
class Overdue:
    """A plate without its verdict, for so many seconds."""

    plate: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Plates:
    """The open plates as the supervisor knows them at one moment."""

    open: Collection[int]
    whole: Mapping[int, float | None]
    """Plates whose last row is there, and when that was delivered, monotonic, s."""
    windows: Mapping[int, int]
    """Windows merged so far."""
    rows: float
    """Rows that the camera has delivered since the service began."""
    line_ended: bool = False


class Watch:
    """Looks at the open plates, about once a second."""

    def __init__(self, config: Config, recipe_of: Callable[[int], Recipe]) -> None:
        """`recipe_of` says by which recipe a plate is judged."""
        self._config = config
        self._recipe_of = recipe_of
        self._looked_at: float | None = None
        self._awake_since = 0.0
        self._oldest: int | None = None
        self._rows_then = 0.0
        self._windows_then = -1
        self._since = 0.0

    def look(self, now: float, plates: Plates) -> Overdue | None:
        """The plate that is overdue at a monotonic time, s; None where none is."""
        slept = 0.0 if self._looked_at is None else now - self._looked_at
        self._looked_at = now
        if slept > _ASLEEP_S:
            # Who stopped the supervisor may have stopped them all.
            self._since += slept
            self._awake_since = now
        return self._late(now, plates) or self._standing(now, plates)

    def _standing(self, now: float, plates: Plates) -> Overdue | None:
        oldest = min(plates.open, default=None)
        if oldest != self._oldest:
            self._oldest, self._rows_then, self._windows_then, self._since = oldest, plates.rows, -1, now
        if oldest is None:
            return None
        recipe = self._recipe_of(oldest)
        # Of the camera, within which a plate that the switch saw is whole: a longer one is cut off.
        rows = (recipe.slot_rows or 0) + recipe.offset_rows
        passed = plates.line_ended or plates.rows - self._rows_then > rows
        windows = plates.windows.get(oldest, 0)
        if (oldest not in plates.whole and not passed) or windows > self._windows_then:
            self._since = now
        self._windows_then = max(windows, self._windows_then)
        waited = now - self._since
        return Overdue(oldest, waited) if waited > within_s(self._config, recipe) else None

    def _late(self, now: float, plates: Plates) -> Overdue | None:
        for plate in sorted(plates.open):
            last_row_at, deadline_s = plates.whole.get(plate), self._recipe_of(plate).decision.deadline_s
            if last_row_at is not None and deadline_s is not None:
                waited = now - max(last_row_at, self._awake_since)
                if waited > deadline_s + DEADLINE_GRACE_S:
                    return Overdue(plate, waited)
        return None
