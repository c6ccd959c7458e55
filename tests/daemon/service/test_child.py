"""A real child process: what it does when its supervisor says stop, falls silent, or is somebody else."""

from __future__ import annotations

import signal
from collections.abc import Callable

from daemon.wire import messages as m
from daemon.wire.channel import Joined
from tests.daemon.conftest import Parent

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
