"""Frames of a driver to strips of the line: what was lost is counted by cause, and leaves a gap in the rows.

A state machine without I/O. Rows that did not come, or cannot be trusted, are a jump in `first_row`, so that a plate
which lacks them is INCONCLUSIVE (rows missing).

| a frame | is | its rows |
|---|---|---|
| whole, with the next id | delivered | are the strip's |
| not whole | given up: packet missing | are lost |
| with an id beyond the next | delivered: strip missing, for each id left out | are the strip's, after the gap |
| with an id that was there before | given up: strip repeated | are lost: nobody knows what they show |
| whole, with packets that were sent again | delivered: packet resent, for each of them | are the strip's |
| with an id far behind | delivered: strip missing, the camera counts anew | are the strip's, after a gap |

The switch is looked at once a frame, so an edge may lie anywhere in what passed since the frame before. It is put at
the frame's first row; where rows were lost, a rising one at the first lost row and a falling one behind the last, so
that no sheet that may lack rows looks whole.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from stages.camera import Edge, Loss, Strip

_WRAP = 0xFFFF
"""Greatest frame id of a GigE Vision camera with ids of 16 bits; 1 follows, since 0 is no id."""
_STALE = 64
"""Ids that are farther behind than so many are no frames of before: the camera has begun to count anew."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What a driver says of a buffer that it filled."""

    rows: int
    """Rows that it delivered."""
    whole: bool = True
    id: int | None = None
    """The camera's count; None: it has none, and what is lost is not seen by it."""
    unstored: int = 0
    """Frames that found no buffer of the driver's since the start, by its own count; asked where there is no id."""
    level: bool = False
    """Level of the switch."""
    resent: int | None = None
    """Packets that came when they were sent again, by the driver's count; None: it does not count them."""


class FrameCounter:
    """Counts blocks, rows and edges from the start.

    Args:
        strip_rows: rows of a whole frame, which a lost one is taken to have had.
        offset_rows: the recipe's rows from the switch to the camera.
        debounce_rows: the recipe's rows for which a level must hold.
    """

    def __init__(self, strip_rows: int, offset_rows: int, debounce_rows: int) -> None:
        self._strip_rows = strip_rows
        self._apart = debounce_rows + 1
        """Rows between two edges of which neither may be taken for a bounce."""
        self._away_rows = strip_rows + offset_rows + self._apart
        """Rows that are taken as lost when the camera was away: a sheet that came meanwhile lacks some."""
        self._block = 0
        """Blocks so far, with those that are lost."""
        self._row = 0
        """Row after the last one delivered."""
        self._lost_blocks = 0
        self._lost_rows = 0
        """Lost since the last strip."""
        self._id: int | None = None
        self._unstored: int | None = None
        self._resent: int | None = None
        self._level = False
        self._edges = 0
        self._unheard: list[Edge] = []
        """Edges since the last strip."""
        self._heard = False
        """A strip was delivered, so that the level is known."""
        self.losses: Counter[Loss] = Counter()
        self._said: Counter[Loss] = Counter()
        """Those of them that a strip has told of."""

    def take(self, frame: Frame) -> Strip | None:
        """The strip that this frame is; None: it was given up."""
        missing = self._missing(frame)
        self._count_resent(frame.resent)
        if missing is None:
            self._give_up(Loss.REPEATED)
            return None
        if missing:
            self.losses[Loss.MISSING] += missing
            self._lost_blocks += missing
            self._lost_rows += missing * self._strip_rows
        if not frame.whole or frame.rows <= 0:
            self._give_up(Loss.FAILED if frame.whole else Loss.PACKET)
            return None
        return self._strip(frame)

    def away(self) -> None:
        """The camera was away, and counts anew: rows were lost in unknown number."""
        self.losses[Loss.REMOVED] += 1
        self._lost_blocks += 1
        self._lost_rows += self._away_rows + len(self._unheard) * self._apart
        self._id = self._unstored = self._resent = None

    def hear(self, level: bool) -> None:
        """The switch was looked at while no frame came."""
        if self._heard and level != self._level:
            self._edge(self._row, level)

    def _missing(self, frame: Frame) -> int | None:
        """Frames left out before this one; None: its id was there before."""
        before, unstored = self._id, self._unstored
        if frame.id is None:
            self._unstored = max(frame.unstored, unstored or 0)
            return 0 if unstored is None else self._unstored - unstored
        step = 1 if before is None else frame.id - before
        if before is not None and before <= _WRAP and step < -_WRAP // 2:
            step += _WRAP
        if -_STALE < step <= 0:
            return None
        if step <= 0:
            self._lost_rows += self._away_rows
        self._id = frame.id
        return step - 1 if step > 0 else 1

    def _count_resent(self, resent: int | None) -> None:
        """No row is missing by them."""
        if resent is None:
            return
        if self._resent is None:
            self.losses[Loss.RESENT] += 0
        else:
            self.losses[Loss.RESENT] += max(0, resent - self._resent)
        self._resent = resent

    def _give_up(self, why: Loss) -> None:
        self.losses[why] += 1
        self._lost_blocks += 1
        self._lost_rows += self._strip_rows

    def _strip(self, frame: Frame) -> Strip:
        first = self._row + self._lost_rows
        if not self._heard:
            self._heard, self._level = True, frame.level
        before = self._unheard[0].rising is False if self._unheard else self._level
        if frame.level != self._level:
            self._edge(self._row if frame.level else first, frame.level)
        last = first + frame.rows - 1
        edges = tuple(Edge(edge.count, min(edge.row, last), edge.rising) for edge in self._unheard)
        lost = self.losses - self._said
        self._said = self.losses.copy()
        losses = tuple((str(cause), count) for cause, count in lost.items())
        strip = Strip(self._block + self._lost_blocks, first, frame.rows, edges, before, losses=losses)
        self._block, self._row = strip.block + 1, first + frame.rows
        self._lost_blocks = self._lost_rows = 0
        self._unheard.clear()
        return strip

    def _edge(self, row: int, level: bool) -> None:
        self._edges, self._level = self._edges + 1, level
        if self._unheard:
            row = max(row, self._unheard[-1].row + self._apart)
        self._unheard.append(Edge(self._edges, row, level))
