"""Bars on stderr for whoever watches a long command."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

OnProgress = Callable[[str, int, int], None]
"""What is being made, how many are there, of how many."""


def progress_bar(console: Console) -> Progress:
    """A bar with the time that is left; nothing where nobody watches."""
    columns = TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()
    return Progress(*columns, console=console, disable=not console.is_terminal, transient=True)


@contextmanager
def progress_on(console: Console) -> Iterator[OnProgress]:
    """A bar for what is made one after the other."""
    with progress_bar(console) as bar:
        task = bar.add_task("reading", total=None)

        def report(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total)

        yield report
