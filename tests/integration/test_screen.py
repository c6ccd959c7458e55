"""A run at a real terminal: what stands on it, and what Ctrl-C does."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from stages.plate import Cause, Verdict
from tests.integration.conftest import Service

Make = Callable[..., Service]
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_SLOWLY = {"line_rate_hz": 400.0}
"""A sheet is seen as it passes: without a rate it passes between two pictures."""
_FRAME = re.compile(r"\r\x1b\[2K(?:\x1b\[1A\x1b\[2K)*")
"""What is sent before a picture is drawn over the one before."""


class Terminal:
    """The far end of a terminal on which a service runs."""

    def __init__(self, service: Service, columns: int, lines: int) -> None:
        self.service = service
        self._master, self._slave = pty.openpty()
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self._sent = b""
        self._closed = False

    def start(self, plates: int | None = None) -> None:
        environment = {"TERM": "xterm", "COLUMNS": "", "LINES": ""}
        self.service.start(plates, environment=environment, terminal=self._slave)

    def press(self, key: bytes) -> None:
        os.write(self._master, key)

    def read(self) -> str:
        """All that it was sent so far."""
        while select.select([self._master], [], [], 0)[0]:
            self._sent += os.read(self._master, 65536)
        return self._sent.decode()

    def frames(self) -> list[list[str]]:
        """The pictures that it showed, one after the other, as lines without colour."""
        return [_CONTROL.sub("", drawn).replace("\r", "").split("\n") for drawn in _FRAME.split(self.read())]

    def wait_for(self, text: str) -> str:
        """Wait until it shows a text, however its lines are broken; the whole picture."""

        def found() -> str:
            latest = " ".join(" ".join(self.frames()[-1]).split())
            return latest if text in latest else ""

        return str(self.service.wait_for(found))

    def finish(self) -> tuple[int, str]:
        """The exit code, and what stands there at the end, on one line."""
        process, until = self.service._runs[-1], time.monotonic() + 60
        # A terminal that nobody reads holds up who writes to it.
        while process.poll() is None and time.monotonic() < until:
            self.read()
            time.sleep(0.01)
        return self.service.finish(1), " ".join(_CONTROL.sub("", self.read()).split())

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            os.close(self._master)
            os.close(self._slave)


@pytest.fixture
def terminal(service: Make) -> Iterator[Callable[..., Terminal]]:
    """Makes terminals of a size with a service."""
    made: list[Terminal] = []

    def make(columns: int = 80, lines: int = 24, **sections: Any) -> Terminal:
        made.append(Terminal(service(**sections), columns, lines))
        return made[-1]

    yield make
    for one in made:
        one.service.end()
        one.close()


def test_a_run_at_a_terminal_shows_health_processes_and_plates_and_leaves_a_table(
    terminal: Callable[..., Terminal],
) -> None:
    one = terminal()
    one.start(6)
    shown = one.wait_for("health ok")
    for role in ("line", "acquire", "tile", "detect", "merge", "record"):
        assert f"{role} 1/1 0" in shown
    code, left = one.finish()
    assert code == 0, one.service.stderr()
    rows = one.service.verdicts()
    counts = ", ".join(f"{sum(row.verdict is v for row in rows.values())} {v}" for v in Verdict)
    assert f"plates 6 seen: {counts}" in left
    assert "the latest" not in left
    assert not one.service.logs()  # nothing ran through the picture


def test_ctrl_c_says_at_once_that_plates_are_finished_and_how_many_and_they_are(
    terminal: Callable[..., Terminal],
) -> None:
    one = terminal(camera=_SLOWLY)
    one.start()
    one.wait_for("passing")
    worker = one.service.kill("detect-0", signal.SIGSTOP)
    one.press(b"\x03")
    shown = one.wait_for("stopping: finishing")
    said = re.search(r"finishing (\d+) plates?, at most (\d+) s; press Ctrl-C again to end at once: th", shown)
    assert said is not None, shown
    assert said[1] in re.findall(r"(\d+) open", shown)
    assert 25 <= int(said[2]) <= 30
    os.kill(worker, signal.SIGCONT)
    code, left = one.finish()
    assert code == 0, one.service.stderr()
    rows = one.service.verdicts()
    assert all(Cause.SHUTDOWN not in row.causes for row in rows.values())
    assert f"plates {len(rows)} seen" in left
    for frame in one.frames()[:-1]:
        assert len(frame) <= 24
        assert max(map(len, frame)) <= 80


@pytest.mark.long
def test_a_second_ctrl_c_ends_at_once_and_says_which_plates_that_cost(terminal: Callable[..., Terminal]) -> None:
    one = terminal(columns=40, lines=16, camera=_SLOWLY)
    one.start()
    one.wait_for("passing")
    one.service.kill("detect-0", signal.SIGSTOP)
    one.press(b"\x03")
    one.wait_for("press Ctrl-C again to end at once")
    one.press(b"\x03")
    code, left = one.finish()
    assert code == 1
    cut = sorted(row.plate for row in one.service.verdicts().values() if Cause.SHUTDOWN in row.causes)
    assert cut
    assert f"{', '.join(map(str, cut))} ended at once, without all their windows: INCONCLUSIVE" in left
    for frame in one.frames()[:-1]:
        assert len(frame) <= 16
        assert max(map(len, frame)) <= 40


@pytest.mark.long
def test_a_closed_terminal_orders_a_stop_and_plates_in_flight_are_finished(terminal: Callable[..., Terminal]) -> None:
    one = terminal(camera=_SLOWLY)
    one.start()
    one.wait_for("passing")
    one.close()
    assert one.service.finish() == 0, one.service.stderr()
    rows = one.service.verdicts()
    assert rows
    assert all(Cause.SHUTDOWN not in row.causes for row in rows.values())
