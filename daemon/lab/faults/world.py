"""Virtual time and the processes in it: each is a coroutine that runs a role's own loop until it waits for something.

Only one runs at a time, and the order follows from the seed alone. So the same seed is the same history, to the last
message.
"""

from __future__ import annotations

import random
import traceback
from collections.abc import Callable, Hashable
from heapq import heappop, heappush
from typing import Any

from greenlet import GreenletExit, getcurrent, greenlet

BEGIN_S = 1000.0
"""Virtual time at which a world begins: 0 means "not known" here and there."""
_IDLE = 4
"""An idle process looks up so many times less often than a real one: its waits are longer, as on a busy machine."""
_LEAST_POLL_S = 0.02


class ProcessDied(Exception):  # noqa: N818 - an event, no error of the program
    """The process ends here and now, as by a signal."""


class World:
    """A clock, a queue of what is to happen, and chance.

    Args:
        seed: of all chance that is not a fault of the schedule.
    """

    current: World
    """The one that is at work: roles ask it for the time."""

    def __init__(self, seed: int) -> None:
        self.now = BEGIN_S
        self.chance = random.Random(seed)  # noqa: S311 - it is to be repeated
        self.faults_found: list[str] = []
        """What no process may do: an exception that is no death of its own, or a broken invariant."""
        self.processes: dict[str, Process] = {}
        self.running: Process
        """The process that runs now, or ran last."""
        self._queue: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._order = 0
        self._main = getcurrent()
        World.current = self

    def at(self, when: float, call: Callable[..., None], *arguments: Any) -> None:  # noqa: ANN401 - of any call
        """Call at that virtual time, s."""
        self._order += 1
        heappush(self._queue, (when, self._order, call, arguments))

    @property
    def steps(self) -> int:
        """How much was to happen so far."""
        return self._order

    def run(self, until: float) -> None:
        """Let happen all that is due until then, or until a fault was found."""
        queue = self._queue
        while queue and queue[0][0] <= until and not self.faults_found:
            when, _, call, arguments = heappop(queue)
            self.now = max(self.now, when)
            call(*arguments)
        self.now = max(self.now, until)

    def some(self, least: float, most: float) -> float:
        """A time by chance, s."""
        return least + (most - least) * self.chance.random()

    def spawn(self, name: str, body: Callable[[], None], ended: Callable[[Process], None]) -> Process:
        """A process that begins now."""
        process = Process(self, name, body, ended)
        self.processes[name] = process
        self.at(self.now, process.begin)
        return process

    def end(self) -> None:
        """Kill all that still runs."""
        for process in self.processes.values():
            process.kill(tell=False)
        self._queue.clear()


class Process:
    """One incarnation of a process."""

    def __init__(self, world: World, name: str, body: Callable[[], None], ended: Callable[[Process], None]) -> None:
        self.world = world
        self.name = name
        self.alive = True
        self.deaths: list[Callable[[], None]] = []
        """What its end does to others: connections that break."""
        self.beat_at = world.now
        """When it said last that it lives."""
        self._body, self._ended = body, ended
        self._greenlet = greenlet(self._run, world._main)  # noqa: SLF001 - of this module
        self._ready: dict[Hashable, int] = {}
        self._listens = False
        self._awaited = 0
        """Which waking up is awaited; any other is none of the process's."""
        self._paused_until = 0.0

    # --- from outside ------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Run until it waits for the first time."""
        self._wake(self._awaited)

    def hear(self, socket: Hashable) -> None:
        """Something has come for one of its sockets."""
        self._ready[socket] = 1
        if self._listens:
            self._listens = False
            self._awaited += 1
            self.world.at(self.world.now + self.world.some(0.0003, 0.003), self._wake, self._awaited)

    def pause(self, seconds: float) -> None:
        """Stop it for a while, as by SIGSTOP."""
        self._paused_until = max(self._paused_until, self.world.now + seconds)

    def kill(self, *, tell: bool = True) -> None:
        """End it at once, as by SIGKILL."""
        if not self.alive:
            return
        self.alive = False
        self._greenlet.throw(GreenletExit)
        if tell:
            self._end()

    def _wake(self, awaited: int) -> None:
        if not self.alive or awaited != self._awaited:
            return
        if self.world.now < self._paused_until:
            self.world.at(self._paused_until, self._wake, awaited)
            return
        self.world.running = self
        self._greenlet.switch()

    def _end(self) -> None:
        for death in self.deaths:
            death()
        self._ended(self)

    # --- from inside -------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._body()
        except (ProcessDied, SystemExit):
            pass
        except Exception:  # noqa: BLE001 - whatever it is, it is what is looked for
            self.world.faults_found.append(f"{self.name}: {traceback.format_exc(limit=-12)}")
        if self.alive:
            self.alive = False
            self._end()

    def sleep(self, seconds: float) -> None:
        """Let virtual time pass, deaf to messages."""
        self._awaited += 1
        self.world.at(self.world.now + seconds, self._wake, self._awaited)
        self.world._main.switch()  # noqa: SLF001 - of this module

    def poll(self, milliseconds: int) -> list[tuple[Hashable, int]]:
        """What zmq.Poller does: wait for messages, but no longer than that; the sockets that have some."""
        if self._ready:
            self.sleep(self.world.some(0.0002, 0.002))
        else:
            self._listens = True
            self.sleep(max(_LEAST_POLL_S, _IDLE * milliseconds / 1000))
            self._listens = False
        ready = list(self._ready.items())
        self._ready.clear()
        return ready

    def register(self, socket: object, events: int) -> None:
        """What zmq.Poller does; here each socket says when it has something."""


class Clock:
    """Stands where roles have the module `time`."""

    @staticmethod
    def monotonic() -> float:
        """Virtual time, s."""
        return World.current.now

    @staticmethod
    def thread_time() -> float:
        """Nothing takes time by itself here."""
        return 0.0
