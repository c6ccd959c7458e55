"""What stops a service before its first process starts."""

from __future__ import annotations

import gc
import os
import socket
import tempfile
from collections import Counter
from pathlib import Path

import pytest

from config.load import load_recipe
from config.schema import Config, Telemetry, Workers
from daemon.service.child import ROLES
from daemon.service.observer import Observer
from daemon.service.plans import ServiceError
from daemon.service.signals import Signals
from daemon.service.sockets import SocketDirectoryError
from daemon.service.sources import Sources
from daemon.service.supervisor import Supervisor
from daemon.store.results import StoreError
from daemon.store.state import RunEnd, StateDirectory, StateError
from daemon.telemetry.server import TelemetryError
from stages.events import VerdictCommitted


def supervisor(
    directory: Path, recipe: str = "P10B", slots: int = 2, observer: Observer[Supervisor] | None = None, port: int = 0
) -> Supervisor:
    config = Config(slots=slots, workers=Workers(count=1), telemetry=Telemetry(port=port))
    sources = Sources(config, (load_recipe(recipe),))
    return Supervisor(sources, StateDirectory(directory), Signals(), observers=[] if observer is None else [observer])


def test_a_recipe_of_any_length_is_refused_because_no_memory_can_be_reserved_for_it(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="recipe general has no length or no columns"):
        supervisor(tmp_path, "general")


def test_a_state_directory_in_use_is_refused_with_the_process_that_uses_it(tmp_path: Path) -> None:
    with StateDirectory(tmp_path).lock(), pytest.raises(StateError, match=r"another linesentry \(process \d+\) uses"):
        supervisor(tmp_path).run()


class ObserverError(Exception):
    """Something that nobody foresaw."""


class Interrupter:
    """An observer that fails as soon as the processes are started."""

    def __init__(self) -> None:
        self.pids: list[int] = []

    def seen(self, plate: int) -> None:
        """Nothing is seen so early."""

    def final(self, committed: VerdictCommitted) -> None:
        """Nothing is final so early."""

    def pulse(self, supervisor: Supervisor) -> None:
        self.pids = [pid for role in ROLES for pid in supervisor.children.pids(role)]
        raise ObserverError


def memories() -> Counter[str]:
    """The shared memories that this process has open."""
    names = map(os.path.realpath, Path("/proc/self/fd").iterdir())
    return Counter(name for name in names if "memfd:" in name)


@pytest.mark.parametrize("fails", ["the sockets", "the telemetry", "the store", "something later"])
def test_a_start_that_fails_half_way_leaves_nothing_behind(
    fails: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gc.collect()
    before = memories()  # of tests before this one
    state, sockets = tmp_path / "state", Path(tempfile.mkdtemp(prefix="t", dir="/tmp"))
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(sockets))
    watch = Interrupter()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        one = supervisor(state, observer=watch, port=taken.getsockname()[1] if fails == "the telemetry" else 0)
        if fails == "the sockets":
            monkeypatch.setattr("daemon.service.sockets._bases", lambda _state: iter([tmp_path / "none"]))
        if fails == "the store":
            (state / "results.sqlite").mkdir()
        with pytest.raises((SocketDirectoryError, TelemetryError, StoreError, ObserverError)):
            one.run()
    assert bool(watch.pids) == (fails == "something later")
    assert not [pid for pid in watch.pids if Path(f"/proc/{pid}").exists()]
    assert memories() <= before
    assert list(sockets.iterdir()) == []
    sockets.rmdir()
    with StateDirectory(state).lock() as lock:
        assert lock.previous is (RunEnd.FAILED if watch.pids else RunEnd.UNKNOWN)


def test_more_slots_than_memory_are_refused_and_nothing_is_left_behind(tmp_path: Path) -> None:
    refused = supervisor(tmp_path, slots=100_000)
    with pytest.raises(ServiceError, match="lower slots"):
        refused.run()
    assert not list(Path(tempfile.gettempdir()).glob(f"linesentry-*{refused.run_id[:8]}*"))
    with StateDirectory(tmp_path).lock():
        pass
