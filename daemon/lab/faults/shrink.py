"""The shortest schedule that still breaks a promise: delta debugging over the faults (Zeller and Hildebrandt, 2002)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from daemon.lab.faults.schedule import Fault, Schedule

MOST_TRIES = 200


def shrunk(schedule: Schedule, breaks: Callable[[Schedule], bool], most: int = MOST_TRIES) -> Schedule:
    """A schedule with fewer faults, and with fewer sheets, that still breaks; itself where nothing can be left out.

    Args:
        schedule: that breaks.
        breaks: whether another one does.
        most: schedules that are tried.
    """
    tries = 0

    def still(faults: tuple[Fault, ...]) -> bool:
        nonlocal tries
        tries += 1
        return breaks(replace(schedule, faults=faults))

    faults, parts = schedule.faults, 2
    while faults and tries < most:
        size = -(-len(faults) // parts)
        rests = (faults[:at] + faults[at + size :] for at in range(0, len(faults), size))
        found = next((rest for rest in rests if tries < most and still(rest)), None)
        if found is not None:
            faults, parts = found, max(2, parts - 1)
        elif size == 1:
            break
        else:
            parts = min(len(faults), 2 * parts)
    return replace(schedule, faults=faults)
