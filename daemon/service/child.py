"""What every child process runs: set up, loop, heartbeat, tear down.

A child is started by exec with the descriptors it needs, learns everything else from one of them, leaves SIGINT and
SIGTERM to the supervisor, and dies with it: by the kernel's parent-death signal and by the end of a pipe,
whichever comes first.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import msgspec
import structlog
import zmq

from config.schema import Config, Recipe
from daemon.service.hanging import Hanging, Storied
from daemon.service.overdue import within_s
from daemon.service.signals import IGNORED, ORDERS
from daemon.service.unusable import UNUSABLE, UnusableError, say_why
from daemon.telemetry.counters import Tally
from daemon.telemetry.logs import configure
from daemon.telemetry.recent import RECENT
from daemon.wire.channel import Client, Event, Server
from daemon.wire.messages import (
    Exit,
    Heartbeat,
    KeepRecipes,
    LoadRecipe,
    LogLine,
    NumberedRecipe,
    Progress,
    RecipeLoaded,
    Sender,
)
from daemon.wire.plate_memory import PlateMemory, Shape
from daemon.wire.run_key import RunKey
from stages.recipes import FIRST
from stages.switch import SwitchState

ROLES = ("line", "acquire", "tile", "detect", "classify", "merge", "record", "output", "archive", "challenge", "web")
_PR_SET_PDEATHSIG = 1
_POLL_S = 0.1
_MOST_PLAN_BYTES = 64 << 20
_LOG_LINES = 10
"""Of the log in one heartbeat."""


class Plan(msgspec.Struct, frozen=True):
    """All that a child is told at its start."""

    run: str
    role: str
    index: int
    incarnation: int
    key: RunKey
    sockets: str
    """Directory of the run's sockets, mode 0700."""
    state: str
    """State directory of the service."""
    config: dict[str, object]
    recipe: dict[str, object]
    shape: Shape
    plates_fd: int
    camera_fd: int
    """Strip buffers between camera and acquisition; -1 where the role has no use for them."""
    lifeline_fd: int
    supervisor_pid: int
    switch: SwitchState = SwitchState(1)
    """Where the supervisor's count of the switch stands."""
    camera_row: int | None = None
    """Camera row up to which the supervisor has heard the switch; None on a line never heard before."""
    facts: dict[str, object] = {}
    """What is stored with every plate of the run that the first recipe judges."""
    recipes: tuple[NumberedRecipe, ...] = ()
    """Those that are loaded beside the first one."""
    first_is_used: bool = True
    """Plates may still be judged by the first one."""
    begins: tuple[tuple[int, int], ...] = ((0, FIRST),)
    """Which recipe judges which plate (stages/recipes.py)."""
    plates: int | None = None
    """Sheets after which a replayed line ends; None for ever."""
    passed: int = 0
    """Sheets of this run that the switch has seen: a replay goes on with the next."""

    @property
    def sender(self) -> Sender:
        """The identity of this incarnation."""
        return Sender(self.run, self.role, self.index, self.incarnation)


class Child:
    """The frame of a child process; a role registers its endpoints and overrides `tick`."""

    role: ClassVar[str]

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.me = plan.sender
        self.config = Config.model_validate(plan.config)
        self.recipe = Recipe.model_validate(plan.recipe)
        """The first one, with which the run began."""
        self.recipes = {FIRST: self.recipe}
        """Those that are ready, by number."""
        self.facts = {FIRST: plan.facts}
        self.log = structlog.get_logger()
        self.tally = Tally()
        self.note = ""
        self.troubles: tuple[str, ...] = ()
        """What keeps the next sheet from its inspection, for health."""
        self._starting = True
        self.waited_s = 0.0
        """Time of this round that a role spent waiting elsewhere than in the loop, s: it counts as no work."""
        self.stopping = False
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._poller = zmq.Poller()
        self._endpoints: dict[Client | Server, Callable[[Event, float], None]] = {}
        self.beat_s = self.config.restart.heartbeat_s
        """Between two heartbeats, s."""
        self._beat_at = 0.0
        self._hanging = Hanging(within_s(self.config, self.recipe))
        self._waits_for: dict[int, str] = {}
        """What the oldest open plate waits for here, for the supervisor."""
        self._poller.register(plan.lifeline_fd, zmq.POLLIN)
        self.supervisor = self.connect("supervisor", self.on_supervisor)

    # --- for roles -------------------------------------------------------------------------------------------

    def connect(self, address: str, handler: Callable[[Event, float], None]) -> Client:
        """Connect to another process's socket; its events go to the handler."""
        client = Client(self.context, self.me, Path(self.plan.sockets) / address, self.plan.key)
        self._register(client, handler)
        return client

    def bind(self, address: str, handler: Callable[[Event, float], None]) -> Server:
        """Bind a socket of this process; its events go to the handler."""
        server = Server(self.context, self.me, Path(self.plan.sockets) / address, self.plan.key)
        self._register(server, handler)
        return server

    def plate_memory(self) -> PlateMemory:
        """Map the plate memory."""
        return PlateMemory(self.plan.plates_fd, self.plan.shape)

    def other_weights(self, fact: str, found: str, number: int = FIRST) -> str | None:
        """Why weights with that SHA-256 must not be used: results would name others. None where they may."""
        stored = self.facts[number].get(fact)
        if found == stored:
            return None
        return (
            f"the weights file has the sha256 {found}, the service started with {stored}: it was replaced meanwhile, "
            "and results would name the wrong weights; restart the service to use the new ones"
        )

    def explain(self, machine: Storied, now: float) -> None:
        """Say what the oldest open plate waits for; log the story of one that hangs, once."""
        oldest = min(machine.open_plates, default=None)
        self._waits_for = {} if oldest is None else {oldest: machine.waits_for(oldest)}
        plate = self._hanging.look(machine, now)
        if plate is not None:
            waits_for, story = machine.waits_for(plate), machine.story(plate)
            self.log.warning("plate hangs", plate=plate, waits_for=waits_for, story=story)

    def load_recipe(self, number: int, recipe: Recipe) -> None:
        """Have a further recipe ready; roles extend it. Raises UnusableError for one that cannot be had here."""

    def forget_recipe(self, number: int) -> None:
        """No plate is judged by that recipe any more; roles extend it."""

    def start(self) -> None:
        """What takes long before the loop: loading, mapping. Raises UnusableError."""

    def tick(self, now: float) -> None:
        """What is due without a message; called after each round of the loop."""

    def wait_s(self) -> float:
        """Longest time to wait for a message, s; 0 when there is work at hand."""
        return _POLL_S

    def progress(self) -> dict[int, Progress]:
        """How far each open plate is, for people who watch; asked with each heartbeat."""
        return {}

    def stop(self) -> None:
        """Give back what the role holds."""

    def on_supervisor(self, event: Event, now: float) -> None:
        """A command of the supervisor; roles extend it."""
        match event[1]:
            case Exit():
                self.stopping = True
            case LoadRecipe(recipe):
                self.supervisor.send(RecipeLoaded(recipe.number, self._load(recipe)), now)
            case KeepRecipes(numbers):
                for number in [one for one in self.recipes if one not in numbers]:
                    self.forget_recipe(number)
                    if number != FIRST:
                        del self.recipes[number], self.facts[number]

    # --- the loop --------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Run until the supervisor says so or is gone."""
        try:
            # Before it takes up what a predecessor left: plates of any of them may be open.
            self._load_others()
            self.start()
        except UnusableError:
            self.close()
            raise
        self._starting = False
        self.beat(time.monotonic())
        while not self.stopping:
            ready = dict(self._poller.poll(round(self.wait_s() * 1000)))
            now = time.monotonic()
            if self.plan.lifeline_fd in ready:
                self.log.error("the supervisor is gone")
                break
            for endpoint, handler in self._endpoints.items():
                if endpoint.socket in ready:
                    for event in endpoint.receive(now):
                        handler(event, now)
                else:
                    endpoint.tick(now)
            self.tick(time.monotonic())
            self.tally.add("busy_seconds_total", max(0.0, time.monotonic() - now - self.waited_s), self.role)
            self.waited_s = 0.0
            self.beat(time.monotonic())
        self.stop()
        self.close()

    def close(self) -> None:
        """Close the sockets: a process with open ones does not end."""
        for endpoint in self._endpoints:
            endpoint.close()
        self.context.destroy(linger=0)

    def beat(self, now: float, *, force: bool = False) -> None:
        """Send a heartbeat when it is due."""
        if not force and now - self._beat_at < self.beat_s:
            return
        self._beat_at = now
        for endpoint in self._endpoints:
            for reason, count in endpoint.refused.items():
                self.tally.add("messages_refused_total", count, reason)
            endpoint.refused.clear()
        body = Heartbeat(
            pid=os.getpid(),
            counters=self.tally.values(),
            note=self.note,
            starting=self._starting,
            plates=self.progress(),
            waits_for=self._waits_for,
            troubles=self.troubles,
            log=tuple(LogLine(*line) for line in RECENT.take(_LOG_LINES)),
        )
        self.supervisor.send(body, now, keep=False)

    def _load_others(self) -> None:
        """Have ready what a predecessor had, and all that is named at the start, where it ends if one cannot be had."""
        for recipe in self.plan.recipes:
            if why := self._load(recipe):
                if self.me.incarnation == 1:
                    raise UnusableError(why)
                self.log.error("a loaded recipe cannot be loaded again", recipe=recipe.recipe["name"], error=why)

    def _load(self, loaded: NumberedRecipe) -> str:
        """Have a recipe ready; why that cannot be, empty where it is."""
        number, recipe = loaded.number, Recipe.model_validate(loaded.recipe)
        if number in self.recipes:
            return ""
        self.recipes[number], self.facts[number] = recipe, loaded.facts
        try:
            self.load_recipe(number, recipe)
        except UnusableError as error:
            del self.recipes[number], self.facts[number]
            return f"recipe {recipe.name}: {error}"
        self._hanging.within_s = max(within_s(self.config, one) for one in self.recipes.values())
        return ""

    def _register(self, endpoint: Client | Server, handler: Callable[[Event, float], None]) -> None:
        self._endpoints[endpoint] = handler
        self._poller.register(endpoint.socket, zmq.POLLIN)


def die_with_parent(parent: int) -> None:
    """Ask the kernel to kill this process when its parent ends; end now if that has happened already."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)


def hand_over(plan: Plan) -> int:
    """The plan in memory without a name, as a descriptor for its process: nobody else finds the run's key there."""
    descriptor = os.memfd_create("linesentry-plan")
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(msgspec.json.encode(plan))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


class PlanError(Exception):
    """There is no plan where one should be; the message says what was found."""


def take_over(descriptor: int) -> Plan:
    """The plan that was handed over, once: it is gone from there. Raises PlanError for anything else."""
    try:
        with open(descriptor, "r+b") as file:
            file.seek(0)
            plan = msgspec.json.decode(file.read(_MOST_PLAN_BYTES), type=Plan)
            file.truncate(0)
    except (OSError, OverflowError, ValueError, RecursionError) as error:
        raise PlanError(
            f"descriptor {descriptor} holds no plan ({error}): `linesentry run` starts this process"
        ) from error
    return plan


def main() -> None:
    """Entry of every child: `python -m daemon.service.child NAME PLAN`, where PLAN is a descriptor of its plan."""
    try:
        plan = take_over(int(sys.argv[2]))
    except PlanError as error:
        sys.exit(f"linesentry: {error}")
    die_with_parent(plan.supervisor_pid)
    for number in (*ORDERS, *IGNORED):
        signal.signal(number, signal.SIG_IGN)
    level = Config.model_validate(plan.config).telemetry.log_level
    configure(plan.sender.name, run=plan.run, level=level)
    try:
        _made(plan).run()
    except UnusableError as error:
        structlog.get_logger().critical("what this process is to do cannot be done", error=str(error))
        say_why(plan.sockets, plan.sender.name, error)
        sys.exit(UNUSABLE)


def _made(plan: Plan) -> Child:
    """The process of that role, by its name: daemon/service/roles/<role>.py has its class as ROLE."""
    if plan.role not in ROLES:
        raise ValueError(f"there is no role {plan.role!r}: the roles are {', '.join(ROLES)}")
    child: Child = importlib.import_module(f"daemon.service.roles.{plan.role}").ROLE(plan)
    return child


if __name__ == "__main__":
    main()
