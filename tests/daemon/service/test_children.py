"""Child processes that die at once: restarted with growing pauses, until the budget of their role is spent."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from config.schema import Restart
from daemon.service.child import Plan
from daemon.service.children import Children, Kid
from daemon.wire.messages import Heartbeat
from daemon.wire.plate_memory import Shape
from tests.daemon.conftest import KEY


class Watch:
    """Children whose plan names a supervisor that is not theirs, so that they end as soon as they start."""

    def __init__(self, directory: Path, settings: Restart) -> None:
        self.directory = directory
        self.ends: list[tuple[str, str, int | None]] = []
        self.started: list[float] = []
        self.lifeline, self.lifeline_end = os.pipe()
        self.poller = zmq.Poller()
        self.children = Children(settings, self.poller, self.plan, self.gone)

    def plan(self, role: str, index: int, incarnation: int) -> tuple[Plan, tuple[int, ...]]:
        self.started.append(time.monotonic())
        plan = Plan(
            run="a" * 32,
            role=role,
            index=index,
            incarnation=incarnation,
            key=KEY,
            sockets=str(self.directory),
            state=str(self.directory),
            config={},
            recipe={"name": "none"},
            shape=Shape(1, 1, 1),
            plates_fd=-1,
            camera_fd=-1,
            lifeline_fd=self.lifeline,
            supervisor_pid=1,
        )
        return plan, (self.lifeline,)

    def gone(self, kid: Kid, reason: str, _now: float) -> None:
        self.ends.append((kid.name, reason, kid.status))

    def until_lost(self) -> list[str]:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            self.children.reap(dict(self.poller.poll(20)), time.monotonic())
            lost = self.children.watch(time.monotonic())
            if lost:
                return lost
        return []

    def close(self) -> None:
        self.children.kill_all()
        os.close(self.lifeline)
        os.close(self.lifeline_end)


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    made = Watch(tmp_path, Restart(budget=2, backoff_s=0.3))
    yield made
    made.close()


def test_a_role_is_lost_when_its_processes_die_more_often_than_its_budget(watch: Watch) -> None:
    watch.children.add("merge", 0)
    assert watch.until_lost() == ["merge"]
    assert watch.ends == [("merge-0", "died", 1)] * 3
    pauses = [later - earlier for earlier, later in zip(watch.started, watch.started[1:], strict=False)]
    assert pauses[0] >= 0.3
    assert pauses[1] >= 0.6
    assert watch.children.watch(time.monotonic()) == []
    assert watch.children.down() == ["merge-0"]
    assert watch.children.by_role()["merge"][:2] == (0, 1)


def test_a_process_ended_by_the_supervisor_is_told_from_one_that_died(watch: Watch) -> None:
    watch.children.add("acquire", 0)
    watch.children.restart("acquire", 0, "line restarted")
    while not watch.ends:
        watch.children.reap(dict(watch.poller.poll(20)), time.monotonic())
    assert watch.ends == [("acquire-0", "line restarted", -signal.SIGKILL)]


def silent(watch: Watch, seconds: float, step: float) -> str:
    """Why a process ended that was heard of once and then no more, on a clock that the supervisor sees in steps."""
    watch.children.add("merge", 0)
    now = time.monotonic()
    watch.children.watch(now)
    watch.children.heard("merge", 0, Heartbeat(watch.children.pids("merge")[0], {}), now)
    for number in range(1, int(seconds / step) + 1):
        watch.children.watch(now + number * step)
    while not watch.ends:
        watch.children.reap(dict(watch.poller.poll(20)), time.monotonic())
    return watch.ends[0][1]


def test_a_process_that_is_silent_for_too_long_hangs(watch: Watch) -> None:
    assert silent(watch, seconds=16.0, step=1.0) == "hang"


def test_silence_counts_only_while_the_supervisor_was_awake(watch: Watch) -> None:
    """Who stopped the supervisor, or the whole machine, may have stopped the process too."""
    assert silent(watch, seconds=3600.0, step=1200.0) == "died"


def test_a_process_that_is_heard_when_it_was_killed_already_was_killed_all_the_same(watch: Watch) -> None:
    """What it had said before must not turn the end by the supervisor's hand into a death that blames a window."""
    watch.children.add("detect", 0)
    now = time.monotonic()
    watch.children.watch(now)
    for second in range(1, 70):
        watch.children.watch(now + second)
    watch.children.heard("detect", 0, Heartbeat(watch.children.pids("detect")[0], {}), now + 70)
    while not watch.ends:
        watch.children.reap(dict(watch.poller.poll(20)), time.monotonic())
    assert watch.ends == [("detect-0", "start", -signal.SIGKILL)]


class FewDescriptors:
    """Takes descriptors away from this process."""

    def __init__(self) -> None:
        self.limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.taken: list[int] = []

    def leave(self, count: int) -> None:
        """So many, and no more."""
        resource.setrlimit(resource.RLIMIT_NOFILE, (200, self.limits[1]))
        with contextlib.suppress(OSError):
            while True:
                self.taken.append(os.open("/dev/null", os.O_RDONLY))
        for _ in range(count):
            os.close(self.taken.pop())

    def left(self) -> int:
        """How many there are."""
        before = len(self.taken)
        self.leave(0)
        found = len(self.taken) - before
        while len(self.taken) > before:
            os.close(self.taken.pop())
        return found

    def give_back(self) -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, self.limits)
        while self.taken:
            os.close(self.taken.pop())


@pytest.fixture
def descriptors() -> Iterator[FewDescriptors]:
    made = FewDescriptors()
    yield made
    made.give_back()


@pytest.mark.parametrize("left", range(4))
def test_a_process_that_cannot_be_made_for_now_is_one_more_try_and_spends_no_budget(
    watch: Watch, descriptors: FewDescriptors, left: int
) -> None:
    descriptors.leave(left)
    watch.children.add("merge", 0)
    for tick in range(1, 40):
        assert watch.children.watch(time.monotonic() + tick) == []
    assert watch.children.down() == ["merge-0"]
    assert (watch.children.pids("merge"), watch.ends) == ([], [])
    assert descriptors.left() == left
    descriptors.give_back()
    watch.children.watch(time.monotonic() + 100)
    assert watch.children.pids("merge")


def test_an_interpreter_that_is_gone_spends_the_budget(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    watch.children.add("merge", 0)
    assert watch.until_lost() == ["merge"]
    assert watch.ends == []


def test_a_child_begins_with_ctrl_c_and_sigterm_held_back_and_the_supervisor_goes_on_hearing_it(watch: Watch) -> None:
    watch.children.add("merge", 0)
    pid = watch.children.pids("merge")[0]
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    masks = dict(line.split(":\t") for line in status.splitlines() if line.startswith("Sig"))
    held = int(masks["SigBlk"], 16) | int(masks["SigIgn"], 16)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        assert held & 1 << (number - 1)
        assert number not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_a_hurry_ends_the_wait_for_processes_that_do_not_stop(watch: Watch) -> None:
    watch.children.add("merge", 0)
    listened: list[float] = []
    watch.children.stop_all(lambda _name: False, listened.append, 100.0, lambda: len(listened) > 1)
    assert len(listened) == 2
    assert watch.children.pids("merge")


def test_nothing_is_left_when_all_were_killed(watch: Watch) -> None:
    watch.children.add("merge", 0)
    watch.children.add("record", 0)
    pids = watch.children.pids("merge") + watch.children.pids("record")
    watch.children.kill_all()
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    assert watch.children.pids("merge") == []


def test_a_service_is_up_without_an_optional_process_that_died(watch: Watch) -> None:
    watch.children.add("classify", 0, optional=True)
    assert not watch.children.all_up
    while not watch.ends:
        watch.children.reap(dict(watch.poller.poll(20)), time.monotonic())
    assert watch.children.all_up
    assert watch.children.down() == ["classify-0"]


def test_a_service_is_not_up_while_a_process_says_that_it_is_starting(watch: Watch) -> None:
    """As the camera process does while it opens its camera."""
    watch.children.add("merge", 0)
    (pid,) = watch.children.pids("merge")
    watch.children.heard("merge", 0, Heartbeat(pid, {}, starting=True), time.monotonic())
    assert not watch.children.all_up
    watch.children.heard("merge", 0, Heartbeat(pid, {}), time.monotonic())
    assert watch.children.all_up


def test_a_role_that_is_lost_is_not_started_again_even_without_a_pause(tmp_path: Path) -> None:
    watch = Watch(tmp_path, Restart(budget=2, backoff_s=0.0))
    watch.children.add("classify", 0, optional=True)
    assert watch.until_lost() == ["classify"]
    assert len(watch.started) == 3
    assert watch.children.by_role()["classify"][:2] == (0, 1)
    assert watch.children.pids("classify") == []
    watch.close()
