"""What the screen knows of the line at this moment: the last thing that the supervisor said."""

from __future__ import annotations

import threading
import time

from daemon.wire.messages import LineState, ServiceState

OLD_S = 2.0
"""What is older than this is not shown as the present."""


class Live:
    """The last state of the line; written by one thread, read by any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._state: LineState | None = None
        self._service: ServiceState | None = None
        self._version = 0

    def put(self, state: LineState) -> None:
        """The line is like that now."""
        with self._lock:
            self._state, self._version = state, self._version + 1

    def put_service(self, service: ServiceState) -> None:
        """The service is like that now."""
        with self._lock:
            self._service = service

    def service(self) -> ServiceState | None:
        """How the service was when it said so last; None before."""
        with self._lock:
            return self._service

    @property
    def version(self) -> int:
        """Grows with each state."""
        return self._version

    def get(self) -> tuple[int, LineState | None]:
        """The version and the state; (0, None) before the first."""
        with self._lock:
            return self._version, self._state

    def age_s(self) -> float | None:
        """How old the state is, s; None where there is none."""
        _, state = self.get()
        return None if state is None else max(0.0, time.monotonic() - state.at)
