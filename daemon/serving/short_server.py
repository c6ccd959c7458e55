"""An HTTP server for few connections, short ones: whoever connects is served, however many others say nothing.

The oldest of those that say nothing gives way.
"""

from __future__ import annotations

import socket
import socketserver
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import structlog

MOST_CONNECTIONS = 16
_MOST_THREADS = 64
"""With those of connections that were cut and have yet to let go."""
_ANSWER_S = 1.0
"""Time for which a client that has asked may take its answer, before it too gives way."""
MOST_SECONDS = 5.0
"""A connection that lasts longer is cut, however busily its client drips."""

_log = structlog.get_logger(__name__)


class ShortServer(ThreadingHTTPServer):
    """Serves from a thread of its own, from `start` to `close`. Raises OSError or UnicodeError: no such address."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, host: str, port: int, handler: type[ShortHandler]) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._let_go = threading.Condition()
        self._connections: dict[socket.socket, float] = {}
        """Those that are served, the oldest first, and since when."""
        self._heard: set[socket.socket] = set()
        """Those of them that have asked for something."""
        self._cut: set[socket.socket] = set()
        """Cut ones whose threads have yet to let go of them."""
        super().__init__((host, port), handler)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.1,), name="http", daemon=True)

    def start(self) -> None:
        """Serve."""
        self._thread.start()

    def close(self) -> None:
        """Stop serving, cut what connections there are, free the port. May be called twice."""
        self.shutdown()
        self._thread.join()
        self.server_close()
        self.cut_all()

    def server_bind(self) -> None:
        """Bind."""
        # Not HTTPServer's own: that one asks DNS for the host's name.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ANN401, ARG002 - socketserver's own
        """Whether it is served: there is room, or somebody else gives way."""
        with self._let_go:
            if len(self._connections) >= MOST_CONNECTIONS and not self._one_gives_way():
                return False
            if not self._let_go.wait_for(lambda: len(self._cut) < _MOST_THREADS - MOST_CONNECTIONS, timeout=0.5):
                return False
            self._connections[request] = time.monotonic()
            return True

    def heard(self, request: socket.socket) -> None:
        """The client of that connection has asked for something."""
        with self._let_go:
            self._heard.add(request)

    def _one_gives_way(self) -> bool:
        """Cut the oldest connection that says nothing, or else the oldest that does not take its answer."""
        now = time.monotonic()
        silent = (one for one in self._connections if one not in self._heard)
        slow = (one for one, since in self._connections.items() if now - since > _ANSWER_S)
        first = next(silent, None) or next(slow, None)
        if first is not None:
            self._cut_off(first)
        return first is not None

    def _cut_off(self, connection: socket.socket) -> None:
        """Its thread sees the end of the stream and closes it."""
        del self._connections[connection]
        self._cut.add(connection)
        try:
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:  # its client was faster
            return

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401 - socketserver's own
        """Its thread lets go of a connection."""
        with self._let_go:
            self._connections.pop(request, None)
            self._heard.discard(request)
            self._cut.discard(request)
            self._let_go.notify_all()
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Cut what lasts too long."""
        self.cut(MOST_SECONDS)

    def cut(self, older_s: float) -> None:
        """Cut the connections that are older."""
        now = time.monotonic()
        with self._let_go:
            for connection in [one for one, since in self._connections.items() if now - since >= older_s]:
                self._cut_off(connection)

    def cut_all(self) -> None:
        """Cut every connection and wait, a second at most, until their threads have let go of them."""
        self.cut(0.0)
        with self._let_go:
            self._let_go.wait_for(lambda: not self._connections and not self._cut, timeout=1.0)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401, ARG002 - socketserver's own
        """Say to the log that a request failed."""
        error = sys.exception()
        # A client that has gone, or was cut, is no news; to draw where that was met costs more than to serve it.
        _log.debug("HTTP request failed", error=repr(error), exc_info=not isinstance(error, OSError))


class ShortHandler(BaseHTTPRequestHandler):
    """Answers requests with one of `methods`; a subclass has a do_NAME for each."""

    server: ShortServer
    methods: tuple[str, ...] = ()
    server_version = "linesentry"
    sys_version = ""
    timeout = MOST_SECONDS

    def parse_request(self) -> bool:
        """Read the request's head; False: it was answered here."""
        if not super().parse_request():
            return False
        self.server.heard(self.request)
        if self.command in self.methods:
            return True
        allowed = ", ".join(self.methods)
        said = f"use {allowed}\n".encode()
        self.send_response(405)
        self.send_header("Allow", allowed)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(said)
        return False

    def answer(self, code: int, kind: str, body: bytes) -> None:
        """Answer with this body of that content type."""
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - the base class's own
        """Say it to the log, where it is asked for."""
        _log.debug("HTTP request", message=format % args)
