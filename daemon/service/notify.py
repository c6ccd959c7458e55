"""Telling systemd how the service is (sd_notify): ready, status, watchdog, stopping, more time.

Own lines rather than the package sdnotify: that one blocks when systemd's queue is full, loses any text outside
Latin-1 without a word, and knows nothing of the watchdog's interval.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

import structlog

_log = structlog.get_logger(__name__)


class Notifier:
    """A service's line to systemd; does nothing where NOTIFY_SOCKET names no socket."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        environ = os.environ if environ is None else environ
        address = environ.get("NOTIFY_SOCKET", "")
        # A path, or an abstract name that begins with @; anything else (vsock) is not ours.
        self._address = address.replace("@", "\0", 1) if address.startswith("@") else address
        self._socket: socket.socket | None = None
        if address.startswith(("/", "@")):
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.setblocking(False)
        self.watchdog_interval_s = _watchdog_interval(environ)
        """Seconds between two pings: half of what systemd waits for; None where it waits for none."""
        self.failures = 0
        """Messages that systemd did not take."""
        self._next_ping = 0.0

    def ready(self, status: str) -> None:
        """The service works (READY=1)."""
        self._send(f"READY=1\nSTATUS={_line(status)}")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._send(f"STATUS={_line(text)}")

    def extend(self, seconds: float, status: str) -> None:
        """Starting or stopping takes up to so many seconds more from now (EXTEND_TIMEOUT_USEC)."""
        self._send(f"EXTEND_TIMEOUT_USEC={int(seconds * 1e6)}\nSTATUS={_line(status)}")

    def stopping(self, status: str) -> None:
        """The service stops (STOPPING=1)."""
        self._send(f"STOPPING=1\nSTATUS={_line(status)}")

    def ping_if_due(self, now: float) -> bool:
        """Ping the watchdog when its interval has passed on the monotonic clock `now`, seconds; whether it did.

        To be called only after useful work was seen: a ping says that the service works, not that it exists.
        """
        if self.watchdog_interval_s is None or now < self._next_ping:
            return False
        self._next_ping = now + self.watchdog_interval_s
        self._send("WATCHDOG=1")
        return True

    def close(self) -> None:
        """Close the socket; later calls do nothing."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, message: str) -> None:
        if self._socket is None:
            return
        try:
            self._socket.sendto(message.encode("utf-8", "replace"), self._address)
        except OSError as error:
            # The service is worth more than its notices: they are counted, and the first failure is logged.
            self.failures += 1
            if self.failures == 1:
                _log.warning("systemd did not take a notice", error=str(error), notice=message)


def _watchdog_interval(environ: Mapping[str, str]) -> float | None:
    """Half of WATCHDOG_USEC, when it is meant for this process (WATCHDOG_PID), in seconds."""
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    usec = environ.get("WATCHDOG_USEC", "")
    if not usec.isascii() or not usec.isdigit() or int(usec) == 0:
        return None
    return int(usec) / 2e6


def _line(text: str) -> str:
    # A line break would begin another assignment.
    return " ".join(text.split())
