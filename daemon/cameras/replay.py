"""What the replaying cameras share: a line without time, paced to the line rate."""

from __future__ import annotations

import time
from abc import abstractmethod

import numpy as np
from numpy.typing import NDArray

from daemon.cameras.registry import CameraOrder
from simulator.line.replay import LineSettings, Replay
from stages.camera import CameraStatus, LineCamera, NoStrip, Progress, Strip


class ReplayCamera(LineCamera):
    """Delivers a replayed line at `camera.line_rate_hz`, or as fast as its strips are taken where that is null."""

    def __init__(self, order: CameraOrder) -> None:
        self.order = order
        self._rate = order.config.camera.line_rate_hz
        self._line: Replay | None = None
        self._started_at = 0.0
        self.live = self._rate is not None

    @abstractmethod
    def make_line(self, settings: LineSettings, progress: Progress) -> Replay:
        """The line to replay. Raises CameraError."""

    def open(self, progress: Progress) -> None:
        """Make the line."""
        camera, recipe = self.order.config.camera, self.order.recipe
        settings = LineSettings(
            width=camera.width,
            strip_rows=camera.strip_rows,
            gap_rows=camera.gap_rows,
            switch_offset_rows=recipe.offset_rows,
        )
        self._line = self.make_line(settings, progress)

    def start(self) -> None:
        """The first row passes now."""
        self._started_at = time.monotonic()

    def next_strip(self, into: NDArray[np.uint8], timeout_s: float) -> Strip | NoStrip:
        """The next strip, once its last row has passed."""
        assert self._line is not None
        if self._rate is not None:
            due_at = self._started_at + (self._line.row + into.shape[0]) / self._rate
            wait_s = due_at - time.monotonic()
            time.sleep(max(0.0, min(wait_s, timeout_s)))
            if wait_s > timeout_s:
                return NoStrip.WAITING
        strip = self._line.next_strip(into)
        return NoStrip.ENDED if strip is None else strip

    def stood(self, seconds: float) -> None:
        """The belt stood for so long: what comes is due so much later."""
        self._started_at += seconds

    def stop(self) -> None:
        """Nothing runs by itself."""

    def close(self) -> None:
        """Let go of the images."""
        if self._line is not None:
            self._line.close()

    def status(self) -> CameraStatus:
        """A replay has no device, and no buffers of its own."""
        return CameraStatus()
