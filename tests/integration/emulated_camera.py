"""Basler's emulator with what it lacks: a switch that is wired to it, and faults when they are due.

The images of its folder are strips of one sheet between empty belts. The switch is an output of the emulator, set when
a strip comes that lies behind the sheet's leading edge; how, and what fails, stands in `ORDER_VARIABLE`, JSON.
"""

from __future__ import annotations

import json
import os

import numpy as np
from numpy.typing import NDArray

from daemon.cameras.device import Device, Filled
from daemon.cameras.pylon import PylonCamera
from daemon.cameras.registry import CameraOrder
from stages.camera import NoStrip, Strip

ORDER_VARIABLE = "LINESENTRY_EMULATED"


class Emulated(PylonCamera):
    """Delivers the strips for ever."""

    def __init__(self, order: CameraOrder) -> None:
        super().__init__(order)
        told = json.loads(os.environ[ORDER_VARIABLE])
        self._levels: list[bool] = told["levels"]
        """Of the switch at each image of the folder."""
        self._faults: dict[str, str] = told["faults"]
        """By the number of strips that were delivered: what happens then."""
        self._count = 0

    def _delivered(self, device: Device, filled: Filled, into: NDArray[np.uint8]) -> Strip | NoStrip:
        assert filled.id is not None
        level = self._levels[filled.id % len(self._levels)]
        device.features.write("UserOutputValue", str(level).lower())
        strip = super()._delivered(device, filled, into)
        if isinstance(strip, Strip):
            self._count += 1
            self._fail(device, self._faults.get(str(self._count)))
        return strip

    def _fail(self, device: Device, what: str | None) -> None:
        if what == "buffers":
            device.features.write("ForceFailedBufferCount", "2")
            device.features.write("ForceFailedBuffer", "true")
        elif what == "removal":
            device.features.write("FirePnPCallbackValue", "1")
            device.features.write("FirePnPCallback", "true")
