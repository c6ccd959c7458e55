"""`camera.switch.source: http`: another program says when a sheet comes and goes. For tests, and for retrofits.

`PUT /switch` with 1 or 0, on loopback. Nobody else's web page can send that: a browser asks before a PUT to another
address, and is refused; and a request must name the address that it was sent to.
"""

from __future__ import annotations

import hmac
import threading
import time
from collections import deque
from urllib.parse import urlsplit

import structlog

from config.schema import SwitchHttp
from daemon.serving.short_server import ShortHandler, ShortServer
from daemon.switches.door import SwitchError, SwitchInput
from stages.timed_switch import Reading

_LEVELS = {b"1": True, b"0": False}
_MOST_BODY = 16
"""Bytes."""
_KEPT = 1_000
"""Requests that nobody asked for; more are refused."""
_TEXT = "text/plain; charset=utf-8"


class HttpSwitch(SwitchInput):
    """Listens. Before the first request there is no sheet."""

    def __init__(self, settings: SwitchHttp) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._heard: deque[Reading] = deque()
        self._level = False
        self._server: _Server | None = None

    @property
    def port(self) -> int:
        """That it listens on."""
        assert self._server is not None
        return self._server.server_port

    def open(self) -> None:
        """Listen. Raises SwitchError where the address or the token cannot be had."""
        settings, token = self._settings, None
        try:
            if settings.token_file is not None:
                token = settings.token_file.read_bytes().strip()
            self._server = _Server(settings.host, settings.port, self, token)
        except (OSError, UnicodeError) as error:
            why = (error.strerror if isinstance(error, OSError) else None) or error
            at = f"{settings.host}:{settings.port}"
            raise SwitchError(
                f"camera.switch.http: cannot listen on {at}: {why}; set host, port, token_file"
            ) from error
        self._server.start()
        structlog.get_logger().info("requests of the switch are heard", port=self.port, host=settings.host)

    def hear(self, level: bool) -> bool:
        """A request came; False: too many came at once."""
        with self._lock:
            if len(self._heard) >= _KEPT:
                return False
            now = time.monotonic()
            self._heard.append(Reading(level, now, now))
            self._level = level
            return True

    def readings(self) -> list[Reading]:
        """The requests since the last call, and that the level stands now."""
        with self._lock:
            heard, now = list(self._heard), time.monotonic()
            self._heard.clear()
            return [*heard, Reading(self._level, now, now)]

    @property
    def fault(self) -> str | None:
        """Whether the other program lives cannot be known."""
        return None

    def close(self) -> None:
        """Listen no more."""
        server, self._server = self._server, None
        if server is not None:
            server.close()


class _Server(ShortServer):
    def __init__(self, host: str, port: int, switch: HttpSwitch, token: bytes | None) -> None:
        self.switch = switch
        self.token = token
        super().__init__(host, port, _Handler)
        self.names = {host, "localhost", "127.0.0.1", "::1"}
        """Whom a request may be sent to."""


class _Handler(ShortHandler):
    server: _Server
    methods = ("PUT",)

    def do_PUT(self) -> None:  # noqa: N802 - as the base class has it
        if (refused := self._refused()) is not None:
            self.answer(*refused)
            return
        body = self.rfile.read(int(self.headers["Content-Length"])).strip()
        if body not in _LEVELS:
            self.answer(400, _TEXT, b"give 1 (a sheet is there) or 0\n")
        elif not self.server.switch.hear(_LEVELS[body]):
            self.answer(503, _TEXT, b"too many requests at once\n")
        else:
            self.answer(200, _TEXT, body + b"\n")

    def _refused(self) -> tuple[int, str, bytes] | None:
        """Why a request is not listened to, as the answer."""
        if self.path != "/switch":
            return 404, _TEXT, b"not found; there is /switch\n"
        if self.server.token is None:
            if _named(self.headers.get("Host", "")) not in self.server.names:
                return 421, _TEXT, b"the request is for another host\n"
        elif not hmac.compare_digest(self.headers.get("Authorization", "").encode(), b"Bearer " + self.server.token):
            return 401, _TEXT, b"give the token: Authorization: Bearer TOKEN\n"
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit() and len(length) <= 2 and int(length) <= _MOST_BODY):
            return 413, _TEXT, b"give a body of one character, with its Content-Length\n"
        return None


def _named(host: str) -> str | None:
    """The name in a Host header."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None
