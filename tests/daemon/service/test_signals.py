"""Signals that order a stop."""

from __future__ import annotations

import os
import signal

from daemon.service.signals import Signals


def test_the_first_asks_for_a_stop_the_second_hurries_and_handlers_are_put_back() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    with Signals() as signals:
        assert not signals.received
        os.kill(os.getpid(), signal.SIGTERM)
        assert (signals.received, signals.hurry) == ([signal.SIGTERM], False)
        os.kill(os.getpid(), signal.SIGINT)
        assert signals.hurry
    assert before == [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
