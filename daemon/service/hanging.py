"""Which plate hangs, so that its story is told.

Plates are worked on in order, so one that waits for those before it does not hang, however long a slow machine takes:
only the oldest open plate can, when all its rows are there.
"""

from __future__ import annotations

from typing import Protocol


class Storied(Protocol):
    """A state machine that can say what befell its open plates."""

    @property
    def open_plates(self) -> tuple[int, ...]:
        """Plates that are not final."""
        ...

    def last_row_at(self, plate: int) -> float | None:
        """When the last row of a plate was delivered, monotonic, s."""
        ...

    def waits_for(self, plate: int) -> str:
        """What a plate waits for, in words."""
        ...

    def story(self, plate: int) -> list[str]:
        """What was said of a plate."""
        ...


class Hanging:
    """Looks at the open plates of a state machine, and gives each one that hangs once.

    Args:
        within_s: for so long a plate whose last row has come may be the oldest one that is not final.
    """

    def __init__(self, within_s: float) -> None:
        self.within_s = within_s
        self._oldest: int | None = None
        self._since = 0.0
        """When it became the oldest."""
        self._told: int | None = None

    def look(self, machine: Storied, now: float) -> int | None:
        """The plate that hangs at a monotonic time, s, and was not given before."""
        oldest = min(machine.open_plates, default=None)
        if oldest != self._oldest:
            self._oldest, self._since = oldest, now
        if oldest is None or oldest == self._told:
            return None
        last_row_at = machine.last_row_at(oldest)
        if last_row_at is None or now - max(last_row_at, self._since) <= self.within_s:
            return None
        self._told = oldest
        return oldest
