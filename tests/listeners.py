"""Programs that are told verdicts: a listener for lines of text, and an HTTP server. Both are real, on loopback."""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class _Listening(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


class Lines:
    """Takes lines and answers each verdict by `answer`, which is given the line's fields."""

    def __init__(self, port: int = 0, answer: Callable[[list[str]], str | None] = lambda fields: fields[1]) -> None:
        self.answer = answer
        self.verdicts: list[list[str]] = []
        self.beats: list[str] = []
        self._connections: list[socket.socket] = []
        lines = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                lines._connections.append(self.connection)
                try:
                    for line in self.rfile:
                        fields = line.decode().rstrip("\n").split(";")
                        if fields[0] == "HEARTBEAT":
                            lines.beats.append(fields[1])
                            continue
                        lines.verdicts.append(fields)
                        answer = lines.answer(fields)
                        if answer is not None:
                            self.wfile.write(f"{answer}\n".encode())
                except OSError:
                    return

        self._server = _Listening(("127.0.0.1", port), Handler)
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def stop(self) -> None:
        """End it, and cut whoever is connected."""
        _end(self._server, self._connections)


class Requests:
    """Takes POSTs, and answers each with the status that `answer` gives for its JSON."""

    def __init__(self, port: int = 0, answer: Callable[[dict[str, Any]], int] = lambda _: 204) -> None:
        self.answer = answer
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self._connections: list[socket.socket] = []
        requests = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                requests.headers.append(dict(self.headers))
                requests.bodies.append(body)
                self.send_response(requests.answer(json.loads(body)))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def setup(self) -> None:
                super().setup()
                requests._connections.append(self.connection)

            def log_message(self, *_: object) -> None:
                """Nothing is logged."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/verdicts?line=1"

    @property
    def plates(self) -> list[int]:
        """Plates of all requests, in order."""
        return [json.loads(body)["plate"] for body in self.bodies]

    @property
    def ids(self) -> dict[int, tuple[str | None, str | None]]:
        """Part and batch id of each plate."""
        said = [json.loads(body) for body in self.bodies]
        return {one["plate"]: (one["part_id"], one["batch_id"]) for one in said}

    def stop(self) -> None:
        """End it, and cut whoever is connected."""
        _end(self._server, self._connections)


def _end(server: socketserver.TCPServer, connections: list[socket.socket]) -> None:
    server.shutdown()
    server.server_close()
    for connection in connections:
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
