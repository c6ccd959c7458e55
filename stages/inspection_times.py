"""How long plates are worked on, each by itself.

A plate's time runs from its first row, or from the last window of the plate before it where that is later, for windows
of the oldest plate go first; it ends with its own last window. So it counts neither what the plate waited for a slot,
nor for the plates before it, nor for the classifier; the times of plates that follow each other never overlap.
"""

from __future__ import annotations


class InspectionTimes:
    """Of the plates of one run; times are monotonic, s."""

    def __init__(self) -> None:
        self._opened: dict[int, float] = {}
        self._scored: dict[int, float] = {}
        """When the last window so far came, of plates that are not forgotten."""
        self._before = 0.0
        """When the last window came of those that are."""

    def opened(self, plate: int, now: float) -> None:
        """The plate's rows begin to come; a second time changes nothing."""
        self._opened.setdefault(plate, now)

    def scored(self, plate: int, now: float) -> None:
        """A window of the plate came; nothing where its beginning was not heard, or it is forgotten."""
        if plate in self._opened:
            self._scored[plate] = now

    def seconds(self, plate: int) -> float | None:
        """Seconds of work on the plate so far; None before its first window, or where its beginning was not heard."""
        last = self._scored.get(plate)
        if last is None:
            return None
        older = [at for other, at in self._scored.items() if other < plate]
        return max(0.0, last - max(self._opened[plate], self._before, *older))

    def forget(self, plate: int) -> None:
        """The plate is final."""
        self._opened.pop(plate, None)
        self._before = max(self._before, self._scored.pop(plate, 0.0))
