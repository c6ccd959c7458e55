"""The switch by a wire of its own (a PLC, a request): its level at times becomes edges at camera rows.

A state machine without I/O. What is heard is late: by the pause between two looks, and by up to `latency_s` more (the
PLC's cycle, the network, the delivery of strips). So a sheet is made as long as it may be: its leading edge lies at
the earliest row that it can have had, its trailing edge at the latest.

| the level | is taken for | because |
|---|---|---|
| changes, and holds for the debounce | an edge | |
| changes, and is back sooner | a bounce, and left out | by the time at which it was heard, not by its earliest row |
| changes while the belt stands | the same | no row passes |

Two sheets whose widened edges would meet are kept apart; the second one's beginning may be lost then, and it is
doubtful. An edge that was heard too late has a row that has passed: its plate lacks rows.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from stages.row_clock import RowClock, Rows

_FADE = 0.99
"""Share of a long pause between two looks that is remembered at the next."""


class Reading(NamedTuple):
    """A look at the switch: the level that was asked for at `began` and there at `came`, monotonic s."""

    level: bool
    began: float
    came: float


class Turn(NamedTuple):
    """A sheet begins or ends at this row."""

    row: int
    rising: bool
    doubtful: bool = False
    """Part of the sheet that begins may lie before it."""


class Turns(Protocol):
    """What says where sheets begin and end."""

    @property
    def known_row(self) -> int:
        """All turns before this row are known."""
        ...

    def turns(self, until_row: int) -> list[Turn]:
        """Those before this row that were not given yet, in order."""
        ...

    def began(self) -> bool:
        """Whether a sheet was there from the beginning; asked once, before the first turn."""
        ...


@dataclass(slots=True)
class _Change:
    """A change of the level that may be a bounce."""

    rising: bool
    heard: int
    """Row at which it was heard, at the earliest."""
    heard_at: float
    earliest: int
    latest_at: float
    """Time before which it was."""


class TimedSwitch:
    """Told of strips and readings, each in their order.

    Args:
        latency_s: how much later than it was a level may be read.
        debounce_rows: rows for which a level must hold.
    """

    def __init__(self, latency_s: float, debounce_rows: int) -> None:
        self._latency = latency_s
        self._debounce = debounce_rows
        self._clock = RowClock()
        self._level: bool | None = None
        """Held for the debounce; None: nothing was read yet."""
        self._first: bool | None = None
        """Level when the first strip came, or low where nobody knew it."""
        self._last: Reading | None = None
        """The last reading that was worked on."""
        self._readings: deque[Reading] = deque()
        """Yet to be worked on: of a level that stays the first and the last."""
        self._change: _Change | None = None
        self._due: deque[Turn | float] = deque()
        """Turns, and the times before which sheets ended, whose rows are not known yet."""
        self._row = 0
        """No turn lies before it."""
        self._pause, self._looked_at = 0.0, 0.0
        """Longest time from one look to the next of late, s; and when the last one began."""
        self.heard_at = 0.0
        """When the last reading had come."""
        self.bounces = 0

    def strip(self, first_row: int, rows: int, at: float) -> None:
        """A strip has come."""
        self._clock.strip(first_row, rows, at)
        self._work()

    def read(self, reading: Reading) -> None:
        """The switch was looked at."""
        if self._looked_at:
            self._pause = max(reading.came - self._looked_at, _FADE * self._pause)
        self._looked_at, self.heard_at = reading.began, reading.came
        if self._clock.empty:
            # What was before the first strip is not known by rows: a sheet that is there now may have begun long ago.
            self._first = self._level = reading.level
            self._last = reading
            return
        waiting = self._readings
        if len(waiting) >= 2 and waiting[-1].level == waiting[-2].level == reading.level:
            waiting[-1] = reading
        else:
            waiting.append(reading)
        self._work()

    @property
    def known_row(self) -> int:
        """All turns before this row are known."""
        newest = self._readings[-1] if self._readings else self._last
        if newest is None:
            return 0
        known = self._earliest(newest)
        if self._change is not None:
            known = min(known, self._change.earliest)
        before, level = self._last, self._last.level if self._last is not None else None
        for reading in self._readings:
            if before is not None and reading.level != level:
                known = min(known, self._earliest(before))
            before, level = reading, reading.level
        return known

    @property
    def uncertain_rows(self) -> int:
        """By how many rows an edge may lie apart from where it was, when strips come evenly."""
        return round((2 * self._latency + self._pause) * self._clock.rate_hz()) + 1

    def began(self) -> bool:
        """Whether a sheet was there from the beginning."""
        self._level = bool(self._level)
        return bool(self._first)

    def turns(self, until_row: int) -> list[Turn]:
        """Turns before this row, each of them once."""
        found: list[Turn] = []
        while self._due:
            due = self._due[0]
            if isinstance(due, float):
                rows = self._clock.rows(due)
                if rows is None:
                    break
                due = self._due[0] = Turn(max(rows.latest, self._row), rising=False)
            elif due.rising:
                row = max(due.row, self._row)
                due = Turn(row, rising=True, doubtful=row > due.row)
            if due.row >= until_row:
                break
            self._due.popleft()
            # The next one must hold against this one.
            self._row = due.row + self._debounce + 1
            found.append(due)
        return found

    # --- inside --------------------------------------------------------------------------------------------------

    def _earliest(self, reading: Reading) -> int:
        """The earliest row of a change that comes after that reading."""
        rows = self._clock.rows(reading.began - self._latency)
        return self._clock.end if rows is None else rows.earliest

    def _work(self) -> None:
        """Work on the readings whose rows are known."""
        while self._level is not None and self._readings:
            rows = self._clock.rows(self._readings[0].came)
            if rows is None:
                return
            reading = self._readings.popleft()
            self._settle(reading, rows)
            self._last = reading

    def _settle(self, reading: Reading, rows: Rows) -> None:
        change = self._change
        if change is None:
            if reading.level != self._level:
                earliest = 0 if self._last is None else self._earliest(self._last)
                self._change = _Change(
                    reading.level, rows.earliest, reading.came, earliest, reading.came + self._latency
                )
        elif reading.level != change.rising:
            self._change = None
            self.bounces += 1
        if (change := self._change) is not None and self._held(change, reading, rows) >= self._debounce:
            self._change = None
            self._level = change.rising
            self._due.append(Turn(change.earliest, rising=True) if change.rising else change.latest_at)

    def _held(self, change: _Change, reading: Reading, rows: Rows) -> float:
        """Rows for which a change has held; of those that were lost nobody knows the number, but the time."""
        return max(rows.earliest - change.heard, (reading.came - change.heard_at) * rows.lost_rate_hz)
