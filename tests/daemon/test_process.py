"""A real child process: what it does when its supervisor says stop, falls silent, or is somebody else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import zmq

from config.load import load_config, load_recipe
from daemon import messages as m
from daemon.channel import Joined, Server
from daemon.plate_memory import Shape
from daemon.process import Plan

RUN = "a" * 32


class Parent:
    """A supervisor with one child, a merger."""

    def __init__(self, directory: Path, pid: int) -> None:
        lifeline, self.lifeline_end = os.pipe()
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.link = Server(self.context, m.Sender(RUN, "supervisor", 0, 1), directory / "supervisor")
        plan = Plan(
            run=RUN,
            role="merge",
            index=0,
            incarnation=1,
            sockets=str(directory),
            state=str(directory),
            config=load_config(None).model_dump(mode="json"),
            recipe=load_recipe("P10B").model_dump(mode="json"),
            shape=Shape(1, 1, 1),
            plates_fd=-1,
            camera_fd=-1,
            lifeline_fd=lifeline,
            supervisor_pid=pid,
        )
        path = directory / "merge-0.json"
        path.write_bytes(msgspec.json.encode(plan))
        self.child = subprocess.Popen(
            [sys.executable, "-m", "daemon.process", "merge-0", str(path)],
            pass_fds=(lifeline,),
            stderr=subprocess.DEVNULL,
        )
        os.close(lifeline)

    def hear(self, kind: type[object]) -> object:
        """The next message of that kind."""
        until = time.monotonic() + 30
        while time.monotonic() < until:
            for _, body in self.link.receive(time.monotonic()):
                if isinstance(body, kind):
                    return body
            time.sleep(0.01)
        pytest.fail(f"no {kind.__name__} came")

    def close(self) -> None:
        self.child.kill()
        self.child.wait()
        self.link.close()
        self.context.destroy(linger=0)


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[Parent]:
    made = Parent(tmp_path, os.getpid())
    yield made
    made.close()
    os.close(made.lifeline_end)


def test_a_child_says_that_it_lives_ignores_ctrl_c_and_stops_when_told(parent: Parent) -> None:
    parent.hear(Joined)
    parent.child.send_signal(signal.SIGINT)
    beat = parent.hear(m.Heartbeat)
    assert isinstance(beat, m.Heartbeat)
    assert beat.pid == parent.child.pid
    assert isinstance(parent.hear(m.Heartbeat), m.Heartbeat)
    parent.link.send("merge-0", m.Exit(), time.monotonic())
    assert parent.child.wait(30) == 0


def test_a_child_stops_when_the_pipe_of_its_supervisor_ends(tmp_path: Path) -> None:
    parent = Parent(tmp_path, os.getpid())
    parent.hear(Joined)
    os.close(parent.lifeline_end)
    assert parent.child.wait(30) == 0
    parent.close()


def test_a_child_whose_supervisor_is_gone_before_it_starts_ends_at_once(tmp_path: Path) -> None:
    parent = Parent(tmp_path, 1)
    assert parent.child.wait(30) == 1
    os.close(parent.lifeline_end)
    parent.close()
