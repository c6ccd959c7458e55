"""Whether the picture shows a sheet where the switch saw one.

A state machine without I/O. Rows are the camera's; a sheet that the switch saw reaches from its leading to its
trailing edge, each shifted by the offset.

| the picture shows | then |
|---|---|
| one sheet, whose edges are as near to the switch's as the tolerance | they agree |
| no sheet there, several, or one whose edges lie farther away | they disagree: the plate is INCONCLUSIVE |
| a sheet where the switch saw none | the switch is stuck off: no plate, and an alarm |
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from stages.camera import Doubt, Strip
from stages.picture_switch import PictureSwitch
from stages.switch import Leading, MidSheet, SwitchCounter, SwitchState, Trailing, Unheard
from stages.switch_faults import SwitchFault, SwitchFaults

_UNSEEN = 4
"""One part of so many of the shortest sheet is enough to ask why the switch does not see it."""
_REMEMBERED = 64
"""Sheets of the switch."""


@dataclass(slots=True)
class _Sheet:
    start: int
    end: int | None = None
    told: bool = False

    def meets(self, start: int, end: int | None) -> bool:
        """Whether it has a row with the other in common; None: that one goes on."""
        return (end is None or self.start < end) and (self.end is None or start < self.end)


class PictureCheck:
    """Told of each strip that the switch's edges are known of; the picture is told of it before.

    Args:
        picture: what it shows.
        offset_rows, debounce_rows: the recipe's.
        tolerance_rows: by so much an edge may lie apart.
        uncertain_rows: by how much more a sheet may be too long, for the switch is heard late.
        faults: told of what is found.
    """

    def __init__(
        self,
        picture: PictureSwitch,
        *,
        offset_rows: int,
        debounce_rows: int,
        tolerance_rows: int,
        uncertain_rows: Callable[[], int],
        faults: SwitchFaults,
    ) -> None:
        self._picture = picture
        self._offset = offset_rows
        self._tolerance = tolerance_rows
        self._unseen = tolerance_rows
        """A sheet of so many rows must have been seen by the switch."""
        self._uncertain = uncertain_rows
        self._faults = faults
        self._counter = SwitchCounter(debounce_rows, SwitchState(1))
        self._sheets: deque[_Sheet] = deque(maxlen=_REMEMBERED)
        self._shown: deque[_Sheet] = deque(maxlen=_REMEMBERED)
        self._began = False
        self._heard = 0
        """All edges of the switch before this row are known."""

    def expect(self, shortest_rows: int) -> None:
        """Sheets are at least so long."""
        self._unseen = max(self._tolerance, shortest_rows // _UNSEEN)

    def strip(self, strip: Strip) -> None:
        """The switch's edges of this strip are known."""
        self._heard = max(self._heard, strip.first_row + strip.rows)
        for fact in self._counter.hear(strip.edges, strip.level, self._heard):
            match fact:
                case Leading(_, row):
                    self._sheets.append(_Sheet(row + self._offset))
                case MidSheet() | Unheard():
                    # It has no rows, or lacks some: nothing is to be compared.
                    self._sheets.append(_Sheet(strip.first_row, told=True))
                case Trailing(_, row) if self._sheets:
                    self._sheets[-1].end = (strip.first_row if row is None else row) + self._offset

    def done(self, until_row: int) -> bool:
        """Whether all is known of the sheets that end before this row."""
        return self._picture.known_row >= until_row + self._tolerance

    def doubts(self, until_row: int, *, last: bool = False) -> tuple[Doubt, ...]:
        """Of sheets that end before this row, each of them once; `last`: the line has ended."""
        self._look()
        doubts = []
        for sheet in self._sheets:
            if sheet.told or sheet.end is None or not (last or sheet.end <= until_row):
                continue
            sheet.told = True
            why = self._apart(sheet.start, sheet.end)
            if why is None:
                self._faults.over(SwitchFault.DISAGREES)
                self._faults.over(SwitchFault.STUCK_OFF)
            else:
                doubts.append(Doubt(sheet.start, why))
                self._faults.found(SwitchFault.DISAGREES, why)
        self._look_for_unseen()
        return tuple(doubts)

    def _look(self) -> None:
        """Take what the picture shows."""
        if not self._began:
            self._began = True
            if self._picture.began():
                self._shown.append(_Sheet(0, told=True))
        for turn in self._picture.turns(self._picture.known_row):
            if turn.rising:
                self._shown.append(_Sheet(turn.row))
            elif self._shown:
                self._shown[-1].end = turn.row

    def _apart(self, start: int, end: int) -> str | None:
        """Why the picture disagrees; None: it agrees."""
        shown = [sheet for sheet in self._shown if sheet.meets(start, end)]
        if len(shown) != 1:
            found = "no sheet" if not shown else f"{len(shown)} sheets"
            return f"the picture shows {found} where the switch saw one, rows {start} to {end} of the camera"
        first, last = shown[0].start, self._picture.known_row if shown[0].end is None else shown[0].end
        longer, shorter = self._tolerance, self._tolerance + self._uncertain()
        if -longer <= first - start <= shorter and -shorter <= last - end <= longer:
            return None
        return (
            f"the picture shows the sheet at rows {first} to {last} of the camera, the switch at {start} to {end}; it "
            f"may be {longer} rows longer at each end, or {shorter} shorter"
        )

    def _look_for_unseen(self) -> None:
        """A sheet of the picture that the switch has had the time to see, and did not."""
        for shown in self._shown:
            end = self._picture.known_row if shown.end is None else shown.end
            due = min(end, shown.start + self._unseen)
            if shown.told or end - shown.start < self._unseen or self._heard + self._offset < due:
                continue
            shown.told = True
            if not any(sheet.meets(shown.start, shown.end) for sheet in self._sheets):
                words = f"the picture shows a sheet from row {shown.start} of the camera that it does not see"
                self._faults.found(SwitchFault.STUCK_OFF, words)
