"""A real child process: what it does when its supervisor says stop, falls silent, or is somebody else."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import pkgutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import daemon.service.roles
from daemon.service.child import ROLES, Plan, PlanError, hand_over, take_over
from daemon.wire import messages as m
from daemon.wire.channel import Joined
from tests.daemon.conftest import Parent, plan_of

Start = Callable[..., Parent]


def test_a_child_says_that_it_lives_leaves_signals_to_its_supervisor_and_stops_when_told(parent: Start) -> None:
    merge = parent("merge")
    merge.hear(Joined)
    merge.child.send_signal(signal.SIGINT)
    merge.child.send_signal(signal.SIGTERM)
    for _ in range(2):
        assert merge.hear(m.Heartbeat).pid == merge.child.pid
    merge.tell(m.Exit())
    assert merge.child.wait(30) == 0


def test_a_child_stops_when_the_pipe_of_its_supervisor_ends(parent: Start) -> None:
    merge = parent("merge")
    merge.hear(Joined)
    merge.end_lifeline()
    assert merge.child.wait(30) == 0


def test_a_child_whose_supervisor_is_gone_before_it_starts_ends_at_once(parent: Start) -> None:
    assert parent("merge", pid=1).child.wait(30) == 1


def test_a_role_is_found_by_its_name_among_the_modules_of_roles_and_nowhere_else() -> None:
    assert sorted(module.name for module in pkgutil.iter_modules(daemon.service.roles.__path__)) == sorted(ROLES)


@pytest.mark.parametrize("role", ROLES)
def test_each_role_has_a_process_that_says_its_name(role: str) -> None:
    assert importlib.import_module(f"daemon.service.roles.{role}").ROLE.role == role


def test_a_role_that_there_is_not_is_an_error_that_names_it_and_those_there_are(tmp_path: Path) -> None:
    lifeline, end = os.pipe()
    handed = hand_over(plan_of(tmp_path, "polish", lifeline))
    ended = subprocess.run(
        [sys.executable, "-m", "daemon.service.child", "polish-0", str(handed)],
        pass_fds=(lifeline, handed),
        stderr=subprocess.PIPE,
        check=False,
    )
    for descriptor in (lifeline, end, handed):
        os.close(descriptor)
    assert ended.returncode == 1
    said = json.loads(ended.stderr)
    assert said["role"] == "polish-0"
    assert f"there is no role 'polish': the roles are {', '.join(ROLES)}" in said["exception"]


@pytest.mark.parametrize("content", [b"", b"{}", b"[" * 100_000, b"\x80\x04\x95", b'{"run": 5}'])
def test_what_is_no_plan_is_refused(content: bytes) -> None:
    descriptor = os.memfd_create("plan")
    os.write(descriptor, content)
    with pytest.raises(PlanError, match=f"descriptor {descriptor} holds no plan .*: `linesentry run` starts"):
        take_over(descriptor)


@cache
def _plan() -> bytes:
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("rb") as lifeline:
        descriptor = hand_over(plan_of(Path(folder), "merge", lifeline.fileno()))
    content = os.pread(descriptor, 1 << 20, 0)
    os.close(descriptor)
    return content


@given(st.integers(0, 100_000), st.binary(min_size=1, max_size=4))
@settings(max_examples=40)
def test_a_garbled_plan_is_refused_or_a_plan(place: int, garbage: bytes) -> None:
    content = bytearray(_plan())
    at = place % len(content)
    content[at : at + len(garbage)] = garbage
    descriptor = os.memfd_create("plan")
    os.write(descriptor, content)
    with contextlib.suppress(PlanError):
        assert isinstance(take_over(descriptor), Plan)


def test_a_process_that_somebody_else_starts_says_who_starts_it() -> None:
    command = [sys.executable, "-m", "daemon.service.child", "merge", "0"]
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert "holds no plan" in ended.stderr
    assert "Traceback" not in ended.stderr
