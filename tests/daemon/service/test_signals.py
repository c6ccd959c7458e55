"""Signals that order a stop."""

from __future__ import annotations

import os
import signal

from daemon.service.signals import IGNORED, ORDERS, Signals


def test_the_first_asks_for_a_stop_the_second_hurries_and_handlers_are_put_back() -> None:
    before = [signal.getsignal(number) for number in (*ORDERS, *IGNORED)]
    with Signals() as signals:
        assert not signals.received
        os.kill(os.getpid(), signal.SIGTERM)
        assert (signals.received, signals.hurry) == ([signal.SIGTERM], False)
        os.kill(os.getpid(), signal.SIGINT)
        assert signals.hurry
    assert before == [signal.getsignal(number) for number in (*ORDERS, *IGNORED)]


def test_a_closed_terminal_orders_a_stop_as_sigterm_does() -> None:
    with Signals() as signals:
        os.kill(os.getpid(), signal.SIGHUP)
        assert (signals.received, signals.hurry) == ([signal.SIGHUP], False)


def test_signals_that_nobody_has_a_use_for_end_nothing() -> None:
    with Signals() as signals:
        for number in IGNORED:
            os.kill(os.getpid(), number)
        assert not signals.received
