"""/metrics and /healthz over HTTP, for loopback: few connections, short ones, and GET and HEAD alone.

Whoever connects is served, however many others are connected and say nothing: the oldest of those gives way.
"""

from __future__ import annotations

import json
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

MOST_CONNECTIONS = 16
_MOST_THREADS = 64
"""With those of connections that were cut and have yet to let go."""
_ANSWER_S = 1.0
"""Time for which a client that has asked may take its answer, before it too gives way."""
MOST_SECONDS = 5.0
"""A connection that lasts longer is cut, however busily its client drips."""

_log = structlog.get_logger(__name__)


class TelemetryError(Exception):
    """Metrics cannot be served."""


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the service works; it does when there is no reason why it does not."""

    reasons: tuple[str, ...] = ()
    details: Mapping[str, object] = field(default_factory=dict)
    """Further JSON values for the reader."""


class MetricsServer:
    """Serves a registry and a health function from a thread of its own until it is closed."""

    def __init__(self, registry: CollectorRegistry, health: Callable[[], Health], host: str, port: int) -> None:
        """Bind and serve; port 0 takes any free one. Raises TelemetryError when the address cannot be had."""
        try:
            self._server = _Server(host, port, registry, health)
        except (OSError, UnicodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else None
            message = f"cannot serve metrics on {host}:{port}: {reason or error}"
            raise TelemetryError(f"{message}; set telemetry.host and telemetry.port, or stop what uses them") from error
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving, cut what connections there are, free the port. May be called twice."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._server.cut_all()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, host: str, port: int, registry: CollectorRegistry, health: Callable[[], Health]) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.registry = registry
        self.health = health
        self._let_go = threading.Condition()
        self._connections: dict[socket.socket, float] = {}
        """Those that are served, the oldest first, and since when."""
        self._heard: set[socket.socket] = set()
        """Those of them that have asked for something."""
        self._cut: set[socket.socket] = set()
        """Cut ones whose threads have yet to let go of them."""
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        # Not HTTPServer's own: that one asks DNS for the host's name.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ANN401, ARG002 - socketserver's own
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
        with self._let_go:
            self._connections.pop(request, None)
            self._heard.discard(request)
            self._cut.discard(request)
            self._let_go.notify_all()
        super().shutdown_request(request)

    def service_actions(self) -> None:
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
        error = sys.exception()
        # A client that has gone, or was cut, is no news; to draw where that was met costs more than to serve it.
        _log.debug("metrics request failed", error=repr(error), exc_info=not isinstance(error, OSError))


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "linesentry"
    sys_version = ""
    timeout = MOST_SECONDS

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/metrics":
            encode, kind = choose_encoder(self.headers.get("Accept", ""))
            self._answer(200, kind, encode(self.server.registry))
        elif path == "/healthz":
            self._answer(*_health(self.server.health))
        else:
            self._answer(404, "text/plain; charset=utf-8", b"not found; there are /metrics and /healthz\n")

    def do_HEAD(self) -> None:
        self.do_GET()

    def parse_request(self) -> bool:
        if not super().parse_request():
            return False
        self.server.heard(self.request)
        if self.command in {"GET", "HEAD"}:
            return True
        self.send_response(405)
        self.send_header("Allow", "GET, HEAD")
        self.send_header("Content-Length", "0")
        self.end_headers()
        return False

    def _answer(self, code: int, kind: str, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - the base class's own
        _log.debug("metrics request", message=format % args)


def _health(ask: Callable[[], Health]) -> tuple[int, str, bytes]:
    try:
        health = ask()
    except Exception as error:  # noqa: BLE001 - whatever is wrong, the answer to "how are you" is "not well"
        health = Health((f"the health check itself failed: {error!r}",))
    answer = {**health.details, "status": "failing" if health.reasons else "ok", "reasons": health.reasons}
    return 503 if health.reasons else 200, "application/json", json.dumps(answer, default=str).encode() + b"\n"
