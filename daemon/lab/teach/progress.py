"""How far a teaching is, on stderr: a bar where somebody watches, else a line for each part and now and then."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console

from daemon.lab.progress import progress_bar
from daemon.telemetry.printing import say

_SAY_EVERY_S = 30.0


class Teller:
    """Tells of one part after the other."""

    def __init__(self, console: Console) -> None:
        self._bar = progress_bar(console)
        self._watched = console.is_terminal
        self._task = self._bar.add_task("reading", total=None)
        self._said = 0.0
        self._part, self._done, self._total = "", 0.0, 1.0

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def part(self, words: str, total: float) -> None:
        """A new part begins, of so many steps or seconds."""
        self._part, self._done, self._total = words, 0.0, total
        self._bar.reset(self._task, total=total, description=words)
        if not self._watched:
            say(f"linesentry teach: {words}")
            self._said = time.monotonic()

    def step(self) -> None:
        """One more step of it is done."""
        self.at(self._done + 1)

    def at(self, done: float, words: str = "") -> None:
        """So much of it is done."""
        self._done = done
        shown = f"{self._part}  {words}" if words else self._part
        self._bar.update(self._task, completed=done, description=shown)
        if not self._watched and time.monotonic() - self._said > _SAY_EVERY_S:
            self._said = time.monotonic()
            say(f"linesentry teach: {shown}, {min(1.0, done / max(self._total, 1e-9)):.0%}")
