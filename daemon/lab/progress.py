"""How far a long command is, on stderr."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from daemon.telemetry.printing import say

OnProgress = Callable[[str, int, int], None]
"""What is being made, how many are there, of how many."""
_SAY_EVERY_S = 15.0
"""Where nobody watches a bar."""
_LONG_S = 2.0
"""From which on people ask whether it still works."""


def progress_bar(console: Console) -> Progress:
    """A bar with the time that is left; nothing where nobody watches."""
    columns = TextColumn("{task.description}", markup=False), BarColumn(), TimeRemainingColumn()
    return Progress(*columns, console=console, disable=not console.is_terminal, transient=True)


@contextmanager
def progress_on(console: Console) -> Iterator[OnProgress]:
    """A bar for what is made one after the other."""
    with progress_bar(console) as bar:
        task = bar.add_task("reading", total=None)

        def report(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total)

        yield report


class Teller:
    """Tells of one part of a command after the other: a bar where somebody watches, else a line now and then.

    Args:
        command: its name, before each line.
        console: of stderr.
    """

    def __init__(self, command: str, console: Console) -> None:
        self._command = command
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

    def part(self, words: str, total: float, *, at_once: bool = True) -> None:
        """A new part begins, of so many steps or seconds; without `at_once` a line is said only if it takes long."""
        self._part, self._done, self._total = words, 0.0, total
        self._bar.reset(self._task, total=total, description=words)
        if not self._watched and at_once:
            self._say(words)
        elif not at_once:
            self._said = time.monotonic() - _SAY_EVERY_S + _LONG_S

    def step(self, words: str = "") -> None:
        """One more step of it is done."""
        self.at(self._done + 1, words)

    def at(self, done: float, words: str = "") -> None:
        """So much of it is done; what turns out to be more than was thought takes longer."""
        self._done, self._total = done, max(self._total, done)
        shown = f"{self._part}: {words}" if words else self._part
        self._bar.update(self._task, completed=done, total=self._total, description=shown)
        if not self._watched and time.monotonic() - self._said > _SAY_EVERY_S:
            self._say(f"{shown}, {done / max(self._total, 1e-9):.0%}")

    def _say(self, words: str) -> None:
        self._said = time.monotonic()
        say(f"{self._command}: {words}")
