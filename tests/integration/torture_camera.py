"""The camera of the torture: sheets of known kinds in random order, with faults, and a witness of what passed.

The witness is a file that the service does not know: one line for each leading edge that the camera handed out,
`PID KIND`, on the disk before the line process tells of it.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

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
_STRIPS = 200_000
"""Strips for which faults are drawn."""


class TortureOrder(msgspec.Struct, frozen=True):
    """What passes, and what goes wrong at the camera."""

    sheets: str
    """File of the sheets, npy, uint8 (kinds, rows, columns)."""
    witness: str
    """File that grows by a line a leading edge."""
    seed: int
    faults: float
    """Share of the strips that are lost, doubled or short, each."""
    bursts: float
    """Share of the sheets that pass ten times as fast."""


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
        self._random = random.Random(f"{self._told.seed} {os.getpid()}")
        self._kinds: list[int] = []
        """Kinds of the sheets that the replay has been given."""
        self._edges = 0
        """Sheets whose leading edge was handed out."""
        self._in_the_beam = False
        """The line starts in the middle of a sheet, which is yet to be told."""
        self._heard = -1
        self._due_at = 0.0
        self._quick = False

    def open(self, progress: Progress) -> None:
        del progress
        camera, recipe = self._order.config.camera, self._order.recipe
        self._rate = camera.line_rate_hz
        assert self._rate is not None
        assert recipe.columns is not None
        sheets = np.load(self._told.sheets, mmap_mode="r")
        starts_high = not self._order.plates and self._random.random() < min(0.3, 50 * self._told.faults)
        settings = LineSettings(
            width=camera.width,
            strip_rows=camera.strip_rows,
            gap_rows=camera.gap_rows,
            switch_offset_rows=recipe.offset_rows,
            faults=Faults(
                lost_strips=self._drawn(),
                short_strips=self._drawn(),
                stale_strips=self._drawn(),
                starts_high=starts_high,
            ),
        )
        self._in_the_beam = starts_high
        self._replay = Replay(self._passing(sheets, recipe.columns.first), settings)
        self._witness = os.open(self._told.witness, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def _drawn(self) -> frozenset[int]:
        return frozenset(self._random.sample(range(1, _STRIPS), int(_STRIPS * self._told.faults)))

    def _passing(self, sheets: NDArray[np.uint8], column: int) -> Iterator[Entry]:
        plates = self._order.plates
        while plates is None or len(self._kinds) < plates:
            kind = self._random.randrange(len(sheets)) if plates is None else len(self._kinds) % len(sheets)
            self._kinds.append(kind)
            yield Entry(str(kind), partial(_opened, sheets, kind, column))

    def start(self) -> None:
        self._due_at = time.monotonic()

    def next_strip(self, into: NDArray[np.uint8], timeout_s: float) -> Strip | NoStrip:
        wait_s = self._due_at - time.monotonic()
        time.sleep(max(0.0, min(wait_s, timeout_s)))
        if wait_s > timeout_s:
            return NoStrip.WAITING
        strip = self._replay.next_strip(into)
        if strip is None:
            return NoStrip.ENDED
        if strip.block > self._heard:
            self._heard = strip.block
            self._witnessed(sum(edge.rising for edge in strip.edges))
        assert self._rate is not None
        pause_s = strip.rows / self._rate / (10 if self._quick else 1)
        # A real line does not make up for a while in which it was stopped.
        self._due_at = max(self._due_at + pause_s, time.monotonic())
        return strip

    def _witnessed(self, edges: int) -> None:
        # The sheet in the beam at the start has no leading edge; the switch's level says that it is there.
        sheets = edges + self._in_the_beam
        if not sheets:
            return
        kinds = self._kinds[self._edges : self._edges + sheets]
        if self._in_the_beam:
            kinds[0], self._in_the_beam = MID_SHEET, False
        self._edges += sheets
        self._quick = self._random.random() < self._told.bursts
        os.write(self._witness, "".join(f"{os.getpid()} {kind}\n" for kind in kinds).encode())
        os.fsync(self._witness)

    def stop(self) -> None:
        """Nothing runs by itself."""

    def close(self) -> None:
        """Nothing is held."""

    def status(self) -> CameraStatus:
        return CameraStatus()
