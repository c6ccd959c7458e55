"""What a person at a terminal sees of a run: a live screen while it goes on, and a table at its end."""

from __future__ import annotations

import json
import os
import time
from collections import deque
from contextlib import suppress
from typing import Self

from rich.console import Console
from rich.live import Live

from daemon.cameras.registry import TRUTH_FILE
from daemon.cli.plate_progress import Passing
from daemon.cli.screen import Screen
from daemon.cli.summary import Summary, Totals, Truth
from daemon.service.status import status_of
from daemon.service.supervisor import Supervisor
from stages.events import VerdictCommitted

_REFRESH_S = 0.2
_REMEMBERED = 20
"""Plates with a verdict that are kept for the table at the end."""


class TerminalView:
    """Watches a supervisor and draws; a table stays when it is over."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._screen: Screen | None = None
        self._open: dict[int, Passing] = {}
        self._final: deque[Passing] = deque(maxlen=_REMEMBERED)
        self._pixels = 0.0
        """Of plates with a verdict."""
        self._first_seen_at: float | None = None
        self._last_final_at = 0.0
        self._drawn_at = 0.0
        self._hurried = False
        self._truth: Truth | None = None
        self._closed = False
        """The terminal is gone: nobody sees what is drawn, and the run goes on to its orderly end."""

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._live.stop()

    def seen(self, plate: int) -> None:
        """The switch saw a plate begin."""
        self._open[plate] = Passing(plate)
        self._first_seen_at = self._first_seen_at or time.monotonic()

    def final(self, committed: VerdictCommitted) -> None:
        """A plate's verdict is committed."""
        result = committed.result
        self._last_final_at = time.monotonic()
        passing = self._open.pop(result.plate, None) or Passing(result.plate)
        passing.decided = committed
        self._pixels += result.inspected_px
        self._final.append(passing)

    def pulse(self, supervisor: Supervisor) -> None:
        """Draw, a few times a second."""
        now = time.monotonic()
        # The moment of a stop is not missed, however short it is.
        if self._closed or (now - self._drawn_at < _REFRESH_S and supervisor.hurried == self._hurried):
            return
        self._drawn_at, self._hurried = now, supervisor.hurried
        status = status_of(supervisor, now)
        for slot in status.slots:
            if slot.plate in self._open:
                self._open[slot.plate].follow(slot)
        for plate, progress in status.progress.items():
            if plate in self._open:
                self._open[plate].progress = progress
        if self._screen is None:
            self._screen = Screen(supervisor.recipe)
        self._screen.recipe = supervisor.recipe
        open_pixels = sum(passing.pixels(supervisor.recipe) for passing in self._open.values())
        self._screen.follow(status, self._pixels + open_pixels)
        truth = supervisor.sockets.path / TRUTH_FILE
        if self._truth is None and status.seen and truth.is_file():
            self._truth = json.loads(truth.read_text(encoding="utf-8"))
        picture = self._screen.draw(status, [*self._final, *self._open.values()], self.console)
        try:
            self._live.update(picture, refresh=True)
        except OSError:
            self._let_go()

    def summary(self, supervisor: Supervisor) -> None:
        """Print the table of the latest plates, and the places of what was written, if there is still a terminal."""
        if self._closed:
            return
        try:
            self._summarize(supervisor)
        except OSError:
            self._let_go()

    def _let_go(self) -> None:
        """The terminal is gone. What is still to be written to it must not fail at the very end."""
        self._closed = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.console.file.fileno())

    def _summarize(self, supervisor: Supervisor) -> None:
        ledger = supervisor.ledger
        totals = Totals(
            seen=ledger.seen,
            verdicts=ledger.verdicts,
            left=sorted(ledger.open),
            cut_short=ledger.cut_short,
            pixels=self._pixels,
            seconds=max(0.0, self._last_final_at - (self._first_seen_at or 0.0)),
            workers=supervisor.workers,
        )
        summary = Summary(self.console, supervisor.recipe, supervisor.state.path, supervisor.run_id)
        summary.show(totals, list(self._final), self._truth, supervisor.first_plate)
