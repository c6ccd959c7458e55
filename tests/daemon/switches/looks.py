"""What tests of switches that are asked have in common."""

from __future__ import annotations

import time
from collections.abc import Callable

from daemon.switches.door import SwitchInput
from stages.timed_switch import Reading


def until(switch: SwitchInput, there: Callable[[list[Reading]], bool]) -> list[Reading]:
    """All readings, when that is so of them."""
    readings = list[Reading]()
    most = time.monotonic() + 20
    while not there(readings):
        assert time.monotonic() < most, (readings[-3:], switch.fault)
        readings += switch.readings()
        time.sleep(0.002)
    return readings


def until_fault(switch: SwitchInput, words: str) -> None:
    """It says that this is wrong."""
    most = time.monotonic() + 20
    while words not in (switch.fault or ""):
        assert time.monotonic() < most, switch.fault
        time.sleep(0.005)
