"""Sockets of the same user that do not belong to the run, and somebody who cleans the directory of its sockets."""

from __future__ import annotations

import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import zmq

from daemon.wire import messages as m
from daemon.wire.channel import Conversation
from daemon.wire.run_key import RunKey
from stages.events import Abort, PlateDecided, PlateSeen
from stages.plate import Cause, PlateResult, Verdict
from tests.integration.conftest import SHEETS, Service, substance

Make = Callable[..., Service]
NAMES = {
    "supervisor": ("detect-0", "tile-0", "ghost-7"),
    "leases": ("detect-0",),
    "tile": ("acquire-0",),
    "merge": ("tile-0",),
    "results": ("detect-0",),
    "record": ("merge-0", "tile-0"),
}
"""Places that a stranger claims, by address."""


def sockets_of(one: Service) -> Path:
    run = one.wait_for(lambda: one.logged("service starts"))[0]["run"]
    (found,) = one.wait_for(lambda: list(Path(tempfile.gettempdir()).glob(f"linesentry-*-{run[:8]}-*")))
    return Path(found)


def lies(run: str, name: str) -> list[bytes]:
    """What a stranger says there: that it is a new incarnation, verdicts, orders, and nonsense."""
    role, _, index = name.partition("-")
    talk = Conversation(m.Sender(run, role, int(index), 1_000_000))
    result = PlateResult(
        run=run,
        plate=1,
        verdict=Verdict.OK,
        causes=(),
        reason="",
        complete=True,
        rows=100,
        columns=100,
        windows=1,
        windows_scored=1,
        coverage=1.0,
    )
    bodies = (m.Hello(), PlateSeen(10_000), PlateDecided(result), Abort(Cause.SHUTDOWN), m.Exit())
    return [*(m.encode(talk.post(body, 0.0, keep=True)) for body in bodies), b"\xc1" * 200]


@contextmanager
def strangers(one: Service) -> Iterator[None]:
    """They talk at every address without a pause, with no key or with one of their own, and connect raw as well."""
    directory, over = sockets_of(one), threading.Event()
    run = str(one.logged("service starts")[0]["run"])

    def talk() -> None:
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        made: list[zmq.Socket[bytes]] = []
        said: dict[int, list[bytes]] = {}
        for address, names in NAMES.items():
            for name in names:
                for key in (None, RunKey.new()):
                    one = context.socket(zmq.DEALER)
                    one.setsockopt(zmq.IDENTITY, name.encode())
                    if key is not None:
                        key.guard_client(one)
                    one.connect(f"ipc://{directory / address}")
                    said[len(made)] = lies(run, name)
                    made.append(one)
        raw: list[socket.socket] = []
        while not over.wait(0.01):
            for number, one in enumerate(made):
                for data in said[number]:
                    with suppress(zmq.Again):
                        one.send(data, zmq.NOBLOCK)
            with suppress(OSError):
                raw.append(socket.socket(socket.AF_UNIX))
                raw[-1].settimeout(0.1)
                raw[-1].connect(str(directory / "leases"))
                raw[-1].send(b"\xff\x00garbage" * 10)
            if len(raw) > 50:
                raw.pop(0).close()
        for one in made:
            one.close(linger=0)
        for plain in raw:
            plain.close()
        context.destroy(linger=0)

    thread = threading.Thread(target=talk)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.mark.long
def test_neither_strangers_nor_a_cleaned_directory_with_deaths_after_it_change_a_result(
    service: Make, undisturbed: Callable[[int], dict[str, Any]]
) -> None:
    one = service()
    one.start()
    one.wait_for(lambda: one.logged("service ready"))
    directory = sockets_of(one)
    names = {path.name for path in directory.iterdir() if path.is_socket()}
    assert {path.name for path in directory.iterdir()} - names <= {"truth.json", "weights"}
    with strangers(one):
        one.wait_for(lambda: len(one.finals()) > SHEETS)
        assert one.logged("process ended") == []
    shutil.rmtree(directory)
    for name in ("tile-0", "merge-0"):
        kill_and_go_on(one, name)
    one.wait_for(lambda: {path.name for path in directory.iterdir() if path.is_socket()} == names)
    one.send(signal.SIGTERM)
    assert one.finish() == 0, one.stderr()
    assert "Traceback" not in one.stderr()
    assert one.logged("directory of the sockets was deleted and is made again")
    assert not directory.exists()
    rows = one.verdicts()
    assert {plate: substance(row) for plate, row in rows.items()} == {plate: undisturbed(plate) for plate in rows}


def kill_and_go_on(one: Service, name: str) -> None:
    pid, before = one.kill(name), len(one.finals())
    one.wait_for(lambda: one.children().get(name, pid) != pid)
    one.wait_for(lambda: len(one.finals()) > before + 1)
