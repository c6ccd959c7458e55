"""The HTTP server of the screen: in a thread of its own, on a socket that is bound before it starts."""

from __future__ import annotations

import socket
import threading

import uvicorn
from starlette.types import ASGIApp

from daemon.web.access.connections import Connection
from daemon.web.access.tls import Certificate

_STOP_S = 2.0


class AddressError(Exception):
    """The screen cannot be served there; the message says why and what to do."""


class WebServer:
    """Serves an application from `start` to `close`, by https where there is a certificate.

    Raises AddressError when the address cannot be had.
    """

    def __init__(self, app: ASGIApp, host: str, port: int, certificate: Certificate | None = None) -> None:
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            self._socket = socket.create_server((host, port), family=family, backlog=64)
        except (OSError, UnicodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else None
            message = f"cannot serve the screen on {host}:{port}: {reason or error}"
            raise AddressError(f"{message}; set web.host and web.port, or stop what uses them") from error
        self.port = int(self._socket.getsockname()[1])
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                http=Connection,
                ssl_context_factory=None if certificate is None else lambda *_: certificate.context,
                # What a proxy says is believed elsewhere (daemon/web/access/clients.py).
                proxy_headers=False,
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                lifespan="off",
                ws="none",
                timeout_keep_alive=5,
                timeout_graceful_shutdown=1,
                limit_concurrency=256,
                h11_max_incomplete_event_size=16_384,
            )
        )
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="http", daemon=True
        )

    def start(self) -> None:
        """Serve."""
        self._thread.start()

    def close(self) -> None:
        """Stop serving, cut what connections there are, free the port. May be called twice."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(_STOP_S)
        self._socket.close()
