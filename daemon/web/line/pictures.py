"""Small pictures of the sheets on the line, taken from the plate memory while they pass.

A picture grows with its sheet: each look reads the rows that came since the one before, an eighth of them or fewer,
so that it costs the line next to nothing. Rows that have not come are not there.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from daemon.wire.messages import LinePlate
from daemon.wire.plate_memory import PlateMemory

WIDTH, HEIGHT = 320, 720
"""Px of a picture at most."""
_KEPT = 4
_SAMPLED = 8
"""Rows that are read for a row of the picture."""
_QUALITY = 70


@dataclass(slots=True)
class _Small:
    """The picture of one sheet as far as it has come."""

    generation: int
    factor: int
    """Plate px to a px of the picture, across and along; a multiple of the rows that are read."""
    pixels: NDArray[np.uint8]
    """Grey values, uint8 (rows, columns)."""
    rows: int = 0
    """Rows of it that have come."""
    jpeg: bytes = b""


@dataclass(slots=True)
class SheetPictures:
    """The pictures of the last sheets of this run, by plate. Its methods may be called from any thread."""

    _small: OrderedDict[int, _Small] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def look(self, memory: PlateMemory, plates: Iterable[LinePlate]) -> bool:
        """Take what has come of these sheets; whether there was anything new."""
        with self._lock:
            new = [self._look(memory, one) for one in plates if one.slot is not None and one.columns]
            return any(new)

    def rows(self, plate: int) -> int | None:
        """Plate rows that the picture shows; None where there is no picture."""
        with self._lock:
            small = self._small.get(plate)
            return None if small is None or not small.rows else small.rows * small.factor

    def jpeg(self, plate: int) -> bytes | None:
        """The picture of a sheet as far as it has come, grey; None where there is none."""
        with self._lock:
            small = self._small.get(plate)
            if small is None or not small.rows:
                return None
            if not small.jpeg:
                done, data = cv2.imencode(".jpg", small.pixels[: small.rows], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
                small.jpeg = data.tobytes() if done else b""
            return small.jpeg or None

    def _look(self, memory: PlateMemory, plate: LinePlate) -> bool:
        assert plate.slot is not None
        facts = memory.facts(plate.slot)
        if facts.plate != plate.plate or not facts.place.columns:
            return False
        small = self._small.get(plate.plate)
        if small is None or small.generation != facts.place.generation:
            small = self._begun(memory, plate, facts.place.generation, facts.place.columns)
        # A sheet that is longer than expected ends with the picture.
        last = min(facts.rows // small.factor, len(small.pixels))
        if last <= small.rows:
            return False
        first, width = small.rows * small.factor, small.pixels.shape[1]
        columns = width * small.factor
        step = small.factor // _SAMPLED
        rows = memory.pixels(plate.slot)[first : last * small.factor : step, :columns]
        shrunk = cv2.resize(rows, (width, last - small.rows), interpolation=cv2.INTER_AREA)
        if not memory.is_current(facts.place):
            del self._small[plate.plate]
            return False
        small.pixels[small.rows : last] = shrunk
        small.rows, small.jpeg = last, b""
        return True

    def _begun(self, memory: PlateMemory, plate: LinePlate, generation: int, columns: int) -> _Small:
        rows = plate.nominal_rows or memory.shape.rows
        factor = max(-(-columns // WIDTH), -(-rows // HEIGHT), 1)
        factor = -(-factor // _SAMPLED) * _SAMPLED
        shape = max(1, -(-rows // factor) + HEIGHT // 20), max(1, columns // factor)
        small = _Small(generation, factor, np.zeros(shape, np.uint8))
        self._small[plate.plate] = small
        while len(self._small) > _KEPT:
            self._small.popitem(last=False)
        return small
