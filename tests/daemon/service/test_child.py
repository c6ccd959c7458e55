"""A real child process: what it does when its supervisor says stop, falls silent, or is somebody else."""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import daemon.service.roles
from daemon.service.child import ROLES, hand_over
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
