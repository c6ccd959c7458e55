"""The supervisor of a simulated line: its real count of the switch, and what it does when processes end.

It does what daemon/service/supervisor.py and daemon/service/children.py do, without their processes, metrics and
recipes. It is never struck itself: with it the service ends.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from daemon.lab.faults.plant import RUN, Plant
from daemon.lab.faults.roles import plan_of, run_role
from daemon.lab.faults.schedule import processes
from daemon.lab.faults.world import Process
from daemon.service.sightings import Sighting, Sightings
from daemon.wire.channel import Joined
from daemon.wire.messages import Sender
from stages.events import (
    ClassifierLost,
    DecidedUnseen,
    LineEnded,
    PlateSeen,
    SayAgain,
    SwitchHeard,
    VerdictCommitted,
    WorkerGone,
)

_WATCH_S = 0.25
_START_S = {"detect": (0.2, 1.5), "classify": (0.2, 1.5)}
"""How long a process of that role takes to start; any other takes less."""
_OTHERS_START_S = 0.05, 0.6


@dataclass(slots=True)
class Kid:
    """One place for a process."""

    role: str
    index: int
    incarnation: int = 0
    process: Process | None = None
    killed_for: str = ""
    pauses: int = 0

    @property
    def name(self) -> str:
        """Role and index."""
        return f"{self.role}-{self.index}"


class SimulatedSupervisor:
    """Starts, watches and restarts all processes, and counts the plates."""

    name = "supervisor-0"

    def __init__(self, plant: Plant) -> None:
        self._plant, self._world = plant, plant.world
        self.deaths: list[Any] = []
        self._link = plant.network.bind(cast("Process", self), Sender(RUN, "supervisor", 0, 1), "supervisor")
        self._sightings = Sightings(plant.recipe.switch.debounce_rows, 1)
        self.open: dict[int, str | None] = {}
        """Plates without a verdict, and the sheets that they are of."""
        self.kids: dict[str, Kid] = {}
        self._classifier_lost = False
        self._round_due = False
        self._asleep_until = 0.0
        self.line_ended = False
        for name in processes(plant.setting):
            role, _, index = name.partition("-")
            self.kids[name] = Kid(role, int(index))
            self._start(self.kids[name])
        self._world.at(self._world.now + _WATCH_S, self._watch)

    # --- processes ---------------------------------------------------------------------------------------------------

    def kill(self, name: str, reason: str = "died") -> None:
        """A process is killed, by a fault or by the supervisor itself."""
        kid = self.kids[name]
        if kid.process is not None and kid.process.alive:
            kid.killed_for = reason
            kid.process.kill()

    def lose_classifier(self) -> None:
        """The classifier's restarts are spent."""
        self._classifier_lost = True
        self.kill("classify-0")
        self._link.send("merge-0", ClassifierLost(), self._world.now)

    def suspend(self, seconds: float) -> None:
        """The whole group stands still, itself included."""
        self._asleep_until = self._world.now + seconds
        for kid in self.kids.values():
            if kid.process is not None:
                kid.process.pause(seconds)
                kid.process.beat_at += seconds

    def _start(self, kid: Kid) -> None:
        if kid.role == "classify" and self._classifier_lost:
            return
        now, world = self._world.now, self._world
        if kid.role in ("line", "acquire"):
            for sighting in self._sightings.begin_anew(self._plant.memory.all_facts()):
                self._saw(sighting)
        kid.incarnation += 1
        kid.killed_for = ""
        plan = plan_of(kid.role, kid.index, kid.incarnation, self._sightings.state, self._sightings.camera_row)
        least, most = _START_S.get(kid.role, _OTHERS_START_S)
        process = Process(world, kid.name, partial(run_role, plan), partial(self._ended, kid))
        kid.process = world.processes[kid.name] = process
        delay = world.some(least, most)
        process.beat_at = now + delay
        world.at(now + delay, process.begin)

    def _ended(self, kid: Kid, process: Process) -> None:
        # It is heard of a little later, by the process's own descriptor.
        self._world.at(self._world.now + self._world.some(0.0005, 0.05), self._gone, kid, process)

    def _gone(self, kid: Kid, process: Process) -> None:
        if kid.process is not process:
            return
        now, memory, reason = self._world.now, self._plant.memory, kid.killed_for or "died"
        kid.process = None
        self._world.at(now + self._plant.config.restart.backoff_s, self._start, kid)
        if kid.role == "detect":
            blamed = memory.read_board(kid.index) if reason == "died" else ()
            memory.write_board(kid.index, 0, ())
            self._link.send("tile-0", WorkerGone(kid.index, kid.incarnation, blamed), now)
        if kid.role == "line":
            self._sightings.line_gone()
            self.kill("acquire-0", "line restarted")

    def _watch(self) -> None:
        now = self._world.now
        self._world.at(now + _WATCH_S, self._watch)
        if now >= self._asleep_until:
            for kid in self.kids.values():
                process = kid.process
                if process is not None and process.alive and now - process.beat_at > self._plant.config.restart.hang_s:
                    self.kill(kid.name, "hang")
            self._round()

    # --- messages ----------------------------------------------------------------------------------------------------

    def hear(self, _socket: Hashable) -> None:
        """Something has come."""
        if not self._round_due:
            self._round_due = True
            self._world.at(max(self._asleep_until, self._world.now + self._world.some(0.0005, 0.005)), self._round)

    def _round(self) -> None:
        self._round_due = False
        for sender, body in self._link.receive(self._world.now):
            self._handle(sender, body)

    def _handle(self, sender: Sender, body: object) -> None:
        now = self._world.now
        match body:
            case Joined():
                if sender.role == "record":
                    self._say_open()
                if sender.role == "merge" and self._classifier_lost:
                    self._link.send(sender.name, ClassifierLost(), now)
            case SwitchHeard(strip, at, camera):
                for sighting in self._sightings.hear(sender.incarnation, strip, at, camera):
                    self._saw(sighting)
            case LineEnded():
                self.line_ended = True
            case DecidedUnseen(plate):
                self._sightings.decided(plate)
            case VerdictCommitted(result):
                self._plant.history.heard.append((result.plate, result.verdict.value))
                self.open.pop(result.plate, None)
            case SayAgain():
                self._say_open()
        self._sightings.validate()

    def _saw(self, sighting: Sighting) -> None:
        seen = self._plant.history.seen
        if sighting.plate in seen:
            self._plant.history.seen_again.append(sighting.plate)
        seen[sighting.plate] = self.open[sighting.plate] = sighting.image
        self._say_seen(sighting.plate)

    def _say_open(self) -> None:
        for plate in sorted(self.open):
            self._say_seen(plate)

    def _say_seen(self, plate: int) -> None:
        self._link.send("record-0", PlateSeen(plate, self.open[plate]), self._world.now)
