"""A supervisor's end of one real child process."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

import pytest
import zmq

from config.load import load_config, load_recipe
from config.schema import Archive, Config, Recipe
from daemon.service.child import Plan, hand_over
from daemon.store.results import RunFacts
from daemon.store.state import classifier_sha256, weights_sha256
from daemon.wire import messages as m
from daemon.wire.channel import Server
from daemon.wire.plate_memory import PlateMemory, Shape
from daemon.wire.run_key import RunKey

RUN = "a" * 32
FACTS = RunFacts(run=RUN, recipe="P10B", simulated=True)
SHAPE = Shape(2, 100, 50)
KEY = RunKey.new()
Kind = TypeVar("Kind")


def plan_of(
    directory: Path,
    role: str,
    lifeline: int,
    *,
    recipe: Recipe | None = None,
    config: Config | None = None,
    plates_fd: int = -1,
    pid: int | None = None,
) -> Plan:
    """What the first process of that role is told; `pid` is its supervisor's, None for this process."""
    # Without an archiver beside it, a record process would wait for it.
    unarchived = load_config(None).model_copy(update={"archive": Archive(verdicts=())})
    config, recipe = config or unarchived, recipe or load_recipe("P10B")
    weights = {"weights_sha256": weights_sha256(recipe), "classifier_sha256": classifier_sha256(config)}
    return Plan(
        run=RUN,
        role=role,
        index=0,
        incarnation=1,
        key=KEY,
        sockets=str(directory),
        state=str(directory),
        config=config.model_dump(mode="json"),
        recipe=recipe.model_dump(mode="json"),
        shape=SHAPE,
        plates_fd=plates_fd,
        camera_fd=-1,
        lifeline_fd=lifeline,
        supervisor_pid=os.getpid() if pid is None else pid,
        facts=asdict(FACTS) | weights,
    )


class Parent:
    """A supervisor with one child of that role; `pid` is whom the child is told to be its supervisor.

    `prepare` does to the plate memory what the child is to find there.
    """

    def __init__(
        self,
        directory: Path,
        role: str,
        pid: int,
        prepare: Callable[[PlateMemory], object] | None,
        recipe: Recipe | None,
        config: Config | None = None,
    ) -> None:
        self.directory = directory
        self.memory = PlateMemory.create(SHAPE)
        if prepare is not None:
            prepare(self.memory)
        lifeline, self.lifeline_end = os.pipe()
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.link = Server(self.context, m.Sender(RUN, "supervisor", 0, 1), directory / "supervisor", KEY)
        self.name = f"{role}-0"
        plan = plan_of(directory, role, lifeline, recipe=recipe, config=config, plates_fd=self.memory.fd, pid=pid)
        handed = hand_over(plan)
        self.child = subprocess.Popen(
            [sys.executable, "-m", "daemon.service.child", self.name, str(handed)],
            pass_fds=(lifeline, self.memory.fd, handed),
            stderr=subprocess.DEVNULL,
        )
        os.close(lifeline)
        os.close(handed)
        self._heard: list[object] = []

    def tell(self, body: m.AnyMessage) -> None:
        """Send it, now or when the child is there."""
        self.link.send(self.name, body, time.monotonic())

    def hear(self, kind: type[Kind], meanwhile: Callable[[], object] = lambda: None) -> Kind:
        """The next message of that kind; those before it are passed over. `meanwhile` keeps other ends at work."""
        until = time.monotonic() + 30
        while time.monotonic() < until:
            meanwhile()
            while self._heard:
                body = self._heard.pop(0)
                if isinstance(body, kind):
                    return body
            self._heard += [body for _, body in self.link.receive(time.monotonic())]
            time.sleep(0.01)
        pytest.fail(f"no {kind.__name__} came")

    def end_lifeline(self) -> None:
        """Close the pipe, as the kernel does for a supervisor that dies."""
        if self.lifeline_end >= 0:
            os.close(self.lifeline_end)
            self.lifeline_end = -1

    def close(self) -> None:
        self.child.kill()
        self.child.wait()
        self.link.close()
        self.context.destroy(linger=0)
        self.end_lifeline()
        self.memory.close()


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[Callable[..., Parent]]:
    """Starts a child of a role, once."""
    made: list[Parent] = []

    def start(
        role: str,
        pid: int | None = None,
        prepare: Callable[[PlateMemory], object] | None = None,
        recipe: Recipe | None = None,
        config: Config | None = None,
    ) -> Parent:
        made.append(Parent(tmp_path, role, os.getpid() if pid is None else pid, prepare, recipe, config))
        return made[-1]

    yield start
    for one in made:
        one.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 3 MB."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "none", disk], check=False).returncode:
        pytest.skip("no disk can be mounted here")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)
