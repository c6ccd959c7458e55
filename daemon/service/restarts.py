"""When a process that ended is started again, and when its role is given up."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from config.schema import Restart

_MOST_DOUBLED = 60
"""A float has an end."""


@dataclass(slots=True)
class _Place:
    worked_s: float = 0.0
    ends: deque[float] = field(default_factory=deque)
    """How long had been worked at each end that is not forgiven yet."""


class Restarts:
    """How often the processes of one role have ended of late.

    Late is counted in seconds of work: what dies at its start, or hangs, however long that takes, is never forgiven.
    """

    def __init__(self, settings: Restart) -> None:
        self._settings = settings
        self._places: list[_Place] = []

    def place(self) -> None:
        """One more process of the role is wanted, with the next index."""
        self._places.append(_Place())

    def worked(self, index: int, seconds: float) -> None:
        """The process of that index has worked so long since this was said last."""
        place = self._places[index]
        place.worked_s += seconds
        while place.ends and place.worked_s - place.ends[0] > self._settings.period_s:
            place.ends.popleft()

    def ended(self, index: int) -> None:
        """The process of that index ended by its own fault."""
        self._places[index].ends.append(self._places[index].worked_s)

    def pause(self, index: int) -> float:
        """Seconds before a process of that index is started again: twice as many after each end, up to a limit."""
        first = self._settings.backoff_s
        doubled = min(max(0, len(self._places[index].ends) - 1), _MOST_DOUBLED)
        return max(first, min(first * 2.0**doubled, self._settings.period_s / (4 * self._settings.budget)))

    @property
    def spent(self) -> bool:
        """The processes ended more often than the budget allows each of them on average."""
        return sum(len(place.ends) for place in self._places) > self._settings.budget * len(self._places)
