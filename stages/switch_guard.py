"""Keeps a switch that bounces or sticks from making plates without end.

A state machine without I/O, between the switch and all that counts its edges. A switch that works passes unchanged.

| the switch | is | then |
|---|---|---|
| goes to and fro within the debounce | bouncing at an edge | both edges are left out: no number is skipped |
| says that three sheets in a row are less than a quarter as long as any | bouncing | its edges are left out |
| then holds a level for as many rows | well again | a sheet that is there by then has begun: it lacks rows |
| sees a sheet for more rows than a plate may have | stuck on | an alarm; the plate is too long |
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from stages.camera import Edge, Strip
from stages.switch import Fact, Leading, MidSheet, SwitchCounter, SwitchState, Trailing
from stages.switch_faults import SwitchFault, SwitchFaults

_SHORT_ONES = 3
"""Sheets in a row that are far too short."""
_SHORT = 4
"""The shortest sheet is so many times as long as one that is far too short."""


class SwitchGuard:
    """Told of each strip with its edges.

    Args:
        debounce_rows: rows for which a level must hold.
        faults: told of what is found.
    """

    def __init__(self, debounce_rows: int, faults: SwitchFaults) -> None:
        self._debounce = debounce_rows
        self._short = 0
        self._most: int | None = None
        self._faults = faults
        self._counter = SwitchCounter(debounce_rows, SwitchState(1))
        self._since: int | None = None
        """Row at which the sheet in the beam began."""
        self._short_ones = 0
        self._bouncing = False
        self._left_out = 0
        """Edges."""
        self._last: Edge | None = None
        self._bounced = 0
        """Edges of bounces that were left out."""
        self._open: Edge | None = None
        """The last edge, if it may be a bounce still."""
        self._newest: Edge | None = None
        """The last edge of all."""

    def expect(self, shortest_rows: int, most_rows: int | None) -> None:
        """Sheets are at least so long (0: not known, and nothing is taken for bouncing), and plates at most."""
        self._short, self._most = shortest_rows // _SHORT, most_rows

    def take(self, strip: Strip) -> Strip:
        """The strip with those of its edges that count."""
        strip = self._without_bounces(strip)
        until = strip.first_row + strip.rows
        level, before = strip.level, self._bouncing
        kept: list[Edge] = []
        for edge in strip.edges:
            self._facts(self._counter.hear((edge,), level, edge.row), edge.row)
            level, self._last = edge.rising, edge
            if self._bouncing:
                self._left_out += 1
            else:
                kept.append(self._renumbered(edge))
        self._facts(self._counter.hear((), level, until), until)
        if self._bouncing and (again := self._well_again(until)) is not None:
            kept += again
        self._look_for_stuck(until)
        if not self._left_out:
            return strip
        return replace(strip, edges=tuple(kept), level=strip.level and not before)

    def _without_bounces(self, strip: Strip) -> Strip:
        """The strip without edges that no one would take for a sheet's.

        Of a bounce whose first edge came with the strip before, others have heard by now: they leave it out.
        """
        if not (strip.edges or self._bounced):
            return strip
        kept: list[Edge] = []
        heard, pending, bounced = self._open, self._open, self._bounced
        for edge in strip.edges:
            if self._newest is not None and edge.count <= self._newest.count and edge.row <= self._newest.row:
                kept.append(self._counted(edge))  # the strip came before
                continue
            self._newest = edge
            if pending is None or not self._bounces(pending, edge):
                pending = edge
                kept.append(self._counted(edge))
                continue
            if pending is heard:
                kept.append(self._counted(edge))
            else:
                kept.pop()
                self._bounced += 2
            pending = None
        self._open = pending
        return strip if not bounced and not self._bounced else replace(strip, edges=tuple(kept))

    def _bounces(self, before: Edge, edge: Edge) -> bool:
        consecutive = edge.count == before.count + 1 and edge.rising != before.rising
        return consecutive and edge.row - before.row < self._debounce

    def _counted(self, edge: Edge) -> Edge:
        return replace(edge, count=edge.count - self._bounced) if self._bounced else edge

    def _renumbered(self, edge: Edge) -> Edge:
        """No gap tells of what was left out."""
        return replace(edge, count=edge.count - self._left_out) if self._left_out else edge

    def _facts(self, facts: Iterable[Fact], row: int) -> None:
        for fact in facts:
            match fact:
                case Leading(_, at, sheet):
                    # Of a sheet that the camera knows by name nobody needs to doubt that it is one.
                    self._since = at if sheet is None else None
                case MidSheet():
                    self._since = row
                case Trailing(_, at):
                    self._ended(at)

    def _ended(self, row: int | None) -> None:
        since, self._since = self._since, None
        self._faults.over(SwitchFault.STUCK_ON)
        if since is None or row is None:
            return
        self._short_ones = self._short_ones + 1 if row - since < self._short else 0
        if self._short_ones >= _SHORT_ONES and not self._bouncing:
            self._bouncing = True
            words = f"{_SHORT_ONES} sheets in a row are shorter than {self._short} rows: its edges are left out"
            self._faults.found(SwitchFault.BOUNCES, words)

    def _well_again(self, until: int) -> list[Edge] | None:
        """The edges to go on with, if it has held still for long enough."""
        last = self._last
        assert last is not None
        if until - last.row < max(self._short, 1):
            return None
        self._bouncing, self._short_ones = False, 0
        self._faults.over(SwitchFault.BOUNCES)
        if not last.rising:
            return []
        self._left_out -= 1
        return [self._renumbered(last)]

    def _look_for_stuck(self, until: int) -> None:
        if self._last is not None and not self._last.rising:
            until = self._last.row  # it may have ended there, which is not sure yet
        if self._since is None or self._most is None or until - self._since <= self._most:
            return
        if SwitchFault.STUCK_ON not in self._faults.standing:
            words = f"it has seen a sheet for more than the {self._most} rows that a plate may have"
            self._faults.found(SwitchFault.STUCK_ON, words)
