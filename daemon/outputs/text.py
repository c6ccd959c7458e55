"""A line of text over TCP for each verdict; the listener answers with the plate's number in a line of its own."""

from __future__ import annotations

import contextlib
import socket

from config.errors import printable
from config.schema import Text
from daemon.outputs.door import OutputError, OutputLink
from daemon.outputs.words import as_line
from stages.output import Echoed, Say

_LONGEST_LINE = 200
_MOST_BYTES = 65_536


class TextLink(OutputLink):
    """One listener."""

    says_late = True

    def __init__(self, settings: Text) -> None:
        self._settings = settings
        self._peer = f"{settings.host}:{settings.port}"
        self._socket: socket.socket | None = None
        self._received = b""

    def connect(self) -> None:
        """Connect."""
        settings = self._settings
        try:
            self._socket = socket.create_connection((settings.host, settings.port), settings.timeout_s)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except (OSError, UnicodeError) as error:
            self.close()
            raise OutputError(f"{self._peer} cannot be reached: {error}") from error
        self._received = b""

    def say(self, order: Say) -> None:
        """Send the line."""
        self._send(as_line(order))

    def beat(self, *, on: bool) -> None:
        """Send the heartbeat, and see whether the listener is still there."""
        self._send(f"HEARTBEAT;{int(on)}\n".encode())
        self._receive()

    def answer(self) -> Echoed | None:
        """The next line that has come, if it is a number."""
        if b"\n" not in self._received:
            self._receive()
        line, end, rest = self._received.partition(b"\n")
        if not end:
            if len(line) > _LONGEST_LINE:
                raise OutputError(f"{self._peer} sent {len(line)} bytes without an end of line: one number is expected")
            return None
        self._received = rest
        text = printable(line[:_LONGEST_LINE].decode("ascii", errors="backslashreplace").strip())
        # A number that no plate has: what came is kept with the plate, and acknowledges nothing.
        return Echoed(int(text) if text.isdecimal() and len(text) < 20 else -1, text)

    def close(self) -> None:
        """Let go of the connection."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.close()
        self._socket = None

    # --- inside --------------------------------------------------------------------------------------------------

    def _send(self, line: bytes) -> None:
        try:
            self._linked.sendall(line)
        except OSError as error:
            raise OutputError(f"{self._peer} takes no line: {error}") from error

    def _receive(self) -> None:
        """Take what has come, without waiting."""
        linked = self._linked
        linked.setblocking(False)
        try:
            while len(self._received) < _MOST_BYTES:
                found = linked.recv(4096)
                if not found:
                    raise OutputError(f"{self._peer} closed the connection")
                self._received += found
        except BlockingIOError:
            return
        except OSError as error:
            raise OutputError(f"{self._peer} is cut off: {error}") from error
        finally:
            linked.settimeout(self._settings.timeout_s)

    @property
    def _linked(self) -> socket.socket:
        if self._socket is None:
            raise OutputError(f"{self._peer} is not connected")
        return self._socket
