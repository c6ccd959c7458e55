"""Whether a camera that delivers nothing should have: the switch or the encoder moves, and no strip comes.

A state machine without I/O. The alarm comes within a second of the first change without a strip, or within two strips
of a belt that crawls. The camera is opened anew only after ten seconds in which the line moved on.
"""

from __future__ import annotations

_PATIENCE_S = 0.6
"""Seconds without a strip after the line was seen to move."""
_RESTART_S = 10.0
_CHANGES = 2
"""Changes without a strip, at least, after which a camera is opened anew."""


class Motion:
    """Told of strips, and of the values that were read while none came."""

    def __init__(self) -> None:
        self._strip_at = 0.0
        self._patience_s = _PATIENCE_S
        self._last: tuple[str, ...] | None = None
        self._moved_at: float | None = None
        self._changes = 0
        self._told = False

    def strip(self, now: float) -> None:
        """A strip came, or the camera began."""
        # A pause of the belt says nothing of the time that a strip takes.
        self._patience_s = max(_PATIENCE_S, min(2 * (now - self._strip_at), _RESTART_S))
        self._strip_at, self._last, self._moved_at = now, None, None
        self._changes, self._told = 0, False

    def seen(self, values: tuple[str, ...], now: float) -> None:
        """The watched values are these."""
        if self._last is not None and values != self._last:
            self._changes += 1
            self._moved_at = now if self._moved_at is None else self._moved_at
        self._last = values

    def silent_s(self, now: float) -> float:
        """Seconds since the last strip."""
        return now - self._strip_at

    def alarm(self, now: float) -> bool:
        """Whether it is to be said now that the camera is frozen: once after each strip."""
        if self._told or self._moved_at is None or now - self._moved_at < self._patience_s:
            return False
        self._told = True
        return True

    def restart(self, now: float) -> bool:
        """The line moved on, and still no strip came."""
        moved_s = 0.0 if self._moved_at is None else now - self._moved_at
        return self._told and self._changes >= _CHANGES and moved_s >= _RESTART_S
