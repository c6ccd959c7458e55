"""Where a running service hears what is asked of it: a Unix socket in its state directory, for its own user alone.

One question and one answer a connection, each a line of JSON: `{"ask": "reload", "recipe": null}`. Who may open the
socket may ask; its mode is 0600, and the state directory is closed to others too.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec
import structlog

from daemon.service.recipe_answers import Answer

NAME = "control"
_ASKED = ("reload", "golden")
_MOST_BYTES = 4096
_MOST_CLIENTS = 8
_PATIENCE_S = 5.0
"""Time for a client to say what it wants."""
_ENDED = "the service ended before it had answered: see its log"


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a client asks."""

    ask: str
    """`reload`, or `golden`: the next sheet is the golden sheet."""
    recipe: str | None = None
    """Of a reload: name of a loaded recipe to change to; None: read everything again."""


class ControlError(Exception):
    """The service cannot be asked; the message says why and what to do."""


@dataclass(slots=True)
class _Client:
    connection: socket.socket
    since: float
    heard: bytes = b""
    waits: bool = False
    """It has asked, and is answered later."""


class Control:
    """The socket of a service that runs; `step` is to be called often and never blocks."""

    def __init__(self, state: Path) -> None:
        """Listen. A socket that cannot be had is logged: the service goes on without."""
        self._path = state / NAME
        self._clients: list[_Client] = []
        self._socket: socket.socket | None = None
        self._log = structlog.get_logger(__name__)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        try:
            self._path.unlink(missing_ok=True)
            with _short(self._path) as address:
                listener.bind(address)
            # Before it listens: until then nobody can connect.
            self._path.chmod(0o600)
            listener.listen(_MOST_CLIENTS)
        except OSError as error:
            listener.close()
            self._log.warning("`linesentry reload` will not be heard", socket=str(self._path), error=error.strerror)
            return
        self._socket = listener

    def close(self) -> None:
        """Hear nobody any more."""
        for client in self._clients:
            client.connection.close()
        self._clients.clear()
        if self._socket is not None:
            self._socket.close()
            with suppress(OSError):
                self._path.unlink(missing_ok=True)

    def step(self, now: float, asked: Callable[[Question, Callable[[Answer], None]], None]) -> None:
        """Hear who has come; a question goes to `asked`, with what takes its answer, now or later."""
        self._accept(now)
        for client in [one for one in self._clients if not one.waits]:
            question = self._question(client, now)
            if question is not None:
                client.waits = True
                asked(question, lambda answer, one=client: self._answer(one, asdict(answer)))  # type: ignore[misc]

    def _accept(self, now: float) -> None:
        while self._socket is not None and len(self._clients) < _MOST_CLIENTS:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            connection.setblocking(False)
            self._clients.append(_Client(connection, now))

    def _question(self, client: _Client, now: float) -> Question | None:
        try:
            data = client.connection.recv(_MOST_BYTES)
        except BlockingIOError:
            if now - client.since > _PATIENCE_S:
                self._drop(client)
            return None
        except OSError:
            data = b""
        client.heard += data
        line, end, _ = client.heard.partition(b"\n")
        if not data or len(client.heard) > _MOST_BYTES:
            self._drop(client)
        elif end:
            try:
                question = msgspec.json.decode(line, type=Question)
            except msgspec.MsgspecError as error:
                self._answer(client, {"outcome": "refused", "text": f"not understood: {error}"})
                return None
            if question.ask in _ASKED:
                return question
            self._answer(client, {"outcome": "refused", "text": f"not understood: {question.ask[:40]!r}"})
        return None

    def _answer(self, client: _Client, answer: dict[str, Any]) -> None:
        if client in self._clients:
            with suppress(OSError):
                client.connection.send(json.dumps(answer).encode() + b"\n")
            self._drop(client)

    def _drop(self, client: _Client) -> None:
        client.connection.close()
        self._clients.remove(client)


def ask(state: Path, question: Question, patience_s: float) -> dict[str, Any]:
    """Ask the service of that state directory; its answer.

    Raises:
        ControlError: none runs there, it may not be asked, or it does not answer.
    """
    path = state / NAME
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(patience_s)
            with _short(path) as address:
                connection.connect(address)
            connection.sendall(msgspec.json.encode(question) + b"\n")
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
    except (ConnectionResetError, BrokenPipeError) as error:
        raise ControlError(_ENDED) from error
    except (FileNotFoundError, ConnectionRefusedError) as error:
        raise ControlError(
            f"no service runs with the state directory {state}: start it, or name another (--config, --state)"
        ) from error
    except PermissionError as error:
        raise ControlError(
            f"{path} may be used by the service's own user and root alone: try as one of them"
        ) from error
    except TimeoutError as error:
        raise ControlError(f"the service has not answered within {patience_s:g} s: see its log") from error
    except OSError as error:
        raise ControlError(f"the service cannot be asked at {path}: {error.strerror}") from error
    try:
        told: dict[str, Any] = json.loads(answer)
    except ValueError as error:
        raise ControlError(_ENDED) from error
    return told


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """The path by way of a descriptor of its folder: a socket's address has 107 bytes at most."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
