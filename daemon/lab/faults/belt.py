"""The belt with its sheets, the switch over it and the camera: what passes, and what the line is shown of it."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from daemon.lab.faults.history import History, SheetTruth
from daemon.lab.faults.schedule import Setting
from daemon.lab.faults.world import World
from stages.camera import CameraStatus, Edge, LineCamera, NoStrip, Progress, Sheet, Strip

SIZE, STRIDE = 250, 200
"""Of windows, px."""
NOMINAL_ROWS, TOLERANCE = 450, 0.4
MOST_ROWS = 640
OFFSET_ROWS, DEBOUNCE_ROWS = 40, 16
STRIP_ROWS = 128
CRACK, SPOT = 255, 254
"""Grey value of a window's pixel that the simulated detector takes for a crack; of a spot the classifier knows better.

All other pixels of a sheet have its own value.
"""
_FIRST_VALUE = 20
_RATE = 1800.0
"""Rows a second."""
_DRIVER_BUFFERS = 4
"""Strips that a camera's driver holds for a process that does not ask for them."""


@dataclass(frozen=True, slots=True)
class _Passing:
    """A sheet on the belt."""

    truth: SheetTruth
    value: int
    start: int
    """Belt row at which the switch sees it first; the camera does OFFSET_ROWS later."""
    marks: tuple[tuple[int, int, int], ...]
    """Row and column within the sheet, and the grey value there."""

    @property
    def end(self) -> int:
        return self.start + self.truth.rows


def sample(x: int, y: int, width: int, height: int) -> tuple[int, int]:
    """Row and column of the one pixel of a window at which the simulated detector looks."""
    return y + min(STRIDE // 2, height - 1), x + min(STRIDE // 2, width - 2)


class Belt:
    """Sheets that pass; the belt goes on by the clock where the camera is live, else as its strips are taken."""

    def __init__(self, setting: Setting, world: World, history: History) -> None:
        self.live = setting.live
        self.world = world
        self.history = history
        self.lost_until = 0.0
        """Until then the camera loses every second strip."""
        chance = random.Random(f"sheets {setting.seed}")  # noqa: S311 - it is to be repeated
        self.sheets: list[_Passing] = []
        row = 300
        for number in range(setting.plates):
            sheet = self._sheet(number, row, setting.columns, chance)
            self.sheets.append(sheet)
            history.sheets[sheet.truth.name] = sheet.truth
            row = sheet.end + chance.randint(60, 300)
        self.end = row + 600
        self.taken = 0
        """Row up to which a waiting camera has shown it."""
        self._begun_at: float | None = None

    def names(self, value: int) -> str:
        """The sheet that has that grey value."""
        index = value - _FIRST_VALUE
        return self.sheets[index].truth.name if 0 <= index < len(self.sheets) else f"value {value}"

    @property
    def row(self) -> int:
        """Belt row that is at the switch now."""
        if not self.live:
            return self.taken
        if self._begun_at is None:
            self._begun_at = self.world.now
        return int((self.world.now - self._begun_at) * _RATE)

    def seconds_to(self, row: int) -> float:
        """Until that row is at the switch."""
        return max(0.0, (row - self.row) / _RATE)

    def draw(self, first: int, last: int, into: NDArray[np.uint8]) -> None:
        """The camera's picture of belt rows [first, last), uint8 (rows or more, columns)."""
        into[: last - first] = 0
        for sheet in self.sheets:
            top = sheet.start + OFFSET_ROWS
            if top >= last:
                return
            begin, end = max(first, top), min(last, top + sheet.truth.rows)
            if begin >= end:
                continue
            into[begin - first : end - first] = sheet.value
            for row, column, value in sheet.marks:
                if begin <= top + row < end:
                    into[top + row - first, column] = value

    def edges(self, first: int, last: int) -> list[tuple[int, bool, str]]:
        """Row, direction and sheet of the switch's edges in belt rows [first, last)."""
        found: list[tuple[int, bool, str]] = []
        for sheet in self.sheets:
            if sheet.start >= last:
                break
            found += [
                (row, rising, sheet.truth.name)
                for row, rising in ((sheet.start, True), (sheet.end, False))
                if first <= row < last
            ]
        return found

    def level(self, row: int) -> bool:
        """Whether the switch sees a sheet at that row."""
        return any(sheet.start <= row < sheet.end for sheet in self.sheets)

    def lose(self, first: int, last: int) -> None:
        """The camera lost these belt rows."""
        for sheet in self.sheets:
            if sheet.start + OFFSET_ROWS < last and first < sheet.end + OFFSET_ROWS:
                self.history.harmed.add(sheet.truth.name)

    @staticmethod
    def _sheet(number: int, start: int, columns: int, chance: random.Random) -> _Passing:
        rows = chance.randint(NOMINAL_ROWS - 120, NOMINAL_ROWS + 140)
        if chance.random() < 0.04:
            rows = chance.choice((60, 150, MOST_ROWS + 90))
        across, down = math.ceil(columns / STRIDE), math.ceil(rows / STRIDE)
        drawn = chance.random()
        cracked, spotted = drawn < 0.2, 0.2 <= drawn < 0.4
        marks = []
        if cracked or spotted:
            window = chance.randrange(across * down)
            x, y = window % across * STRIDE, window // across * STRIDE
            row, column = sample(x, y, min(SIZE, columns - x), min(SIZE, rows - y))
            marks.append((row, column, CRACK if cracked else SPOT))
        truth = SheetTruth(f"sheet-{number}", rows, across, down, cracked=cracked, spotted=spotted)
        return _Passing(truth, _FIRST_VALUE + number % (SPOT - _FIRST_VALUE - 1), start, tuple(marks))


class BeltCamera(LineCamera):
    """A camera over the belt, with the switch wired to it; each incarnation counts from 0."""

    def __init__(self, belt: Belt) -> None:
        self.live = belt.live
        self._belt = belt
        self._origin = self._at = 0
        """Belt row of its row 0, and of the next strip's first row."""
        self._block = -1
        self._edges = 0
        self._told: list[str] = []
        """Sheets whose leading edge it has told."""

    def open(self, progress: Progress) -> None:
        """It is there."""

    def start(self) -> None:
        """Begin with the next row."""
        self._origin = self._at = self._belt.row

    def next_strip(self, into: NDArray[np.uint8], timeout_s: float) -> Strip | NoStrip:
        """Wait for the next rows."""
        belt, sleep = self._belt, self._belt.world.running.sleep
        if self._at >= belt.end:
            sleep(timeout_s)
            return NoStrip.ENDED
        until = belt.seconds_to(self._at + STRIP_ROWS) if self.live else STRIP_ROWS / _RATE
        if until > timeout_s:
            sleep(timeout_s)
            return NoStrip.WAITING
        sleep(until)
        if belt.world.now < belt.lost_until and belt.world.chance.random() < 0.5:
            self._lose(1)
        if self.live and (late := (belt.row - self._at) // STRIP_ROWS - _DRIVER_BUFFERS) > 0:
            self._lose(late)
        return self._strip(into)

    def _strip(self, into: NDArray[np.uint8]) -> Strip:
        first, last = self._at, self._at + STRIP_ROWS
        self._belt.draw(first, last, into)
        edges = []
        for row, rising, name in self._belt.edges(first, last):
            self._edges += 1
            edges.append(Edge(self._edges, row - self._origin, rising, Sheet(name) if rising else None))
            if rising:
                self._told.append(name)
        self._block += 1
        self._at = self._belt.taken = last
        level = self._belt.level(first - 1) if first > self._origin else self._belt.level(first)
        if first == self._origin and edges and edges[0].row == 0:
            level = not edges[0].rising
        return Strip(self._block, first - self._origin, STRIP_ROWS, tuple(edges), level)

    def _lose(self, strips: int) -> None:
        first, last = self._at, self._at + strips * STRIP_ROWS
        self._belt.lose(first, last)
        self._edges += len(self._belt.edges(first, last))
        self._block += strips
        self._at = self._belt.taken = last

    @property
    def told(self) -> list[str]:
        """Sheets whose leading edge it has told."""
        return self._told

    def stop(self) -> None:
        """Deliver no more."""

    def close(self) -> None:
        """Let go."""

    def status(self) -> CameraStatus:
        """All is well."""
        return CameraStatus()
