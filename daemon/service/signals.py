"""Signals as something to be read in the loop.

SIGTERM and SIGINT order a stop. SIGHUP asks a service to read its recipes again; to one that has a terminal it says
that this was closed, and orders a stop. Those that would end a process without asking, and that
nobody here has a use for, are ignored: a plate in the beam must not be lost to a stray one.
"""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Self

ORDERS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""The supervisor alone acts on them; its children leave them to it."""
IGNORED = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF)
"""They would end a process, and nobody sends them on purpose."""


class Signals:
    """Collects the signals that order a stop while in `with`; then they go where they went before.

    With a `terminal` SIGHUP is one of them. Of a process that ends with it (`last`) they are ignored then: its exit
    code is that of what it did, and a signal that meets its last moments must not be told in its place.
    """

    def __init__(self, *, last: bool = False, terminal: bool = True) -> None:
        self._last = last
        self._terminal = terminal
        self._reloads = 0
        self.received: list[signal.Signals] = []
        """All so far: the first asks for an orderly stop, the second for an end at once."""
        self._before: dict[signal.Signals, signal._HANDLER] = {}

    @property
    def hurry(self) -> bool:
        """A second one came: end at once."""
        return len(self.received) > 1

    def take_reload(self) -> bool:
        """Whether SIGHUP has come since this was asked last, of a service without a terminal."""
        asked, self._reloads = self._reloads > 0, 0
        return asked

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._take) for number in ORDERS}
        self._before |= {number: signal.signal(number, signal.SIG_IGN) for number in IGNORED}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, handler in self._before.items():
            # Not the handler of above: the interpreter puts the system's own back in its place when it ends.
            signal.signal(number, signal.SIG_IGN if self._last else handler)

    def _take(self, number: int, _frame: FrameType | None) -> None:
        # Told by the loop: a handler that writes may find the stream in the middle of a line.
        if number == signal.SIGHUP and not self._terminal:
            self._reloads += 1
        else:
            self.received.append(signal.Signals(number))
