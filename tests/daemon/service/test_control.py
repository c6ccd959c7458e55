"""Where a running service is asked: by whom, and what it answers to what makes no sense."""

from __future__ import annotations

import json
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.service.control import NAME, Control, ControlError, Question, ask
from daemon.service.recipe_answers import Answer

CHANGED = Answer("changed", "recipe 02CG judges from plate 8 on", "02CG", "ab" * 32, 8)


class Running:
    """A service whose loop answers what it is asked."""

    def __init__(self, state: Path) -> None:
        self.control = Control(state)
        self.asked: list[Question] = []
        self.waiting: list[Callable[[Answer], None]] = []
        self.later = False
        self._ended = False
        self._thread = threading.Thread(target=self._loop)
        self._thread.start()

    def _loop(self) -> None:
        while not self._ended:
            self.control.step(time.monotonic(), self._hear)
            time.sleep(0.005)

    def _hear(self, question: Question, reply: Callable[[Answer], None]) -> None:
        self.asked.append(question)
        if self.later:
            self.waiting.append(reply)
        else:
            reply(CHANGED)

    def end(self) -> None:
        self._ended = True
        self._thread.join()
        self.control.close()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    one = Running(tmp_path)
    yield one
    one.end()


def test_who_asks_has_the_answer_of_the_service(running: Running, tmp_path: Path) -> None:
    assert ask(tmp_path, Question("reload", "02CG"), 5.0)["first_plate"] == 8
    assert running.asked == [Question("reload", "02CG")]


def test_the_socket_is_for_the_services_own_user_alone(running: Running, tmp_path: Path) -> None:
    assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o600
    del running


@pytest.mark.parametrize(
    "said", [b"nonsense\n", b'{"ask": "reload", "more": 1}\n', b'{"ask": "stop"}\n', b'{"ask": ["reload"]}\n', b"\n"]
)
def test_what_is_not_understood_is_refused_and_nothing_is_asked(running: Running, tmp_path: Path, said: bytes) -> None:
    answer = spoken(tmp_path, said)
    assert (answer["outcome"], answer["text"].split(":")[0]) == ("refused", "not understood")
    assert not running.asked


@pytest.mark.parametrize("said", [b"x" * 100_000, b'{"ask": "re', b""])
def test_who_says_too_much_or_breaks_off_gets_no_answer_and_others_are_served(
    running: Running, tmp_path: Path, said: bytes
) -> None:
    assert spoken(tmp_path, said) is None
    assert ask(tmp_path, Question("reload"), 5.0)["outcome"] == "changed"
    assert len(running.asked) == 1


def test_who_is_gone_before_the_answer_harms_nobody(running: Running, tmp_path: Path) -> None:
    running.later = True
    with pytest.raises(ControlError, match="has not answered within"):
        ask(tmp_path, Question("reload"), 0.2)
    running.waiting[0](CHANGED)
    running.later = False
    assert ask(tmp_path, Question("reload"), 5.0)["outcome"] == "changed"


def test_without_a_service_the_error_says_so(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match="no service runs with the state directory"):
        ask(tmp_path, Question("reload"), 1.0)
    Control(tmp_path).close()
    with pytest.raises(ControlError, match="no service runs with the state directory"):
        ask(tmp_path, Question("reload"), 1.0)


def test_who_asks_a_service_that_ends_hears_that_it_ended(tmp_path: Path) -> None:
    control = Control(tmp_path)
    closing = threading.Timer(0.2, control.close)
    closing.start()
    with pytest.raises(ControlError, match="the service ended before it had answered"):
        ask(tmp_path, Question("reload"), 5.0)
    closing.join()


def test_what_a_killed_service_left_does_not_hinder_the_next_and_a_long_path_neither(tmp_path: Path) -> None:
    state = tmp_path / ("long" * 30)
    state.mkdir()
    left = Control(state)
    assert left._socket is not None
    left._socket.close()
    one = Running(state)
    try:
        assert ask(state, Question("reload"), 5.0)["outcome"] == "changed"
    finally:
        one.end()
    assert not (state / NAME).exists()


def test_a_state_directory_that_takes_no_socket_costs_the_command_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    control = Control(tmp_path)
    control.step(0.0, lambda _question, _reply: None)
    control.close()


def spoken(state: Path, said: bytes) -> Any:
    """What the service says to those bytes, after which nothing more is said; None where it says nothing."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5.0)
        client.connect(str(state / NAME))
        try:
            client.sendall(said)
            client.shutdown(socket.SHUT_WR)
            told = client.recv(65536)
        except (BrokenPipeError, ConnectionResetError):
            return None
    return json.loads(told) if told else None
