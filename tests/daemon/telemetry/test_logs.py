from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime, timedelta
from typing import Any

BEGIN = """
import logging, sys, threading, warnings, structlog
from daemon.telemetry.logs import configure
configure("tile", run="r1", level="info")
log = structlog.get_logger("stages.tile")
"""


def logged(code: str, returncode: int = 0) -> list[dict[str, Any]]:
    """Lines logged by a process of its own, for logging is set up once a process."""
    done = subprocess.run([sys.executable, "-c", BEGIN + code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("", returncode)
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_a_line_has_its_context_and_a_time_in_utc() -> None:
    (line,) = logged("log.bind(plate=7).info('window leased', window=3)")
    time = datetime.fromisoformat(line.pop("timestamp"))
    assert time.utcoffset() == timedelta(0)
    assert line.pop("pid") != os.getpid()
    assert line == {
        "event": "window leased",
        "level": "info",
        "logger": "stages.tile",
        "role": "tile",
        "run": "r1",
        "plate": 7,
        "window": 3,
    }


def test_a_line_says_when_how_bad_what_and_who_before_anything_else_and_whose_at_its_end() -> None:
    lines = logged(
        "log.bind(run='r2', plate=7).info('window leased', window=3)\n"
        "logging.getLogger('zmq').warning('socket')\n"
        "try: 1 / 0\nexcept ZeroDivisionError: log.exception('odd', window=3)"
    )
    first, last = ["timestamp", "level", "event", "role"], ["logger", "pid", "run"]
    assert [list(line) for line in lines] == [
        [*first, "plate", "window", *last],
        [*first, *last],
        [*first, "window", *last, "exception"],
    ]
    assert lines[0]["run"] == "r2"


def test_stdlib_loggers_warnings_and_threads_join_in() -> None:
    lines = logged(
        "logging.getLogger('zmq').warning('socket %s', 3)\n"
        "warnings.warn('old way')\n"
        "thread = threading.Thread(target=lambda: log.info('here')); thread.start(); thread.join()"
    )
    assert [line["level"] for line in lines] == ["warning", "warning", "info"]
    assert lines[0]["event"] == "socket 3"
    assert "old way" in lines[1]["event"]
    assert {(line["role"], line["run"]) for line in lines} == {("tile", "r1")}


def test_what_lies_below_the_level_is_not_written() -> None:
    assert logged("log.debug('x'); logging.getLogger('y').debug('y')") == []


def test_exceptions_are_one_line_each_caught_or_not() -> None:
    lines = logged(
        "try: 1 / 0\nexcept ZeroDivisionError: log.exception('odd')\n"
        "thread = threading.Thread(target=lambda: {}['k'], name='t'); thread.start(); thread.join()\n"
        "raise ValueError('end')",
        returncode=1,
    )
    assert [line["event"] for line in lines] == ["odd", "uncaught exception in a thread", "uncaught exception"]
    for line, error in zip(lines, ("ZeroDivisionError", "KeyError", "ValueError"), strict=True):
        assert error in line["exception"]
    assert lines[1]["thread"] == "t"


def test_any_value_can_be_logged() -> None:
    lines = logged(
        "ring = []; ring.append(ring)\n"
        "for value in (float('nan'), {(1, 2): 3}, ring, b'\\xff', object, '\\ud800', 'a\\nb'):\n"
        "    log.info('v', value=value)"
    )
    assert len(lines) == 7
    assert lines[0]["value"] == "nan"
    assert lines[6]["value"] == "a\nb"
