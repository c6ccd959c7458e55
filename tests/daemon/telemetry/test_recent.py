"""The last warnings of a process, kept for the screen."""

from __future__ import annotations

import logging

import pytest

from daemon.telemetry.recent import Line, RecentLines
from tests.daemon.telemetry.test_logs import logged


@pytest.fixture
def lines() -> RecentLines:
    return RecentLines()


def record(message: object, level: int = logging.WARNING, *values: object) -> logging.LogRecord:
    return logging.LogRecord("any", level, "file.py", 1, message, values, None)


def test_what_a_process_logs_as_a_warning_or_worse_is_kept_with_its_values_and_given_away_once() -> None:
    said = logged(
        "from daemon.telemetry.recent import RECENT\n"
        "log.info('nothing much')\n"
        "log.warning('plate hangs', plate=7)\n"
        "logging.getLogger('zmq').error('socket %s', 3)\n"
        "try: 1 / 0\nexcept ZeroDivisionError: log.exception('odd')\n"
        "kept = [line._asdict() for line in RECENT.take()]\n"
        "log.info('kept', lines=kept, left=len(RECENT.take()))"
    )
    kept, left = said[-1]["lines"], said[-1]["left"]
    assert left == 0
    assert [(one["level"], one["event"], one["details"]) for one in kept] == [
        ("warning", "plate hangs", "plate=7"),
        ("error", "socket 3", ""),
        ("error", "odd", "exc_info=ZeroDivisionError: division by zero"),
    ]
    assert [one["role"] for one in kept] == ["tile", "", "tile"]
    assert all(one["at"].startswith("20") for one in kept)


@pytest.mark.parametrize("name", ["password", "api_token", "Authorization", "session_key", "client_secret", "cookie"])
def test_what_is_called_a_secret_is_not_kept(lines: RecentLines, name: str) -> None:
    lines.handle(record({"event": "refused", name: "hunter2", "peer": "plc"}))
    (line,) = lines.take()
    assert line.details == f"{name}=(not shown) peer=plc"


def test_what_is_kept_is_bounded_the_oldest_go_first(lines: RecentLines) -> None:
    for number in range(1000):
        lines.handle(record({"event": f"{number} " + "x" * 10_000, "more": "y" * 10_000}))
    kept = lines.take()
    assert [line.event.split()[0] for line in kept] == [str(number) for number in range(950, 1000)]
    assert max(len(text) for line in kept for text in line) <= 300


def test_a_line_that_cannot_be_shown_costs_nothing_but_itself(
    lines: RecentLines, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Odd:
        def __str__(self) -> str:
            raise RuntimeError

    monkeypatch.setattr(logging, "raiseExceptions", False)
    lines.handle(record({"event": "odd", "value": Odd()}))
    lines.handle(record({"event": "even"}))
    assert [line.event for line in lines.take()] == ["even"]


def test_lines_are_given_away_some_at_a_time(lines: RecentLines) -> None:
    for number in range(5):
        lines.handle(record({"event": str(number), "timestamp": "2026-11-30T10:00:00Z", "role": "merge"}))
    assert lines.take(2) == [Line("2026-11-30T10:00:00Z", "warning", "merge", str(number), "") for number in range(2)]
    assert len(lines.take(9)) == 3
