"""Programs of the same user that do not belong to the run, and talk at its sockets: foreign words, and garbled ones."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import zmq

from daemon.wire import messages as m
from daemon.wire.channel import Conversation
from daemon.wire.run_key import RunKey
from stages.events import Abort, PlateSeen
from stages.plate import Cause

_NAMES = {
    "supervisor": "tile-0",
    "leases": "detect-0",
    "tile": "acquire-0",
    "merge": "tile-0",
    "results": "detect-0",
    "record": "merge-0",
}
"""Whose place a stranger claims, by the address of the socket."""
_PAUSE_S = 0.02
_RAW_BYTES = 200


def talk(directory: Path, run: str, chance: random.Random, seconds: float) -> None:
    """Talk at every socket there: with no key, with another one, and as raw bytes that are no message at all."""
    with _talkers(directory) as talkers:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for name, talker in talkers:
                for said in _lies(run, name, chance):
                    with suppress(zmq.Again):
                        talker.send(said, zmq.NOBLOCK)
            with suppress(OSError), closing(socket.socket(socket.AF_UNIX)) as raw:
                raw.settimeout(_PAUSE_S)
                raw.connect(str(directory / chance.choice(list(_NAMES))))
                raw.send(chance.randbytes(_RAW_BYTES))
            time.sleep(_PAUSE_S)


@contextmanager
def _talkers(directory: Path) -> Iterator[list[tuple[str, zmq.Socket[bytes]]]]:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    made: list[tuple[str, zmq.Socket[bytes]]] = []
    try:
        for address, name in _NAMES.items():
            for key in (None, RunKey.new()):
                one = context.socket(zmq.DEALER)
                one.setsockopt(zmq.IDENTITY, name.encode())
                if key is not None:
                    key.guard_client(one)
                one.connect(f"ipc://{directory / address}")
                made.append((name, one))
        yield made
    finally:
        context.destroy(linger=0)


def _lies(run: str, name: str, chance: random.Random) -> Iterator[bytes]:
    """That it is a new incarnation, orders, one of these garbled, and noise."""
    role, _, index = name.partition("-")
    conversation = Conversation(m.Sender(run, role, int(index), 1_000_000))
    for body in (m.Hello(), PlateSeen(10_000_000), Abort(Cause.SHUTDOWN), m.Exit()):
        said = m.encode(conversation.post(body, 0.0, keep=True))
        yield said
        garbled = bytearray(said)
        garbled[chance.randrange(len(garbled))] ^= 1 << chance.randrange(8)
        yield bytes(garbled)
    yield chance.randbytes(_RAW_BYTES)
