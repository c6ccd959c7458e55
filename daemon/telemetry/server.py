"""/metrics and /healthz over HTTP, for loopback: GET and HEAD alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from daemon.serving.short_server import ShortHandler, ShortServer


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
        self._server.start()

    def close(self) -> None:
        """Stop serving, cut what connections there are, free the port. May be called twice."""
        self._server.close()


class _Server(ShortServer):
    def __init__(self, host: str, port: int, registry: CollectorRegistry, health: Callable[[], Health]) -> None:
        self.registry = registry
        self.health = health
        super().__init__(host, port, _Handler)


class _Handler(ShortHandler):
    server: _Server
    methods = ("GET", "HEAD")

    def do_GET(self) -> None:  # noqa: N802 - as the base class has it
        path = self.path.partition("?")[0]
        if path == "/metrics":
            encode, kind = choose_encoder(self.headers.get("Accept", ""))
            self.answer(200, kind, encode(self.server.registry))
        elif path == "/healthz":
            self.answer(*_health(self.server.health))
        else:
            self.answer(404, "text/plain; charset=utf-8", b"not found; there are /metrics and /healthz\n")

    def do_HEAD(self) -> None:  # noqa: N802 - the same
        self.do_GET()


def _health(ask: Callable[[], Health]) -> tuple[int, str, bytes]:
    try:
        health = ask()
    except Exception as error:  # noqa: BLE001 - whatever is wrong, the answer to "how are you" is "not well"
        health = Health((f"the health check itself failed: {error!r}",))
    answer = {**health.details, "status": "failing" if health.reasons else "ok", "reasons": health.reasons}
    return 503 if health.reasons else 200, "application/json", json.dumps(answer, default=str).encode() + b"\n"
