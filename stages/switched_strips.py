"""Strips on their way from the camera: each waits until it is known what the switch did up to its end.

A state machine without I/O. Whoever counts edges hears them in time then, and the rows before a sheet are still there
when its leading edge is heard late. With the camera's own switch and no check nothing waits.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stages.camera import Doubt, Edge, Strip
from stages.picture_check import PictureCheck
from stages.picture_switch import PictureSwitch
from stages.switch_guard import SwitchGuard
from stages.timed_switch import Reading, TimedSwitch, Turns

PATIENCE_S = 0.25
"""A strip waits no longer for a switch that does not answer."""
_LATE = "its beginning cannot be told from the end of the sheet before it, or of the line"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A strip, its buffer (None: it found none and is lost), and when it had come."""

    strip: Strip
    buffer: int | None
    at: float


class SwitchedStrips:
    """Told of each strip and each reading, in their order.

    Args:
        offset_rows: the recipe's.
        guard: what its edges pass.
        timed: the switch has a wire of its own.
        picture: it is looked at: it is the switch, if there is neither `timed` nor `check`.
        check: the picture is compared with the switch.
    """

    def __init__(
        self,
        offset_rows: int,
        guard: SwitchGuard,
        *,
        timed: TimedSwitch | None = None,
        picture: PictureSwitch | None = None,
        check: PictureCheck | None = None,
    ) -> None:
        self._offset = offset_rows
        self._guard = guard
        self._timed = timed
        self._picture = picture
        self._check = check
        self._source: Turns | None = timed
        if timed is None and check is None:
            self._source = picture
        self._unheard: deque[Waiting] = deque()
        self._unchecked: deque[Waiting] = deque()
        self._next_row = 0
        self._level: bool | None = None
        self._edges = 0

    @property
    def waiting(self) -> int:
        """Strips that wait."""
        return len(self._unheard) + len(self._unchecked)

    @property
    def waits_for_time(self) -> bool:
        """A strip may be ready soon, without another one coming."""
        return self._timed is not None and bool(self._unheard)

    def take(self, strip: Strip, pixels: NDArray[np.uint8], buffer: int | None, at: float) -> None:
        """A strip has come; its pixels, uint8 (rows or more, camera's width), are looked at now."""
        if strip.first_row >= self._next_row:
            self._next_row = strip.first_row + strip.rows
            if self._picture is not None:
                self._picture.look(pixels[: strip.rows], strip.first_row)
            if self._timed is not None:
                self._timed.strip(strip.first_row, strip.rows, at)
        self._unheard.append(Waiting(strip, buffer, at))

    def read(self, reading: Reading) -> None:
        """The switch was looked at."""
        assert self._timed is not None
        self._timed.read(reading)

    def ready(self, now: float, *, last: bool = False) -> list[Waiting]:
        """Strips that wait no more, in their order; with `last`, all of them: nothing more comes."""
        while self._unheard and (last or self._known(self._unheard[0], now)):
            waiting = self._unheard.popleft()
            strip = self._guard.take(self._with_edges(waiting.strip))
            if self._check is not None:
                self._check.strip(strip)
            self._unchecked.append(replace(waiting, strip=strip))
        found: list[Waiting] = []
        while self._unchecked:
            waiting = self._unchecked[0]
            if self._check is not None:
                end = waiting.strip.first_row + waiting.strip.rows
                if not (last or self._check.done(end)):
                    break
                doubts = (*waiting.strip.doubts, *self._check.doubts(end, last=last))
                waiting = replace(waiting, strip=replace(waiting.strip, doubts=doubts))
            self._unchecked.popleft()
            found.append(waiting)
        return found

    # --- inside --------------------------------------------------------------------------------------------------

    def _known(self, waiting: Waiting, now: float) -> bool:
        if self._source is None or self._source.known_row >= waiting.strip.first_row + waiting.strip.rows:
            return True
        return self._timed is not None and now - max(waiting.at, self._timed.heard_at) > PATIENCE_S

    def _with_edges(self, strip: Strip) -> Strip:
        if self._source is None:
            return strip
        if self._level is None:
            self._level = self._source.began()
        # The picture shows a sheet only where the camera is, and the switch would have told of it before.
        shift = 0 if self._source is self._timed else self._offset
        level, edges, doubts = self._level, list[Edge](), list[Doubt]()
        for turn in self._source.turns(strip.first_row + strip.rows):
            row = max(0, turn.row - shift)
            self._edges += 1
            self._level = turn.rising
            edges.append(Edge(self._edges, row, turn.rising))
            if turn.rising and (turn.doubtful or turn.row < shift):
                doubts.append(Doubt(row + self._offset, _LATE))
        return replace(strip, edges=tuple(edges), level=level, doubts=tuple(doubts))
