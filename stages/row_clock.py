"""Which camera row passed at which time, by the strips and the times at which they came.

A state machine without I/O. Between two strips rows are taken to pass evenly, as long as the strips come evenly. Where
they do not (the belt starts, stops, or strips are late or lost), nothing is known within a strip but its first and
last row.
"""

from __future__ import annotations

from collections import deque
from math import ceil, floor
from typing import NamedTuple

_REMEMBERED = 256
"""Strips."""
_UNEVEN = 2.0
"""Two strips of which one passes so many times as fast as the other do not come evenly."""


class Rows(NamedTuple):
    """The row at a time lies between these two."""

    earliest: int
    latest: int
    lost_rate_hz: float = 0.0
    """Where rows were lost then: at which rate they came before; else 0."""


class _Strip(NamedTuple):
    at: float
    """When its last row had come."""
    first: int
    end: int
    even: bool
    lost_rate_hz: float = 0.0


class RowClock:
    """Told of each strip, in order."""

    def __init__(self) -> None:
        self._strips: deque[_Strip] = deque(maxlen=_REMEMBERED)

    @property
    def empty(self) -> bool:
        """No strip came yet."""
        return not self._strips

    @property
    def end(self) -> int:
        """Row after the last one that came."""
        return self._strips[-1].end if self._strips else 0

    @property
    def at(self) -> float:
        """When the last strip came; before the first one minus infinity."""
        return self._strips[-1].at if self._strips else float("-inf")

    def rate_hz(self) -> float:
        """Rows a second by the last two strips; 0 where there are none."""
        if len(self._strips) < 2:
            return 0.0
        before, last = self._strips[-2], self._strips[-1]
        return (last.end - before.end) / max(last.at - before.at, 1e-9)

    def strip(self, first_row: int, rows: int, at: float) -> None:
        """A strip came; rows between the last one and it were lost."""
        end = first_row + rows
        if not self._strips:
            self._strips.append(_Strip(at, first_row, end, even=False))
            return
        last, rate = self._strips[-1], self.rate_hz()
        now = (end - last.end) / max(at - last.at, 1e-9)
        # Lost rows are the camera's guess at times.
        even = first_row == last.end and rate > 0 and now / _UNEVEN <= rate <= now * _UNEVEN
        self._strips.append(_Strip(at, last.end, end, even, rate if first_row > last.end else 0.0))

    def rows(self, at: float) -> Rows | None:
        """Where the camera was at that time; None: that is not known before the next strip."""
        if at >= self.at:
            return Rows(self.end, self.end) if at == self.at else None
        after = self._strips[0]
        for strip in reversed(self._strips):
            if strip.at < at:
                return self._between(strip, after, at)
            after = strip
        return Rows(after.first, after.end)

    def _between(self, before: _Strip, after: _Strip, at: float) -> Rows:
        if not after.even:
            return Rows(before.end, after.end, after.lost_rate_hz)
        row = before.end + (after.end - before.end) * (at - before.at) / (after.at - before.at)
        return Rows(floor(row), ceil(row), after.lost_rate_hz)
