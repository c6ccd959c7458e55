"""The frame of a simulated process: a role's own code and loop over simulated sockets, memory and time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from config.schema import Recipe
from daemon.lab.faults.plant import Plant
from daemon.lab.faults.world import World
from daemon.service.child import Child, Plan
from daemon.service.hanging import Hanging
from daemon.service.overdue import within_s
from daemon.telemetry.counters import Tally
from daemon.wire.channel import Client, Event, Server
from daemon.wire.messages import Progress
from daemon.wire.plate_memory import PlateMemory
from stages.recipes import FIRST


class Quiet:
    """A log that nobody reads."""

    def __getattr__(self, _name: str) -> Callable[..., None]:
        return self._say

    def _say(self, *_words: object, **_values: object) -> None: ...


class _Uncounted(Tally):
    """Counters that nobody reads here."""

    def add(self, name: str, amount: float = 1.0, label: str = "") -> None:
        """Nothing."""

    def set(self, name: str, total: float, label: str = "") -> None:
        """Nothing."""

    def observe(self, name: str, seconds: float) -> None:
        """Nothing."""


class Simulated(Child):
    """Stands between a role and the frame of real processes: `class X(RoleProcess, Simulated)`."""

    def __init__(self, plan: Plan) -> None:
        plant = Plant.current
        self.plant = plant
        self.plan, self.me = plan, plan.sender
        self.config, self.recipe = plant.config, plant.recipe
        self.recipes: dict[int, Recipe] = {FIRST: plant.recipe}
        self.facts = {FIRST: plan.facts}
        self.log = Quiet()
        self.tally = _Uncounted()
        self.plates: dict[int, Progress] = {}
        self.note = ""
        self.troubles: tuple[str, ...] = ()
        self.waited_s = 0.0
        self.stopping = False
        self.beat_s = plant.config.restart.heartbeat_s
        self.process = World.current.running
        self._starting = True
        self._poller = cast("Any", self.process)
        self._endpoints: dict[Client | Server, Callable[[Event, float], None]] = {}
        self._hanging = Hanging(within_s(plant.config, plant.recipe))
        self._waits_for: dict[int, str] = {}
        self.supervisor = self.connect("supervisor", self.on_supervisor)

    def connect(self, address: str, handler: Callable[[Event, float], None]) -> Client:
        """Connect to another process."""
        client = self.plant.network.connect(self.process, self.me, address)
        self._endpoints[client] = handler
        return client

    def bind(self, address: str, handler: Callable[[Event, float], None]) -> Server:
        """Be found at an address."""
        server = self.plant.network.bind(self.process, self.me, address)
        self._endpoints[server] = handler
        return server

    def plate_memory(self) -> PlateMemory:
        """The one that all share."""
        return cast("PlateMemory", self.plant.memory)

    def close(self) -> None:
        """Nothing is left to close."""

    def beat(self, now: float, *, force: bool = False) -> None:
        """Show that it lives."""
        del force
        self.process.beat_at = now

    def watch(self, machine: Any, after: Callable[[Any], None] | None = None) -> None:  # noqa: ANN401 - any machine
        """Have a state machine validated after each event; `after` is told the event then."""
        handle = machine.handle

        def validated(event: Any, *now: float) -> Any:  # noqa: ANN401 - of any machine
            done = handle(event, *now)
            machine.validate()
            if after is not None:
                after(event)
            return done

        machine.handle = validated
        self.plant.machines[self.me.name] = machine
