"""The supervisor's own count of the switch: which plates were seen, whether acquisition lives or not.

A state machine without I/O.

| the line is | what is heard | until |
|---|---|---|
| on its way | what this line says of its switch | its process ends: `line_gone` |
| gone | what it had said before its end, and comes late | a successor starts: `begin_anew`; rows and edges from 0 |

The numbers of plates go on over all lines: each is given once, and grows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from daemon.wire.plate_memory import SlotFacts
from stages.camera import Strip
from stages.switch import Fact, Leading, MidSheet, SwitchCounter, SwitchState, Unheard

_STRIPS = 64
"""So many strips an edge may be debounced, and it is still known when it was."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A plate that the switch saw begin."""

    plate: int
    image: str | None = None
    """Name of the image file that a replay shows."""
    not_before: float | None = None
    """Monotonic time before which it cannot have begun, s: a strip before it was delivered then; None: not known."""
    camera: str | None = None
    """Serial number of the camera that sees it, as far as the camera knows one."""


class Sightings:
    """Numbers the plates of a run from what the line says of its switch.

    A line that starts anew counts its rows and edges anew, so what an earlier one said late must not be mixed in.
    """

    def __init__(self, debounce_rows: int, first_plate: int) -> None:
        self.camera_row: int | None = None
        """Camera row up to which the switch was heard; None on a line never heard."""
        self._debounce = debounce_rows
        self._switch = SwitchCounter(debounce_rows, SwitchState(first_plate, count=0))
        self._line = 1
        self._line_gone = False
        self._untold: set[int] = set()
        self._strips: deque[tuple[int, float]] = deque(maxlen=_STRIPS)
        """Camera row after each of the last strips, and when it was delivered."""
        self._camera: str | None = None
        """Serial number of the camera, as the line said last."""

    @property
    def state(self) -> SwitchState:
        """What a counter needs to go on from here."""
        return self._switch.state

    def hear(self, line: int, strip: Strip, at: float, camera: str | None = None) -> list[Sighting]:
        """Plates first seen by what that incarnation of the line says; nothing by one that is no more.

        `at` is the monotonic time when the strip was delivered, s; `camera` the serial number of the camera.
        """
        if line != self._line:
            return []
        self.camera_row = strip.first_row + strip.rows
        self._camera = camera
        facts = self._switch.hear(strip.edges, strip.level, self.camera_row)
        self._untold = {plate for plate in self._untold if plate >= self._switch.state.next_plate}
        self._strips.append((self.camera_row, at))
        return [seen for fact in facts if (seen := self._sighting(fact)) is not None]

    def decided(self, plate: int) -> None:
        """A plate was decided: its number is taken, even if the line should die before it tells of it here."""
        if plate >= self._switch.state.next_plate:
            self._untold.add(plate)

    def line_gone(self) -> None:
        """The line's process ended. What it had sent by then may still be heard until `begin_anew`."""
        self._line_gone = True

    def begin_anew(self, slots: Iterable[SlotFacts]) -> list[Sighting]:
        """Before a process starts that will hear, or be, the line's new incarnation; nothing if the old one lives.

        Gives the plates that acquisition has opened, with a slot or without, although the old line died before it
        could tell of them here. It numbers without gaps: with one plate, all before it were opened.
        """
        if not self._line_gone:
            return []
        self._line_gone = False
        self._line += 1
        self.camera_row = None
        self._strips.clear()
        following = self._switch.state.next_plate
        held = [facts for facts in slots if facts.holds and facts.plate >= following]
        images = {facts.plate: facts.sheet.image for facts in held if facts.sheet is not None}
        opened = {facts.plate for facts in held} | self._untold
        untold = [Sighting(n, images.get(n), camera=self._camera) for n in range(following, max(opened, default=0) + 1)]
        self._untold.clear()
        following += len(untold)
        self._switch = SwitchCounter(self._debounce, SwitchState(following, count=0))
        return untold

    def validate(self) -> None:
        """Check what always holds between two events.

        Raises:
            AssertionError: it does not.
        """
        following = self._switch.state.next_plate
        assert all(plate >= following for plate in self._untold), f"{self._untold} are told: {following} follows"
        assert self.camera_row is None or self.camera_row >= 0, f"camera row {self.camera_row}"

    def _sighting(self, fact: Fact) -> Sighting | None:
        """The plate that the fact says began, if it says so."""
        match fact:
            case Leading(plate, edge, sheet):
                before = (at for row, at in reversed(self._strips) if row <= edge)
                return Sighting(plate, None if sheet is None else sheet.image, next(before, None), self._camera)
            case Unheard(plate, sheet):
                return Sighting(plate, None if sheet is None else sheet.image, camera=self._camera)
            case MidSheet(plate):
                return Sighting(plate, camera=self._camera)
        return None
