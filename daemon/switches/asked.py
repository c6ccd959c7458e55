"""A switch of a PLC that is asked for its level again and again; a PLC that does not answer is tried again."""

from __future__ import annotations

import threading
import time
from abc import abstractmethod
from collections import deque

from daemon.switches.door import SwitchInput
from stages.timed_switch import Reading

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 0.25
"""Before a PLC that does not answer is tried again; twice as long each time. It sees no sheets meanwhile."""
_KEPT = 10_000
"""Readings that nobody asked for."""


class NoAnswerError(Exception):
    """No level came; the message says why, and what to do if anything can be done."""


class AskedSwitch(SwitchInput):
    """Asks from a thread of its own, in which all but the public methods are called.

    Args:
        peer: the PLC, for people.
        poll_s: from one question to the next.
        timeout_s: longest wait of `connect`, `level` and `disconnect`.
    """

    def __init__(self, peer: str, poll_s: float, timeout_s: float) -> None:
        self._peer = peer
        self._poll_s, self._timeout_s = poll_s, timeout_s
        self._read: deque[Reading] = deque(maxlen=_KEPT)
        self._fault: str | None = f"{peer} was not asked yet"
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="switch", daemon=True)

    def open(self) -> None:
        """Begin to ask; a PLC that is not there yet is waited for."""
        self._thread.start()

    def readings(self) -> list[Reading]:
        """All readings since the last call."""
        return [self._read.popleft() for _ in range(len(self._read))]

    @property
    def fault(self) -> str | None:
        """Why the last question was not answered."""
        return self._fault

    def close(self) -> None:
        """Ask no more."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(2 * self._timeout_s)

    @abstractmethod
    def connect(self) -> None:
        """Connect anew. Raises NoAnswerError."""

    @abstractmethod
    def level(self) -> bool:
        """Ask once. Raises NoAnswerError; the connection is anew then."""

    @abstractmethod
    def disconnect(self) -> None:
        """Let go of what `connect` made, also where it failed; raises nothing."""

    # --- inside --------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while not self._closing.is_set():
            if self._ask_on():
                pause_s = _FIRST_PAUSE_S
            self._closing.wait(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _ask_on(self) -> bool:
        """Connect, and ask until there is no answer; whether there was one."""
        answered = False
        try:
            self.connect()
            due_at = time.monotonic()
            while not self._closing.wait(max(0.0, due_at - time.monotonic())):
                began = time.monotonic()
                self._read.append(Reading(self.level(), began, time.monotonic()))
                self._fault, answered = None, True
                # From the last question, so that a slow answer is followed by no hurry.
                due_at = began + self._poll_s
        except NoAnswerError as error:
            self._fault = f"{self._peer} {error}"
        finally:
            self.disconnect()
        return answered
