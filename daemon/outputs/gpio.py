"""A line of a GPIO chip, by libgpiod: it is active only while an OK stands, and inactive is reject.

Tried with the kernel's simulator alone, and on no chip. What the wiring must be is in
docs/how-to/digital-output.md: a process that dies cannot set it.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

import gpiod
from gpiod.line import Direction, Value

from config.schema import Gpio
from daemon.outputs.door import OutputError, OutputLink
from stages.output import Echoed, Say

_FAULTS = (OSError, ValueError, gpiod.RequestReleasedError)


class GpioLink(OutputLink):
    """One line, and perhaps another for the heartbeat; nothing comes back, so a verdict is told once it is set."""

    says_late = False

    def __init__(self, settings: Gpio) -> None:
        self.hold_s = settings.hold_s
        self._settings = settings
        self._lines = [settings.line, *([] if settings.heartbeat_line is None else [settings.heartbeat_line])]
        self._peer = f"GPIO chip {settings.chip}"
        self._request: gpiod.LineRequest | None = None
        self._said: int | None = None

    def connect(self) -> None:
        """Take the lines, at reject."""
        chip = Path(self._settings.chip)
        if chip.exists() and not gpiod.is_gpiochip_device(str(chip)):
            raise OutputError(f"{chip} is no GPIO chip: `gpiodetect` lists those of this machine")
        line = gpiod.LineSettings(
            direction=Direction.OUTPUT, output_value=Value.INACTIVE, active_low=self._settings.active_low
        )
        try:
            self._request = gpiod.request_lines(str(chip), {tuple(self._lines): line}, "linesentry")
        except _FAULTS as error:
            lines = " and ".join(map(str, self._lines))
            raise OutputError(f"{self._peer}: line {lines} cannot be had: {error}") from error

    def say(self, order: Say) -> None:
        """See whether the line is still ours; it is set by `release`."""
        self._said = order.due.plate
        self._check()

    def answer(self) -> Echoed | None:
        """The plate that was said, once: a line has no echo."""
        said, self._said = self._said, None
        return None if said is None else Echoed(said, "none: a line has no echo")

    def release(self, plate: int | None) -> None:
        """Pass, or reject."""
        self._set(self._settings.line, on=plate is not None)

    def beat(self, *, on: bool) -> None:
        """Set the heartbeat's line, where there is one."""
        if self._settings.heartbeat_line is not None:
            self._set(self._settings.heartbeat_line, on=on)
        else:
            self._check()

    def close(self) -> None:
        """Reject, and give the lines back."""
        if self._request is not None:
            with contextlib.suppress(*_FAULTS):
                self._request.set_value(self._settings.line, Value.INACTIVE)
            with contextlib.suppress(*_FAULTS):
                self._request.release()
        self._request = None

    # --- inside --------------------------------------------------------------------------------------------------

    def _set(self, line: int, *, on: bool) -> None:
        try:
            self._held.set_value(line, Value.ACTIVE if on else Value.INACTIVE)
        except _FAULTS as error:
            raise OutputError(f"{self._peer}: line {line} cannot be set: {error}") from error

    def _check(self) -> None:
        try:
            self._held.get_value(self._settings.line)
        except _FAULTS as error:
            raise OutputError(f"{self._peer}: line {self._settings.line} cannot be read: {error}") from error

    @property
    def _held(self) -> gpiod.LineRequest:
        if self._request is None:
            raise OutputError(f"{self._peer}: its lines are not held")
        return self._request
