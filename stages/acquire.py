"""The plate assembler: cuts the camera's rows into plates, by the switch.

A state machine without I/O: strips and free slots in, orders and facts out, to be carried out in their order. A plate
is the rows from its leading edge to its trailing edge, each shifted by the recipe's offset. Debounce <= offset, so an
edge is decided before its rows arrive. Each sheet that the switch saw gets exactly one PlateOpened and one
PlateClosed, with or without a slot; how sheets are numbered is told in stages/switch.py.

| a sheet is | from | until |
|---|---|---|
| coming | its leading edge is decided | its first row arrives; with no slot free it waits there, or is only counted |
| filling | its first row, as PlateOpened | its last row, or the most rows of a slot |
| cut | it has the most rows (too long): PlateClosed | the switch falls; its rows are counted |
| gone | PlateClosed, and the switch has fallen | |

What went wrong is a cause of the plate: rows that the camera lost are blank in the slot and counted (rows missing; no
rows, if all are); a line that ends in mid-sheet, or a trailing edge that was not heard, leaves rows missing in
unknown number; a sheet beyond the most rows is cut (too long) and the rest of it counted until the switch falls. A
sheet that the camera cannot show (a file that cannot be read) has no rows, and the causes that the camera says.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, assert_never

from config.schema import Recipe
from stages.camera import Doubt, Loss, Sheet, Strip
from stages.copies import BlankRows, CopyRows, SlotsFree
from stages.events import BufferReleased, LineEnded, Place, PlateClosed, PlateOpened, RowsReady, StripDelivered
from stages.plate import Cause
from stages.recipes import PlateSizes
from stages.switch import Fact, Leading, MidSheet, SwitchCounter, SwitchState, Trailing, Unheard

_DOUBTS = 64
"""Doubts that are remembered."""
Event = StripDelivered | SlotsFree | LineEnded
Instruction = PlateOpened | CopyRows | BlankRows | RowsReady | PlateClosed | BufferReleased


@dataclass(slots=True)
class AcquireCounters:
    """What the assembler has taken and refused."""

    strips: int = 0
    strips_refused: int = 0
    """Repeated, stale, overlapping, or after the end."""
    rows: int = 0
    """Rows delivered in the strips taken."""
    rows_lost: int = 0
    """Rows that the camera counted and did not deliver."""
    rows_beyond: int = 0
    """Rows of sheets beyond the most rows of a plate."""
    plates: int = 0
    plates_without_slot: int = 0


class SheetState(StrEnum):
    """Where a sheet stands; see the table above."""

    COMING = "coming"
    FILLING = "filling"
    CUT = "cut"


@dataclass(slots=True)
class _Sheet:
    """A sheet between its decided leading edge and its end."""

    plate: int
    start: int
    """Camera row of its first row."""
    told: Sheet | None = None
    """What the camera knew of it."""
    end: int | None = None
    """Camera row after its last row, when known."""
    opened: bool = False
    closed: bool = False
    """Cut for being too long; its further rows are only counted."""
    place: Place | None = None
    rows: int = 0
    ready: int = 0
    """Rows announced as final."""
    blank: int = 0
    """Rows that were lost and are blank in the slot."""
    missing: int = 0
    """Rows that were lost, with those after the last one in the slot."""
    causes: list[Cause] = field(default_factory=list)
    losses: dict[int, tuple[tuple[str, int], ...]] = field(default_factory=dict)
    """Why rows were lost, by the block of the strip before which they were."""

    @property
    def state(self) -> SheetState:
        if not self.opened:
            return SheetState.COMING
        return SheetState.CUT if self.closed else SheetState.FILLING

    def has(self, row: int) -> bool:
        """Whether that camera row is one of its rows, by what is known of its end."""
        return self.start <= row and (self.end is None or row < self.end)


@dataclass(slots=True)
class _Held:
    """A strip in the queue; its edges are heard when its turn comes."""

    delivered: StripDelivered
    heard: bool = False


class Assembler:
    """Cuts strips into plates.

    Args:
        recipe: the switch's offset and debounce, and the most rows of a plate.
        overload: what to do when no slot is free at a leading edge: hold the strips back, or count the sheet only.
        slot_rows: rows of a slot; by default the recipe's.
        switch: where the numbering stands: `SwitchState(next_plate, count=0)` on a line that starts now, else the
            state of the counter that went on while acquisition was away. A sheet in the beam by then is not opened.
        camera_row: the row that comes next, if known; strips before it are stale.

    Raises:
        ValueError: neither recipe nor caller says how many rows a slot has.
    """

    def __init__(
        self,
        recipe: Recipe,
        overload: Literal["wait", "skip"],
        *,
        switch: SwitchState,
        slot_rows: int | None = None,
        camera_row: int | None = None,
    ) -> None:
        most = slot_rows or recipe.slot_rows
        if most is None:
            raise ValueError(
                f"recipe {recipe.name} has neither length nor most_rows, so the rows of a slot are unknown: set one"
            )
        self.sizes = PlateSizes(most, recipe)
        """Of the plates of each recipe; a sheet has that of its number."""
        self._offset = recipe.offset_rows
        self._wait = overload == "wait"
        self._switch = SwitchCounter(recipe.switch.debounce_rows, switch)
        self._row = camera_row
        """Camera row up to which everything is done."""
        self._next_row = camera_row
        """Camera row after the last strip taken."""
        self._block: int | None = None
        self._free: dict[int, Place] = {}
        self._queue: deque[_Held | LineEnded] = deque()
        self._sheets: deque[_Sheet] = deque()
        self._strip_at: float | None = None
        """Time of delivery of the strip in work."""
        self._losses: tuple[int, tuple[tuple[str, int], ...]] = 0, ()
        """Block of the strip in work, and why rows before it are missing."""
        self._doubts: deque[Doubt] = deque(maxlen=_DOUBTS)
        self._ended = False
        self.counters = AcquireCounters()

    @property
    def switch(self) -> SwitchCounter:
        """The counter of the switch: its state and what it heard."""
        return self._switch

    def change(self, number: int, not_before: int = 0) -> int:
        """Sheets that have yet to come are of that recipe, from a plate on that is not before; number of the first."""
        first, schedule = max(self._switch.state.next_plate, not_before), self.sizes.schedule
        schedule.change(first, number)
        schedule.forget(min([self._switch.state.oldest_to_come, *(sheet.plate for sheet in self._sheets)]))
        return first

    @property
    def waiting(self) -> bool:
        """Whether strips are held back until a slot is free."""
        return bool(self._queue)

    def handle(self, event: Event) -> list[Instruction]:
        """Take one event and say what is to be done, in this order."""
        out: list[Instruction] = []
        match event:
            case StripDelivered(buffer=buffer, strip=strip):
                if not self._take(strip):
                    self.counters.strips_refused += 1
                    return [BufferReleased(buffer)]
                self._queue.append(_Held(event))
            case SlotsFree(places):
                used = {sheet.place.slot for sheet in self._sheets if sheet.place and not sheet.closed}
                self._free = {place.slot: place for place in places if place.slot not in used}
            case LineEnded():
                self._queue.append(event)
            case _:
                assert_never(event)
        while self._queue and self._done(self._queue[0], out):
            self._queue.popleft()
        return out

    def validate(self) -> None:
        """Check what always holds between two events.

        Raises:
            AssertionError: it does not.
        """
        self._switch.validate()
        assert not (self._queue and not self._wait), "strips are held back, and not to wait for a slot"
        filling = [sheet for sheet in self._sheets if sheet.state is SheetState.FILLING]
        assert len(filling) <= 1, "two sheets are filled at once"
        assert all(sheet.state is SheetState.COMING for sheet in list(self._sheets)[1:]), "a sheet overtook another"
        for sheet in self._sheets:
            most = self.sizes.rows(sheet.plate)
            assert 0 <= sheet.ready <= sheet.rows <= most, f"plate {sheet.plate}: rows out of bounds"
            assert sheet.blank <= sheet.rows, f"plate {sheet.plate}: more rows are blank than there are"
            assert sheet.blank <= sheet.missing, f"plate {sheet.plate}: rows are blank that are not missing"
            assert sheet.place is None or sheet.opened, f"plate {sheet.plate}: a slot before its first row"
            if sheet.place is not None and not sheet.closed:
                assert sheet.place.slot not in self._free, f"plate {sheet.plate}: its slot is free"

    def _take(self, strip: Strip) -> bool:
        """Whether the strip is a new one that goes on from, or beyond, the last."""
        if self._ended or LineEnded() in self._queue or strip.rows < 0:
            return False
        if self._block is not None and strip.block <= self._block:
            return False
        if self._next_row is None:
            self._row = self._next_row = strip.first_row
        if strip.first_row < self._next_row:
            return False
        self.counters.strips += 1
        self.counters.rows += strip.rows
        self.counters.rows_lost += strip.first_row - self._next_row
        self._block, self._next_row = strip.block, strip.first_row + strip.rows
        return True

    def _done(self, work: _Held | LineEnded, out: list[Instruction]) -> bool:
        """Work on a strip or the end until it is done; False if a slot must be waited for."""
        if isinstance(work, LineEnded):
            self._end(out)
            return True
        strip, buffer = work.delivered.strip, work.delivered.buffer
        self._strip_at = work.delivered.at
        if not work.heard:
            work.heard = True
            self._doubts.extend(strip.doubts)
            self._losses = strip.block, strip.losses
            until = strip.first_row + strip.rows
            self._facts(self._switch.hear(strip.edges, strip.level, until), out)
        if not self._rows_until(strip.first_row, None, strip.first_row, out):
            return False
        if not self._rows_until(strip.first_row + strip.rows, buffer, strip.first_row, out):
            return False
        if self._sheets:
            sheet = self._sheets[0]
            if sheet.place is not None and not sheet.closed and sheet.rows > sheet.ready:
                sheet.ready = sheet.rows
                out.append(RowsReady(sheet.plate, sheet.place.slot, sheet.rows))
        out.append(BufferReleased(buffer))
        return True

    def _facts(self, facts: list[Fact], out: list[Instruction]) -> None:
        """Take what the switch says as sheets to come, or as plates that have no rows."""
        row = self._row or 0
        for fact in facts:
            match fact:
                case Leading(plate, _, told) if told is not None and not told.pixels:
                    self._without_rows(plate, tuple(cause for cause, _ in told.faults), 0, out, told)
                case Leading(plate, edge, told):
                    self._sheets.append(_Sheet(plate, edge + self._offset, told))
                case Trailing(plate, edge):
                    self._trailing(plate, edge, row)
                case Unheard(plate, told):
                    self._without_rows(plate, (Cause.NO_ROWS,), 0, out, told)
                case MidSheet(plate):
                    self._without_rows(plate, (Cause.STARTED_MID_SHEET,), 0, out)
                case _:
                    assert_never(fact)
        self._close_ended(out)

    def _trailing(self, plate: int | None, edge: int | None, row: int) -> None:
        for sheet in self._sheets:
            if sheet.plate == plate and sheet.end is None:
                if edge is None:
                    # What came so far is of this sheet; where it ended is not known.
                    sheet.causes.append(Cause.ROWS_MISSING)
                sheet.end = row if edge is None else edge + self._offset

    def _rows_until(self, stop: int, buffer: int | None, first_row: int, out: list[Instruction]) -> bool:
        """Do all rows before camera row `stop`, from the buffer, or lost ones (None); False to wait for a slot."""
        assert self._row is not None
        while self._row < stop:
            self._close_ended(out)
            sheet = self._sheets[0] if self._sheets else None
            if sheet is None or sheet.start >= stop:
                self._row = stop
                return True
            if self._row < sheet.start:
                self._row = sheet.start
                continue
            if not sheet.opened and not self._open(sheet, out):
                return False
            rows = (stop if sheet.end is None else min(stop, sheet.end)) - self._row
            if sheet.closed:
                self.counters.rows_beyond += rows
            elif sheet.rows == (most := self.sizes.rows(sheet.plate)):
                sheet.causes.append(Cause.TOO_LONG)
                self._close(sheet, out)
                continue
            else:
                rows = min(rows, most - sheet.rows)
                self._put(sheet, rows, buffer, self._row - first_row, out)
            self._row += rows
            self._close_ended(out)
        return True

    def _put(self, sheet: _Sheet, rows: int, buffer: int | None, source: int, out: list[Instruction]) -> None:
        block, losses = self._losses
        if buffer is None:
            sheet.blank, sheet.missing = sheet.blank + rows, sheet.missing + rows
            sheet.losses[block] = losses
        elif losses:
            # Those that cost no rows are told of every plate of which the strip has some.
            sheet.losses.setdefault(block, tuple(one for one in losses if one[0] == Loss.RESENT))
        if sheet.place is not None:
            if buffer is None:
                out.append(BlankRows(sheet.place.slot, sheet.rows, rows))
            else:
                out.append(CopyRows(buffer, source, rows, sheet.place.slot, sheet.rows))
        sheet.rows += rows

    def _open(self, sheet: _Sheet, out: list[Instruction]) -> bool:
        """Give the sheet a slot, by the choice for overload; False to wait for one."""
        assert self._row is not None
        if self._free:
            sheet.place = self.sizes.place(sheet.plate, self._free.pop(min(self._free)))
        elif self._wait:
            return False
        else:
            sheet.causes.append(Cause.OVERLOAD)
            self.counters.plates_without_slot += 1
        sheet.opened = True
        self.counters.plates += 1
        out.append(PlateOpened(sheet.plate, sheet.place, sheet.told))
        passed = min(self._row - sheet.start, self.sizes.rows(sheet.plate))
        if passed > 0:
            # Its first rows passed before anything was heard of it.
            self._put(sheet, passed, None, 0, out)
        return True

    def _close_ended(self, out: list[Instruction]) -> None:
        """Close the sheets whose last row is done."""
        while self._sheets:
            sheet, row = self._sheets[0], self._row or 0
            if sheet.end is None or row < sheet.end:
                return
            self._sheets.popleft()
            self._conclude(sheet, out)

    def _conclude(self, sheet: _Sheet, out: list[Instruction]) -> None:
        if sheet.opened:
            if not sheet.closed:
                self._close(sheet, out)
        else:
            missing = max(0, sheet.end - sheet.start) if sheet.end is not None else 0
            self._without_rows(sheet.plate, (Cause.NO_ROWS,), missing, out, sheet.told)

    def _close(self, sheet: _Sheet, out: list[Instruction]) -> None:
        sheet.closed = True
        if sheet.missing:
            sheet.causes.append(Cause.ROWS_MISSING)
            if sheet.blank == sheet.rows:
                sheet.causes.append(Cause.NO_ROWS)
        doubt = "; ".join(doubt.words for doubt in self._doubts if sheet.has(doubt.row))
        if doubt:
            sheet.causes.append(Cause.SWITCH_DOUBTFUL)
        causes = tuple(dict.fromkeys(sheet.causes))
        losses = sum((Counter(dict(one)) for one in sheet.losses.values()), Counter[str]())
        said = PlateClosed(sheet.plate, sheet.place, sheet.rows, causes, sheet.missing, self._strip_at, doubt, losses)
        out.append(said)

    def _without_rows(
        self, plate: int, causes: tuple[Cause, ...], missing: int, out: list[Instruction], told: Sheet | None = None
    ) -> None:
        self.counters.plates += 1
        self.counters.plates_without_slot += 1
        out += [PlateOpened(plate, None, told), PlateClosed(plate, None, 0, causes, missing, self._strip_at)]

    def _end(self, out: list[Instruction]) -> None:
        """Nothing more comes: what is open ends here."""
        if self._ended:
            return
        self._ended = True
        self._facts(self._switch.end(), out)
        row = self._row or 0
        while self._sheets:
            sheet = self._sheets.popleft()
            if sheet.opened and not sheet.closed:
                sheet.causes.append(Cause.ROWS_MISSING)
                if sheet.end is not None:
                    sheet.missing += sheet.end - row
            self._conclude(sheet, out)
