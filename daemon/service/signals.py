"""SIGTERM and SIGINT as something to be read in the loop."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Self

_ORDERS = (signal.SIGTERM, signal.SIGINT)


class Signals:
    """Collects the signals that order a stop while in `with`; then they go where they went before."""

    def __init__(self) -> None:
        self.received: list[signal.Signals] = []
        """All so far: the first asks for an orderly stop, the second for an end at once."""
        self._before: dict[signal.Signals, signal._HANDLER] = {}

    @property
    def hurry(self) -> bool:
        """A second one came: end at once."""
        return len(self.received) > 1

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._take) for number in _ORDERS}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _take(self, number: int, _frame: FrameType | None) -> None:
        # Told by the loop: a handler that writes may find the stream in the middle of a line.
        self.received.append(signal.Signals(number))
