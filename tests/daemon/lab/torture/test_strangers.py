"""Strangers of the torture are heard at a real socket of the service, and nothing that they say is believed."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import zmq

from daemon.lab.torture.plan import chance_of
from daemon.lab.torture.strangers import talk
from daemon.wire.channel import Server
from daemon.wire.messages import Sender
from daemon.wire.run_key import RunKey

RUN = "b" * 32


def test_what_strangers_say_reaches_a_socket_and_is_no_event_there(tmp_path: Path) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    guarded = Server(context, Sender(RUN, "merge", 0, 1), tmp_path / "merge", RunKey.new())
    open_to_all = context.socket(zmq.ROUTER)
    open_to_all.bind(f"ipc://{tmp_path / 'tile'}")
    talking = threading.Thread(target=talk, args=(tmp_path, RUN, chance_of(1), 0.5))
    talking.start()
    events: list[object] = []
    heard = 0
    until = time.monotonic() + 30
    while talking.is_alive() or (heard == 0 and time.monotonic() < until):
        events += guarded.receive(time.monotonic())
        heard += bool(open_to_all.poll(20)) and bool(open_to_all.recv_multipart())
    talking.join()
    guarded.close()
    context.destroy(linger=0)
    assert heard > 0
    assert events == []
