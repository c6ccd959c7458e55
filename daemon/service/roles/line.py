"""The line process: a camera with its switch, which goes on whether acquisition lives or not.

The camera's strips are written into a fixed ring of strip buffers and announced; acquisition gives each buffer back.
A strip of a live camera that finds no free buffer is lost, and its rows are missing by the camera's own count; one
that waits (a replay without a line rate) is asked when a buffer is free.

Waiting is a state, not silence: the camera comes back from each call within a time-out, so a belt that stands is
told from a process that hangs.
"""

from __future__ import annotations

import mmap
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

from config.schema import Recipe
from daemon.cameras.registry import CameraOrder, open_camera
from daemon.service.child import Child, Plan
from daemon.service.line_switch import LineSwitch
from daemon.service.unusable import UnusableError
from daemon.wire.channel import Event, Joined
from stages.camera import CameraError, CameraSetupError, LineCamera, NoStrip, Strip
from stages.events import BufferReleased, LineEnded, StripDelivered, SwitchHeard
from stages.switched_strips import Waiting

_TIMEOUT_S, _SHORT_TIMEOUT_S = 0.1, 0.005
"""Longest wait for a strip, after which messages are looked at; and while a strip waits for what the switch says."""
_STANDS_S = 5.0
"""A line without a strip for so long is said to stand."""
_STATUS_S = 1.0


class LineProcess(Child):
    """Hands the camera's strips to acquisition, and what its switch did to the supervisor."""

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
        self._camera: LineCamera | None = None
        self._switch = LineSwitch(self.config, self.recipe, log=self.log, tally=self.tally, moved=self._line_moves)
        self._lost: Counter[str] = Counter()
        """Why rows are missing since the last strip that was handed on."""
        self._listener: str | None = None
        self._ended = False
        self._strip_at = 0.0
        """Time of the last strip, or of the start."""
        self._stands = False
        self._status_at = 0.0
        self._serial: str | None = None
        """Of the camera, as it said last."""

    def run(self) -> None:
        """Run; whatever ends it, the camera is let go."""
        try:
            super().run()
        except CameraError as error:
            self.log.critical("the camera does not work", source=self.config.camera.source, error=str(error))
            self.close()
            sys.exit(1)
        finally:
            self._switch.close()
            if self._camera is not None:
                self._camera.stop()
                self._camera.close()

    def start(self) -> None:
        """Open the camera; it starts when acquisition listens."""
        order = CameraOrder(self.config, self.recipe, Path(self.plan.sockets), self.plan.plates, self.plan.passed)
        try:
            self._camera = open_camera(order, self._progress)
        except CameraSetupError as error:
            raise UnusableError(str(error)) from error
        self._switch.open()
        self._say_status(time.monotonic())
        self._acquire = self.bind("camera", self._on_acquire)

    def load_recipe(self, number: int, recipe: Recipe) -> None:
        """Sheets of another product may come."""
        super().load_recipe(number, recipe)
        self._switch.expect(self.recipes.values())

    def wait_s(self) -> float:
        """Do not wait while the camera is asked, which waits by itself."""
        if self._asks:
            return 0.0
        return _SHORT_TIMEOUT_S if self._switch.waits_for_time else super().wait_s()

    def tick(self, now: float) -> None:
        """Deliver the next strip, if one comes."""
        if self._asks:
            self._deliver()
        for ready in self._switch.ready(time.monotonic()):
            self._announce(ready)
        if now - self._status_at >= _STATUS_S:
            self._say_status(now)

    @property
    def _asks(self) -> bool:
        """A strip is wanted from the camera now."""
        assert self._camera is not None
        return self._listener is not None and not self._ended and (self._camera.live or bool(self._free))

    def _progress(self, note: str) -> None:
        self.note = note
        now = time.monotonic()
        for event in self.supervisor.receive(now):
            self.on_supervisor(event, now)
        if self.stopping:
            sys.exit(0)
        self.beat(now, force=True)

    def _deliver(self) -> None:
        into = self._buffers[self._free[0]] if self._free else self._spare
        strip, at = self._next_strip(into)
        if isinstance(strip, Strip):
            self._hear(at)
            self._switch.take(strip, into, self._free.pop(0) if self._free else None, at)
        elif strip is NoStrip.ENDED:
            self._ended = True
            for ready in self._switch.ready(at, last=True):
                self._announce(ready)
            self._say_ended(at)

    def _next_strip(self, into: np.ndarray[tuple[int, int], np.dtype[np.uint8]]) -> tuple[Strip | NoStrip, float]:
        """What the camera gives, and when it had come.

        Of the time that the camera takes, what this thread computes is the copying of a strip that had come before;
        the rest is waiting.
        """
        assert self._camera is not None
        began, computed = time.monotonic(), time.thread_time()
        strip = self._camera.next_strip(into, _SHORT_TIMEOUT_S if self._switch.waits_for_time else _TIMEOUT_S)
        now, computed = time.monotonic(), time.thread_time() - computed
        self.waited_s += max(0.0, now - began - computed)
        return strip, now - computed

    def _announce(self, ready: Waiting) -> None:
        self.supervisor.send(SwitchHeard(ready.strip, ready.at, self._serial), ready.at)
        self._lost += Counter(dict(ready.strip.losses))
        if ready.buffer is None:
            self.tally.add("line_faults_total", 1, "strip lost")
            self._lost["strip lost"] += 1
            return
        strip = replace(ready.strip, losses=tuple(self._lost.items()))
        self._lost.clear()
        delivered = StripDelivered(ready.buffer, strip, ready.at)
        self._out[ready.buffer] = delivered
        self._say(delivered, ready.at)

    def _line_moves(self) -> None:
        if self._camera is not None:
            self._camera.line_moves()

    def _hear(self, now: float) -> None:
        """A strip came."""
        if self._stands:
            self.log.info("strips come again", after_s=round(now - self._strip_at, 1))
        self._strip_at, self._stands = now, False

    def _say_status(self, now: float) -> None:
        """Say how the camera is, and whether the line stands."""
        assert self._camera is not None
        self._status_at = now
        status = self._camera.status()
        self._serial = status.serial
        for cause, count in status.losses.items():
            self.tally.set("line_faults_total", count, cause)
        silent_s = now - self._strip_at if self._asks else 0.0
        if silent_s >= _STANDS_S and not self._stands:
            self._stands = True
            self.log.info("no strip comes: the line stands", silent_s=round(silent_s, 1))
        standing = f"line stands: no strip for {silent_s:.0f} s"
        words = ["line has ended" if self._ended else standing if self._stands else "line ready"]
        if status.serial is not None:
            words.append(f"camera {status.serial}")
        if status.temperature_c is not None:
            words.append(f"{status.temperature_c:.1f} C")
        if status.buffers:
            words.append(f"{status.buffers_free} of {status.buffers} driver buffers free")
        words += self._switch.words
        camera = [] if status.fault is None else [status.fault]
        self.troubles = (*camera, *(f"the switch cannot be trusted: {word}" for word in self._switch.words))
        self.note = ", ".join(words)

    def _on_acquire(self, event: Event, now: float) -> None:
        sender, body = event
        if isinstance(body, Joined):
            # A new acquisition takes over what its predecessor had not given back.
            if self._listener is None:
                assert self._camera is not None
                self._camera.start()
                self._strip_at = now
            self._listener = sender.name
            self._acquire.forget_kept(sender.name)
            for ready in self._out.values():
                self._say(ready, now)
            if self._ended:
                self._say_ended(now)
        elif isinstance(body, BufferReleased) and self._out.pop(body.buffer, None) is not None:
            self._free.append(body.buffer)

    def _say(self, ready: StripDelivered, now: float) -> None:
        assert self._listener is not None
        self._acquire.send(self._listener, ready, now)

    def _say_ended(self, now: float) -> None:
        assert self._listener is not None
        self._acquire.send(self._listener, LineEnded(), now)
        self.supervisor.send(LineEnded(), now)


ROLE = LineProcess
