"""`camera.switch.source: gpio`: a line of a GPIO chip of this machine, by libgpiod.

The kernel notes the time of each edge. Tried with the kernel's simulator alone, and on no chip.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import gpiod
from gpiod.line import Clock, Direction, Edge, Value

from config.schema import SwitchGpio
from daemon.switches.door import SwitchError, SwitchInput
from stages.timed_switch import Reading

_FAULTS = (OSError, ValueError, gpiod.RequestReleasedError)
_EDGES = 1024
"""That the kernel keeps between two looks; of more it forgets the oldest."""
_AGAIN_S = 0.2
"""Before a line that was lost is asked for again."""


class GpioSwitch(SwitchInput):
    """One line. It needs no thread, for the kernel keeps the edges."""

    def __init__(self, settings: SwitchGpio) -> None:
        self._settings = settings
        self._request: gpiod.LineRequest | None = None
        self._level = False
        """After the last edge."""
        self._fault: str | None = None
        self._again_at = 0.0

    def open(self) -> None:
        """Take the line. Raises SwitchError."""
        try:
            self._take()
        except _FAULTS as error:
            raise SwitchError(f"camera.switch.gpio: {self._told(error)}") from error

    def readings(self) -> list[Reading]:
        """The edges since the last call, each at its time, and how the line stands now."""
        now = time.monotonic()
        try:
            if self._request is None:
                if now < self._again_at:
                    return []
                self._take()
            found = self._edges(now)
        except _FAULTS as error:
            self._fault, self._again_at = self._told(error), now + _AGAIN_S
            self.close()
            return []
        return found

    @property
    def fault(self) -> str | None:
        """Why the line cannot be read."""
        return self._fault

    def close(self) -> None:
        """Give the line back."""
        request, self._request = self._request, None
        if request is not None:
            with suppress(*_FAULTS):
                request.release()

    # --- inside --------------------------------------------------------------------------------------------------

    def _take(self) -> None:
        settings = self._settings
        line = gpiod.LineSettings(
            direction=Direction.INPUT,
            edge_detection=Edge.BOTH,
            active_low=settings.active_low,
            event_clock=Clock.MONOTONIC,
        )
        if Path(settings.chip).exists() and not gpiod.is_gpiochip_device(settings.chip):
            raise ValueError("it is no GPIO chip")
        self._request = gpiod.request_lines(settings.chip, {settings.line: line}, "linesentry", _EDGES)
        self._level = self._stands(self._request)

    def _edges(self, now: float) -> list[Reading]:
        request, last = self._request, 0.0
        assert request is not None
        stands = self._stands(request)
        found: list[Reading] = []
        for event in request.read_edge_events(_EDGES) if request.wait_edge_events(0) else ():
            self._level, last = event.event_type is event.Type.RISING_EDGE, event.timestamp_ns / 1e9
            found.append(Reading(self._level, last, last))
        if self._level == stands or found:
            self._fault = None
            found.append(Reading(self._level, max(now, last), max(now, last)))
        else:
            # The edge is on its way; if it never comes, nothing is read, which is an alarm.
            self._fault = f"{self._name}: its level changed, and the kernel told of no edge"
        return found

    def _stands(self, request: gpiod.LineRequest) -> bool:
        return request.get_value(self._settings.line) is Value.ACTIVE

    @property
    def _name(self) -> str:
        return f"GPIO chip {self._settings.chip}, line {self._settings.line}"

    def _told(self, error: Exception) -> str:
        return f"{self._name} cannot be read: {error}; `gpiodetect` and `gpioinfo` list what this machine has"
