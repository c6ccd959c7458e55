"""What a switch with a wire of its own is to the line: levels, each with the time at which it was so."""

from __future__ import annotations

from abc import ABC, abstractmethod

from stages.timed_switch import Reading


class SwitchError(Exception):
    """The switch cannot be opened as the configuration says; the message says what to do."""


class SwitchInput(ABC):
    """Looks at a switch from a thread of its own, from `open` to `close`. A switch that does not answer is tried again.

    All but `open` come back at once, and raise nothing.
    """

    @abstractmethod
    def open(self) -> None:
        """Begin to look. Raises SwitchError."""

    @abstractmethod
    def readings(self) -> list[Reading]:
        """What was read since the last call, in order; the last one says up to when the level is known."""

    @property
    @abstractmethod
    def fault(self) -> str | None:
        """Why it does not answer; None: it does."""

    @abstractmethod
    def close(self) -> None:
        """Look no more; may come more than once."""
