"""The simulated camera at a steady pace, whose switch is wired to a PLC's discrete input instead of to it.

The PLC is pymodbus's server, in the camera's process. Of some sheets the switch says nothing, or says it too late.
"""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from daemon.cameras.registry import CameraOrder
from daemon.cameras.simulated import SimulatedCamera
from stages.camera import NoStrip, Progress, Strip
from tests.daemon.switches.remote_io import RemoteIo

RATE_HZ = 6000
UNSEEN, LATE = 2, 4
"""Sheets, from 1: the switch does not see the one, and the other one only from its middle on."""
LATE_ROWS = 600


class Wired(SimulatedCamera):
    """Its strips carry no edges."""

    has_switch = False

    def __init__(self, order: CameraOrder) -> None:
        super().__init__(order)
        self.live = True
        self._strip: Strip | NoStrip | None = None
        self._edges: list[tuple[int, bool]] = []
        """Rows at which the input changes, and its levels."""
        self._risen = 0

    def open(self, progress: Progress) -> None:
        """Switch the PLC on."""
        super().open(progress)
        modbus, camera = self.order.config.camera.switch.modbus, self.order.config.camera
        assert modbus is not None
        self._input = modbus.input
        self._plc = RemoteIo(modbus.port)
        self._pixels = np.empty((camera.strip_rows, camera.width), np.uint8)

    def start(self) -> None:
        """The belt starts."""
        super().start()
        self._began = time.monotonic() + 0.3  # the PLC has been asked by then

    def next_strip(self, into: NDArray[np.uint8], timeout_s: float) -> Strip | NoStrip:
        """The next strip, when its last row has passed; the input changes when its edges have."""
        until = time.monotonic() + timeout_s
        if self._strip is None:
            self._strip = super().next_strip(self._pixels, timeout_s)
            if isinstance(self._strip, Strip):
                for edge in self._strip.edges:
                    self._pass(edge.row, rises=edge.rising)
        if not isinstance(self._strip, Strip):
            return NoStrip.ENDED
        strip = self._strip
        end = strip.first_row + strip.rows
        while self._edges and self._edges[0][0] < end:
            if not self._wait(self._edges[0][0], until):
                return NoStrip.WAITING
            self._plc.set(self._input, self._edges.pop(0)[1])
        if not self._wait(end, until):
            return NoStrip.WAITING
        self._strip = None
        into[:] = self._pixels
        return Strip(strip.block, strip.first_row, strip.rows, (), False)

    def close(self) -> None:
        """Switch the PLC off."""
        self._plc.stop()
        super().close()

    def _pass(self, row: int, *, rises: bool) -> None:
        self._risen += rises
        if self._risen != UNSEEN:
            self._edges.append((row + LATE_ROWS * (rises and self._risen == LATE), rises))

    def _wait(self, row: int, until: float) -> bool:
        """Wait for a row; False: not within the time-out."""
        at = self._began + row / RATE_HZ
        time.sleep(max(0.0, min(at, until) - time.monotonic()))
        return at <= until
