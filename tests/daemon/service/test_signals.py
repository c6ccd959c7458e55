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


def test_what_comes_after_the_end_of_a_process_that_ends_with_it_is_ignored() -> None:
    before = {number: signal.getsignal(number) for number in (*ORDERS, *IGNORED)}
    try:
        with Signals(last=True) as signals:
            os.kill(os.getpid(), signal.SIGTERM)
        for number in (*ORDERS, *IGNORED):
            os.kill(os.getpid(), number)
        assert signals.received == [signal.SIGTERM]
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_a_closed_terminal_orders_a_stop_as_sigterm_does() -> None:
    with Signals() as signals:
        os.kill(os.getpid(), signal.SIGHUP)
        assert (signals.received, signals.hurry) == ([signal.SIGHUP], False)


def test_signals_that_nobody_has_a_use_for_end_nothing() -> None:
    with Signals() as signals:
        for number in IGNORED:
            os.kill(os.getpid(), number)
        assert not signals.received
