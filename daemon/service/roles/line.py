"""The line process: a simulated camera and switch, which go on whether acquisition lives or not.

It stands for the camera's driver: strips are written into a fixed ring of strip buffers and announced; acquisition
gives each buffer back. At a line rate a strip that finds no free buffer is lost, as with a real camera, and its rows
are missing by the camera's own count; without a rate the line waits.
"""

from __future__ import annotations

import mmap
import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from daemon.cameras.simulated import make_line
from daemon.service.child import Child, Plan
from daemon.wire.channel import Event, Joined
from models.images.source import ImageError
from stages.camera import LineSource, Strip
from stages.events import BufferReleased, LineEnded, StripDelivered, SwitchHeard

_MOST_UNREAD = 100
"""A folder with more images in a row that cannot be read is no line."""


class LineProcess(Child):
    """Replays sheets as strips, with the switch's edges in camera rows."""

    role = "line"

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        camera = self.config.camera
        size = camera.buffers * camera.strip_rows * camera.width
        self._buffers = np.frombuffer(mmap.mmap(plan.camera_fd, size), np.uint8).reshape(
            camera.buffers, camera.strip_rows, camera.width
        )
        self._spare = np.empty((camera.strip_rows, camera.width), np.uint8)
        self._free = list(range(camera.buffers))
        self._out: dict[int, StripDelivered] = {}
        """Strips that acquisition has not given back, in the order of their delivery."""
        self._listener: str | None = None
        self._ended = False
        self._unread = 0
        """Images that could not be read, one after the other."""
        self._first_at: float | None = None
        self._rows = 0

    def start(self) -> None:
        """Make the sheets, then open the camera."""
        directory = Path(self.plan.sockets)
        self._source: LineSource = make_line(self.config, self.recipe, directory, self.plan.plates, self._progress)
        self.note = "line ready"
        self._camera = self.bind("camera", self._on_acquire)

    def wait_s(self) -> float:
        """Do not wait while a strip can be delivered."""
        if self._listener is None or self._ended:
            return super().wait_s()
        if self.config.camera.line_rate_hz is None:
            return 0.0 if self._free else super().wait_s()
        return max(0.0, min(super().wait_s(), self._due_at() - time.monotonic()))

    def tick(self, now: float) -> None:
        """Deliver the next strip when there is a buffer for it, or when it is due."""
        if self._listener is None or self._ended:
            return
        if self.config.camera.line_rate_hz is None:
            if self._free:
                self._deliver(now)
        elif now >= self._due_at():
            self._deliver(now)

    def _progress(self, note: str) -> None:
        self.note = note
        now = time.monotonic()
        for event in self.supervisor.receive(now):
            self.on_supervisor(event, now)
        if self.stopping:
            sys.exit(0)
        self.beat(now, force=True)

    def _due_at(self) -> float:
        """Time at which the camera has the next strip's last row."""
        rate = self.config.camera.line_rate_hz
        assert rate is not None
        if self._first_at is None:
            self._first_at = time.monotonic()
        return self._first_at + (self._rows + self.config.camera.strip_rows) / rate

    def _deliver(self, now: float) -> None:
        buffer = self._free.pop(0) if self._free else None
        strip = self._next_strip(self._spare if buffer is None else self._buffers[buffer])
        if strip is None and buffer is not None:
            self._free.append(buffer)
        if strip is None and self._ended:
            self._say_ended(now)
        if strip is None:
            return
        self._rows = strip.first_row + strip.rows
        self.supervisor.send(SwitchHeard(strip), now)
        if buffer is None:
            self.tally.add("line_faults_total", 1, "strip lost")
            return
        ready = StripDelivered(buffer, strip, now)
        self._out[buffer] = ready
        self._say(ready, now)

    def _next_strip(self, into: NDArray[np.uint8]) -> Strip | None:
        """The line's next strip; None where it has ended, or an image of its folder could not be read."""
        try:
            strip = self._source.next_strip(into)
        except (ImageError, OSError, ValueError) as error:
            self._unread += 1
            if self._unread > _MOST_UNREAD:
                raise
            self.log.warning("an image is left out", error=str(error))
            return None
        self._unread = 0
        self._ended = strip is None
        return strip

    def _on_acquire(self, event: Event, now: float) -> None:
        sender, body = event
        if isinstance(body, Joined):
            # A new acquisition takes over what its predecessor had not given back.
            if self._listener is None:
                self._first_at = now
            self._listener = sender.name
            self._camera.forget_kept(sender.name)
            for ready in self._out.values():
                self._say(ready, now)
            if self._ended:
                self._say_ended(now)
        elif isinstance(body, BufferReleased) and self._out.pop(body.buffer, None) is not None:
            self._free.append(body.buffer)

    def _say(self, ready: StripDelivered, now: float) -> None:
        assert self._listener is not None
        self._camera.send(self._listener, ready, now)

    def _say_ended(self, now: float) -> None:
        assert self._listener is not None
        self._camera.send(self._listener, LineEnded(), now)
        self.supervisor.send(LineEnded(), now)


ROLE = LineProcess
