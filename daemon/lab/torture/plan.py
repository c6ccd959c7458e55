"""In which order what is struck: rounds in which every fault meets every process in turn, shuffled by the seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from daemon.lab.torture import strikes
from daemon.lab.torture.place import Place
from daemon.lab.torture.strikes import PROCESSES, Strike

AT_ONCE = 0.2
"""Share of the strikes that the next one follows without a pause: two that meet find more."""
_PAIRS = 6
"""In each round, of each kind."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A fault, where it strikes, and whether the next one follows at once."""

    fault: str
    strike: Strike
    names: tuple[str, ...] = ()
    then_at_once: bool = False

    @property
    def where(self) -> str:
        """The processes in words."""
        return " and ".join(self.names)


_EACH: dict[str, Strike] = {
    "kill": strikes.kill,
    "stop": strikes.stop,
    "hang": strikes.hang,
    "end by a signal": strikes.terminate,
    "kill, and its successor": strikes.kill_successor,
}
_PAIRED: dict[str, Strike] = {"kill a pair": strikes.kill, "stop a pair": strikes.stop}
_WHOLE: dict[str, tuple[Strike, int]] = {
    "kill the supervisor": (strikes.kill_supervisor, 3),
    "stop the supervisor": (strikes.stop_supervisor, 2),
    "suspend all": (strikes.suspend, 1),
    "order to stop, start": (strikes.restart, 1),
    "two orders to stop, start": (strikes.hurried_restart, 1),
    "stray signal": (strikes.stray, 2),
    "SIGHUP": (strikes.hangup, 2),
    "lock the store": (strikes.lock_store, 3),
    "lock the store, kill the supervisor": (strikes.kill_supervisor_with_store_locked, 1),
    "lock the store, order to stop": (strikes.stop_with_store_locked, 1),
    "delete the store": (strikes.delete_store, 2),
    "window that kills its workers": (strikes.poison, 3),
    "foreign and garbled messages": (strikes.foreign_messages, 3),
    "delete the sockets": (strikes.delete_sockets, 2),
    "camera loses strips": (strikes.lose_strips, 3),
    "camera halves strips": (strikes.halve_strips, 2),
    "camera repeats strips": (strikes.repeat_strips, 2),
    "belt ten times as fast": (strikes.hurry, 2),
    "nothing": (strikes.nothing, 5),
}
_ON_OWN_DISK: dict[str, tuple[Strike, int]] = {
    "fill the disk": (strikes.fill_disk, 3),
    "freeze the disk": (strikes.freeze_disk, 3),
    "read-only store, kill record": (strikes.forbid_store, 2),
}
NEVER_TRIED = {
    "clock steps": "they would concern the whole machine; see tests/daemon/store/test_retention.py",
    "garbled messages with the key of the run": "nobody outside has it; see linesentry simulate-faults",
    "a classifier that hangs or lies": "the recipe asks none; see tests/integration/test_classifier.py",
    "switch that bounces or sticks, sheets that touch": "see tests/integration/test_cameras.py",
}
"""What the torture cannot or does not do, and who does."""


def chance_of(seed: int) -> random.Random:
    """The chance that draws a plan."""
    return random.Random(seed)  # noqa: S311 - nothing is to be kept secret


def not_tried(place: Place) -> dict[str, str]:
    """What is not tried here, and why."""
    lacking = {} if place.own else dict.fromkeys(_ON_OWN_DISK, place.why_not)
    return lacking | NEVER_TRIED


def planned(chance: random.Random, place: Place) -> Iterator[Planned]:
    """Strikes without end."""
    whole = _WHOLE | (_ON_OWN_DISK if place.own else {})
    while True:
        deck = [Planned(fault, strike, (name,)) for fault, strike in _EACH.items() for name in PROCESSES]
        for fault, strike in _PAIRED.items():
            deck += [Planned(fault, strike, tuple(chance.sample(PROCESSES, 2))) for _ in range(_PAIRS)]
        for fault, (strike, times) in whole.items():
            deck += [Planned(fault, strike)] * times
        deck += [Planned("stop one, kill the supervisor", strikes.kill_supervisor, (chance.choice(PROCESSES),))]
        chance.shuffle(deck)
        for one in deck:
            yield Planned(one.fault, one.strike, one.names, chance.random() < AT_ONCE)
