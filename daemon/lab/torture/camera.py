"""The camera of the torture: sheets of known kinds in random order, faults on demand, and a witness of what passed.

The witness is a file that the service does not know: one line for each leading edge that the camera handed out,
`PID KIND`, on the disk before the line process tells of it.
"""

from __future__ import annotations

import contextlib
import os
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from daemon.cameras.registry import CameraOrder
from simulator.line.replay import Entry, Faults, LineSettings, Opened, Replay
from stages.camera import CameraStatus, LineCamera, NoStrip, Progress, Strip

ORDER_VARIABLE = "LINESENTRY_TORTURE"
"""Environment variable: the file with the order, JSON."""
MID_SHEET = -1
"""The kind of a sheet that was in the beam at the start."""
_STARTS_HIGH = 0.15
"""Share of the lines that start in the middle of a sheet, once the torture has begun."""
_TIMES_FASTER = 10.0
Wish = Literal["calm", "rest", "go", "lose strips", "halve strips", "repeat strips", "hurry"]


class Wanted(msgspec.Struct, frozen=True):
    """What the camera is to do from now on; the file is replaced as a whole."""

    wish: Wish
    """calm: sheets in turn. rest: no sheet after the one that passes. go: sheets at random."""
    number: int = 0
    """Another one is another wish."""
    strips: int = 0
    """How many of the next strips it concerns."""


class TortureOrder(msgspec.Struct, frozen=True):
    """What passes, and where the witness and the wishes are."""

    sheets: str
    """File of the sheets, npy, uint8 (kinds, rows, columns)."""
    witness: str
    """File that grows by a line a leading edge."""
    wanted: str
    """File of what is `Wanted`."""
    seed: int


@dataclass
class _Array:
    image: NDArray[np.uint8]

    def __post_init__(self) -> None:
        self.height, self.width = self.image.shape

    def rows(self, first: int, last: int) -> NDArray[np.uint8]:
        return self.image[first:last]

    def close(self) -> None:
        """Nothing is open."""


def _opened(sheets: NDArray[np.uint8], kind: int, column: int) -> Opened:
    return Opened(_Array(sheets[kind]), column)


class TortureCamera(LineCamera):
    """A live camera: what is not taken is lost."""

    def __init__(self, order: CameraOrder) -> None:
        self._order = order
        self._told = msgspec.json.decode(Path(os.environ[ORDER_VARIABLE]).read_bytes(), type=TortureOrder)
        # Another line than the one before it, and another one each time.
        self._random = random.Random(f"{self._told.seed} {os.getpid()}")  # noqa: S311 - nothing is to be kept secret
        self._wanted = Wanted("calm")
        self._kinds: list[int] = []
        """Kinds of the sheets that the replay has been given."""
        self._edges = 0
        """Sheets whose leading edge was handed out."""
        self._in_the_beam = False
        """The line starts in the middle of a sheet, which is yet to be told."""
        self._block = -1
        """Number of the latest strip."""
        self._lost: set[int] = set()
        self._short: set[int] = set()
        self._stale: set[int] = set()
        self._quick_until = -1
        self._low_strips = 0
        """Strips since the switch fell; 0 while a sheet is in the beam."""
        self._due_at = 0.0

    def open(self, progress: Progress) -> None:
        """Open the sheets and the witness."""
        del progress
        camera, recipe = self._order.config.camera, self._order.recipe
        self._rate = camera.line_rate_hz
        assert self._rate is not None
        assert recipe.columns is not None
        sheets = np.load(self._told.sheets, mmap_mode="r")
        self._wanted = self._read_wanted()
        calm = self._wanted.wish in ("calm", "rest")
        self._in_the_beam = not calm and self._random.random() < _STARTS_HIGH
        settings = LineSettings(
            width=camera.width,
            strip_rows=camera.strip_rows,
            gap_rows=camera.gap_rows,
            switch_offset_rows=recipe.offset_rows,
            faults=Faults(
                lost_strips=self._lost,
                short_strips=self._short,
                stale_strips=self._stale,
                starts_high=self._in_the_beam,
            ),
        )
        self._low_strips = 0 if self._in_the_beam else 1
        self._replay = Replay(self._passing(sheets, recipe.columns.first), settings)
        self._witness = os.open(self._told.witness, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def _passing(self, sheets: NDArray[np.uint8], column: int) -> Iterator[Entry]:
        while True:
            calm = self._wanted.wish == "calm"
            kind = len(self._kinds) % len(sheets) if calm else self._random.randrange(len(sheets))
            self._kinds.append(kind)
            yield Entry(str(kind), partial(_opened, sheets, kind, column))

    def start(self) -> None:
        """The belt runs from now on."""
        self._due_at = time.monotonic()

    def next_strip(self, into: NDArray[np.uint8], timeout_s: float) -> Strip | NoStrip:
        """The next strip, in its time."""
        wait_s = self._due_at - time.monotonic()
        time.sleep(max(0.0, min(wait_s, timeout_s)))
        if wait_s > timeout_s:
            return NoStrip.WAITING
        self._heed(self._read_wanted())
        # The sheet has passed whole: the switch is before the camera by less than a strip.
        if self._wanted.wish == "rest" and self._low_strips > 2:
            self._due_at = time.monotonic() + timeout_s
            return NoStrip.WAITING
        strip = self._replay.next_strip(into)
        if strip is None:
            return NoStrip.ENDED
        if strip.block > self._block:
            self._block = strip.block
            self._witnessed(sum(edge.rising for edge in strip.edges))
            for edge in strip.edges:
                self._low_strips = 0 if edge.rising else 1
            self._low_strips += self._low_strips > 0
        assert self._rate is not None
        pause_s = strip.rows / self._rate / (_TIMES_FASTER if strip.block < self._quick_until else 1)
        # A real line does not make up for a while in which it was stopped.
        self._due_at = max(self._due_at + pause_s, time.monotonic())
        return strip

    def _read_wanted(self) -> Wanted:
        with contextlib.suppress(OSError):
            return msgspec.json.decode(Path(self._told.wanted).read_bytes(), type=Wanted)
        return self._wanted

    def _heed(self, wanted: Wanted) -> None:
        before, self._wanted = self._wanted, wanted
        if wanted == before:
            return
        coming = range(self._block + 1, self._block + 1 + wanted.strips)
        match wanted.wish:
            case "lose strips":
                # Every second one: what comes between shows the gaps.
                self._lost.update(coming[::2])
            case "halve strips":
                self._short.update(coming)
            case "repeat strips":
                self._stale.update(coming)
            case "hurry":
                self._quick_until = coming.stop

    def _witnessed(self, edges: int) -> None:
        # The sheet in the beam at the start has no leading edge; the switch's level says that it is there.
        sheets = edges + self._in_the_beam
        if not sheets:
            return
        kinds = self._kinds[self._edges : self._edges + sheets]
        if self._in_the_beam:
            kinds[0], self._in_the_beam = MID_SHEET, False
        self._edges += sheets
        os.write(self._witness, "".join(f"{os.getpid()} {kind}\n" for kind in kinds).encode())
        os.fsync(self._witness)

    def stop(self) -> None:
        """Nothing runs by itself."""

    def close(self) -> None:
        """Nothing is held."""

    def status(self) -> CameraStatus:
        """Nothing is known of it."""
        return CameraStatus()
