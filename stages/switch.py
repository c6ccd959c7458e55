"""Plate numbers from the edges of the photoelectric switch.

A plate's number depends on the switch's own count of its edges alone: `next_plate` goes to the next rising edge, the
one after it to the rising edge after that, and so on, bounces included. A rising edge that does not hold for the
debounce is no plate, and its number is never given; numbers so have a gap there, and stay unique. The gain: whoever
hears an edge gives its plate the same number, whatever else was not heard and wherever the hearing began. Acquisition
and the supervisor count with an object of this class each, and agree.

| the beam is | from | until |
|---|---|---|
| unknown | the start, where nothing was heard yet | the first strip tells the level |
| free | a falling edge that held: Trailing | a rising edge |
| rising | a rising edge, which has its number by now | it held: Leading; or it bounced: no plate gets the number |
| taken | Leading, or Unheard or MidSheet where the edge itself was not heard | a falling edge |
| falling | a falling edge | it held: Trailing; or it bounced |
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from stages.camera import Edge, Sheet

MOST_UNHEARD = 1000
"""A greater gap in the count is a counter that was set anew, not that many edges."""


@dataclass(frozen=True, slots=True)
class Leading:
    """A sheet's leading edge, held for the debounce; row is the camera row at which it came."""

    plate: int
    row: int
    sheet: Sheet | None = None
    """What the camera knew of it."""


@dataclass(frozen=True, slots=True)
class Trailing:
    """A sheet's trailing edge; row is None where the edge itself was not heard, only what came after it.

    plate is None for a sheet that was in the beam before this counter began, and that another one numbered.
    """

    plate: int | None
    row: int | None


@dataclass(frozen=True, slots=True)
class Unheard:
    """A leading edge that was not heard, or not whether it held: by the count, or the level, there was one."""

    plate: int
    sheet: Sheet | None = None
    """What the camera knew of it, where the edge itself was heard."""


@dataclass(frozen=True, slots=True)
class MidSheet:
    """A sheet was in the beam when the line was first heard."""

    plate: int


Fact = Leading | Trailing | Unheard | MidSheet


@dataclass(frozen=True, slots=True)
class SwitchState:
    """All that a counter knows, so that another can go on where it stands."""

    next_plate: int
    """Number of the next rising edge."""
    level: bool | None = None
    """Level held for the debounce; None: nothing was heard yet."""
    count: int | None = None
    """Count of the last edge heard; 0 where the switch's counter starts with the line, so that even edges before the
    first one heard are noticed; None: the first edge heard is taken as the first there was."""
    row: int | None = None
    """Camera row of that edge."""
    plate: int | None = None
    """The sheet in the beam, if it was seen coming."""
    pending: Edge | None = None
    """The last edge, while it is not known whether it holds."""
    pending_plate: int | None = None
    """Its number, if it is a rising one."""

    @property
    def oldest_to_come(self) -> int:
        """Number of the next sheet that may be told of: it may have one already."""
        return self.next_plate if self.pending_plate is None else self.pending_plate


class Beam(StrEnum):
    """What stands in the light beam; see the table above."""

    UNKNOWN = "unknown"
    FREE = "free"
    RISING = "rising"
    TAKEN = "taken"
    FALLING = "falling"


@dataclass(slots=True)
class SwitchCounters:
    """What the counter has heard."""

    edges: int = 0
    bounces: int = 0
    """Pairs of edges too close to each other."""
    edges_repeated: int = 0
    edges_unheard: int = 0
    counter_restarts: int = 0


class SwitchCounter:
    """Turns edges into numbered sheets.

    Args:
        debounce_rows: camera rows for which a level must hold.
        state: where to go on; `SwitchState(next_plate, count=0)` for a line that starts with this service.
    """

    def __init__(self, debounce_rows: int, state: SwitchState) -> None:
        self._debounce = debounce_rows
        self._next = state.next_plate
        self._level = state.level
        self._count = state.count
        self._row = state.row
        self._plate = state.plate
        self._pending = state.pending
        self._pending_plate = state.pending_plate
        self.counters = SwitchCounters()

    @property
    def state(self) -> SwitchState:
        """What another counter needs to go on from here."""
        return SwitchState(
            self._next, self._level, self._count, self._row, self._plate, self._pending, self._pending_plate
        )

    @property
    def beam(self) -> Beam:
        """What stands in the beam, by what was heard."""
        if self._pending is not None:
            return Beam.RISING if self._pending.rising else Beam.FALLING
        if self._level is None:
            return Beam.UNKNOWN
        return Beam.TAKEN if self._level else Beam.FREE

    def validate(self) -> None:
        """Check what always holds between two calls.

        Raises:
            AssertionError: it does not.
        """
        beam = self.beam
        assert (self._pending_plate is not None) == (beam is Beam.RISING), f"{beam}: a rising edge has a number, alone"
        assert self._pending is None or self._pending.rising != self._level, f"{beam}: an edge to the level before it"
        for plate in (self._plate, self._pending_plate):
            assert plate is None or plate < self._next, f"{beam}: plate {plate} has a number not given yet"
        assert self._plate is None or beam in (Beam.TAKEN, Beam.FALLING), f"{beam}: plate {self._plate} is in the beam"

    def hear(self, edges: Iterable[Edge], level: bool, until_row: int) -> list[Fact]:
        """The facts that follow from these edges.

        Args:
            edges: the edges since those of the call before, in the order of their rows.
            level: the switch's level before these edges.
            until_row: all edges before this camera row are heard now.
        """
        edges = tuple(edges)
        facts: list[Fact] = []
        if self._level is None:
            self._level = level
            if level:
                self._plate = self._number()
                facts.append(MidSheet(self._plate))
        # A strip from before the last edge, heard again after a restart, has an old level.
        news = self._row is None or until_row > self._row
        if not edges and news and level != self._raw:
            # An edge was missed and none came since: act on the level, for the next edge may be long in coming.
            self._unheard(facts)
        for edge in edges:
            self._edge(edge, facts)
        self._settle(until_row, facts)
        return facts

    def end(self) -> list[Fact]:
        """The line has ended: a sheet whose leading edge was still being debounced is a sheet."""
        facts: list[Fact] = []
        if self._pending is not None:
            self._settle(self._pending.row + self._debounce, facts)
        return facts

    @property
    def _raw(self) -> bool | None:
        """The level after the last edge, held or not."""
        return self._level if self._pending is None else self._pending.rising

    def _edge(self, edge: Edge, facts: list[Fact]) -> None:
        self._settle(edge.row, facts)
        unheard = 0
        if self._count is not None:
            unheard = edge.count - self._count - 1
            if unheard < 0 and self._row is not None and edge.row <= self._row:
                self.counters.edges_repeated += 1
                return
            if not 0 <= unheard <= MOST_UNHEARD:
                self.counters.counter_restarts += 1
                unheard = 0
            if self._row is None and unheard and (self._raw != (unheard % 2 == 1)) == edge.rising:
                # One of these edges lies before the level that was heard first, and is told by it.
                unheard -= 1
        for _ in range(unheard):
            self._unheard(facts)
        if edge.rising == self._raw:
            # The count shows no gap, but an edge to the level it comes from there must have been.
            self._unheard(facts)
        self.counters.edges += 1
        self._count, self._row = edge.count, edge.row
        number = self._number() if edge.rising else None
        if self._pending is None:
            self._pending, self._pending_plate = edge, number
        else:
            # Back to the level before, sooner than the debounce.
            self._pending, self._pending_plate = None, None
            self.counters.bounces += 1

    def _settle(self, row: int, facts: list[Fact]) -> None:
        """Take the pending edge as one that holds, if no other came for the debounce before this row."""
        edge, number = self._pending, self._pending_plate
        if edge is None or row - edge.row < self._debounce:
            return
        self._pending, self._pending_plate = None, None
        self._level = edge.rising
        if number is not None:
            self._plate = number
            facts.append(Leading(number, edge.row, edge.sheet))
        else:
            facts.append(Trailing(self._plate, edge.row))
            self._plate = None

    def _unheard(self, facts: list[Fact]) -> None:
        """Account for one edge that was not heard."""
        self.counters.edges_unheard += 1
        if self._count is not None:
            self._count += 1
        if self._pending is not None:
            # What the pending edge was cannot be known any more: a rising one is a sheet rather than none.
            edge, number = self._pending, self._pending_plate
            self._pending, self._pending_plate = None, None
            if number is not None:
                self._plate = number
                facts.append(Unheard(number, edge.sheet))
            else:
                facts.append(Trailing(self._plate, None))
                self._plate = None
            self._level = edge.rising
        if self._level:
            # The sheet that was in the beam left it; of one that never was heard coming nothing is open.
            facts.append(Trailing(self._plate, None))
            self._plate = None
            self._level = False
        else:
            self._plate = self._number()
            facts.append(Unheard(self._plate))
            self._level = True

    def _number(self) -> int:
        number = self._next
        self._next += 1
        return number
