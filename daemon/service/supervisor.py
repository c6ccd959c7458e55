"""The supervisor: starts, watches and restarts the processes of one service, and counts what the switch saw.

It owns the plate memory, the metrics registry, the service's word to systemd and the ledger of plates. It does no
inspection itself, so that it can outlive every process that does.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from importlib.metadata import version

import structlog
import zmq

from config.schema import Recipe
from daemon.service import health
from daemon.service.child import Plan
from daemon.service.child_plans import Plans
from daemon.service.children import Children, Kid
from daemon.service.ledger import RunLedger
from daemon.service.needs import service_needs
from daemon.service.notify import Notifier
from daemon.service.observer import Observer
from daemon.service.overdue_alarm import OverdueAlarm
from daemon.service.plans import OPTIONAL, ServiceError, losses_told, plate_shape, processes, run_facts
from daemon.service.plc_desk import PlcDesk
from daemon.service.publisher import Publisher
from daemon.service.recipe_desk import RecipeDesk
from daemon.service.recipes import Recipes
from daemon.service.resources import Resources
from daemon.service.sightings import Sighting, Sightings
from daemon.service.signals import Signals
from daemon.service.sockets import SocketDirectory, allow_many_connections
from daemon.service.sources import Sources
from daemon.service.stopping import GIVE_UP_S, End, Stopping, TellAbort
from daemon.service.unusable import UNUSABLE, said_why
from daemon.store.state import Lock, RunEnd, StateDirectory
from daemon.telemetry.metrics import Metrics
from daemon.telemetry.server import Health
from daemon.telemetry.vram import Vram
from daemon.wire import messages as m
from daemon.wire.channel import Joined
from daemon.wire.plate_memory import Hold
from models.machine.memory import shortage
from stages.events import (
    Abort,
    Aborted,
    AcquisitionEnded,
    ChangeRecipe,
    DecidedUnseen,
    LineEnded,
    SayAgain,
    SwitchHeard,
    VerdictCommitted,
    WorkerGone,
)
from stages.plate import Cause
from stages.plc import PlcAsks

_POLL_MS = 50
_EXIT_S, _REFUSED_EXIT_S = 10.0, 0.5


class Supervisor:
    """One run of the service: `run()` returns its exit code; 2, with `refusal`, where it could never work.

    The signals are collected already: one is an order to stop all processes, from before the first of them starts.
    """

    def __init__(
        self, sources: Sources, state: StateDirectory, signals: Signals, observers: Sequence[Observer[Supervisor]] = ()
    ) -> None:
        self.config = config = sources.config
        self.sources = sources
        self.state = state
        self.run_id = uuid.uuid4().hex
        self.shape = plate_shape(config, sources.recipes)
        self._observers = observers
        self._log = structlog.get_logger().bind(run=self.run_id)
        self._notifier = Notifier()
        self._vram = Vram()
        self._wanted = processes(config, sources.recipes, gpu=self._vram.available)
        self.signals, self.stopping = signals, Stopping(config.drain_s)
        self._condition = health.Condition()
        self._line_ended = self._acquire_ended = self._aborted_store = False
        self.refusal: str | None = None
        """Why this configuration can never run here, as a process found at its start."""
        waits = config.camera.waits and config.overload == "wait"
        self.metrics = Metrics(version("linesentry"), sources.recipes[0].name, line_waits=waits)
        self._publisher = Publisher(self.metrics, self._notifier, self._vram, config.restart.start_s)
        self._plc = PlcDesk(config)
        self._desk: RecipeDesk | None = None
        """None before the run has begun."""
        self.ledger = RunLedger(self.metrics, lambda plate: self.desk.recipes.recipe_of(plate).pitch, self._log)

    @property
    def workers(self) -> int:
        """Detect processes of this run."""
        return self._wanted["detect"]

    @property
    def finished(self) -> bool:
        """As many plates as were asked for have been seen."""
        return self.sources.plates is not None and self.ledger.seen >= self.sources.plates

    @property
    def recipe(self) -> Recipe:
        """By which the plates to come are judged."""
        return self.sources.recipes[0] if self._desk is None else self._desk.active

    @property
    def desk(self) -> RecipeDesk:
        """For the recipes of the run, which has begun."""
        assert self._desk is not None
        return self._desk

    @property
    def hurried(self) -> bool:
        """A second signal came: the run ends at once."""
        return self.signals.hurry

    def run(self) -> int:
        """Run until the line ends or a signal says so; 1 when a role was lost, else what RunLedger.exit_code says."""
        if self.signals.received:
            self._log.info("signal received: nothing was begun", signal=self.signals.received[0].name)
            return 0
        allow_many_connections()
        with ExitStack() as held:
            held.callback(self._notifier.close)
            held.callback(self._vram.close)
            lock = held.enter_context(self.state.lock())
            try:
                self.sockets = held.enter_context(SocketDirectory(self.state.path, self.run_id))
                self._begin(lock, held)
            except (OSError, zmq.ZMQError) as error:
                raise ServiceError(f"the service cannot start: {error.strerror or error}") from error
            end = RunEnd.FAILED
            try:
                for role, count in self._wanted.items():
                    self._start(role, count)
                code = self._loop()
                if self.stopping.role_lost is None:
                    end = RunEnd.STOPPED
                return code
            finally:
                self._end()
                lock.ended(end)

    # --- beginning and end -----------------------------------------------------------------------------------

    def _begin(self, lock: Lock, held: ExitStack) -> None:
        self._notifier.extend(self.config.restart.start_s, "starting")
        # All of it together, before any of it is taken.
        if why := shortage(service_needs(self.config, self.sources.recipes, self.workers, self.sources.plates)):
            raise ServiceError(why)
        self._facts = run_facts(self.run_id, self.config, self.sources.recipes[0])
        recipes = Recipes(self.sources, self._facts, self.sockets.path)
        taken = self.resources = Resources.taken(
            held,
            self.config,
            self.shape,
            run=self.run_id,
            sockets=self.sockets.path,
            state=self.state.path,
            metrics=self.metrics,
            health=self._health,
        )
        self.memory, self.link, self._poller = taken.memory, taken.link, taken.poller
        self._plans = Plans(self.sources, recipes.active.told, self.state.path, self.sockets.path, taken)
        self.children = Children(self.config.restart, self._poller, self._plan, self._gone)
        self._desk = RecipeDesk(
            recipes,
            taken,
            wanted=self._wanted,
            ledger=self.ledger,
            signals=self.signals,
            lost=lambda: self._condition.done_without,
            start=self._start,
            at_work=lambda: self._condition.ready and self.children.all_up,
            switch=lambda: self._sightings.state,
            load_s=self.config.restart.start_s,
            metrics=self.metrics,
        )
        held.callback(self._desk.keeper.close)
        self._overdue = OverdueAlarm(self.config, recipes.recipe_of, self.metrics, self.ledger)
        # After all that may fail, so that it is this run that counts the plates that an earlier one left open.
        self.first_plate = self.ledger.begin_in_store(self.state.path, self._facts, lock.previous, self.config.store)
        lock.begun()
        self._plc.begin(self.link, self.first_plate, self.ledger.part_ids)
        self._sightings = Sightings(self.recipe.switch.debounce_rows, self.first_plate)
        self._log.info(
            "service starts",
            recipe=self.recipe.name,
            recipe_sha256=self._facts.recipe_sha256,
            workers=self.workers,
            ring_bytes=self.shape.total_bytes,
            metrics=f"http://{self.config.telemetry.host}:{taken.port}/metrics",
            state=str(self.state.path),
        )

    def _start(self, role: str, count: int = 1) -> None:
        self.metrics.set_role(role, 0, count, 0)
        for index in range(count):
            self.children.add(role, index, optional=role in OPTIONAL)

    def _end(self) -> None:
        self._notifier.stopping("stopping")
        self.children.kill_all()
        self.ledger.end_in_store(self.state.path, self._facts, self.stopping.cause or Cause.SHUTDOWN)
        verdicts = {verdict.lower(): count for verdict, count in self.ledger.verdicts.items()}
        self._log.info("service ended", seen=self.ledger.seen, **verdicts, open=len(self.ledger.open))

    def _plan(self, role: str, index: int, incarnation: int) -> tuple[Plan, tuple[int, ...]]:
        # A process that starts must find it.
        self.sockets.restore()
        if role in ("line", "acquire"):
            for sighting in self._sightings.begin_anew(self.memory.all_facts()):
                self._saw(sighting, time.monotonic())
        return self._plans.of(role, index, incarnation, self._sightings, self.desk.keeper, passed=self.ledger.seen)

    # --- the loop --------------------------------------------------------------------------------------------

    def _loop(self) -> int:
        while True:
            polled = dict(self._poller.poll(_POLL_MS))
            now = time.monotonic()
            self.sockets.keep(now)
            for sender, body in self.link.receive(now):
                if self.children.knows(sender.name):
                    self._handle(sender, body, now)
                else:
                    self.link.refused["name"] += 1
            self.children.reap(polled, now)
            for role in self.children.watch(now):
                self._lose(role, now)
            self.desk.step(now, stopping=self.stopping.begun)
            self._pulse(now)
            if (code := self._advance(now)) is not None:
                return code

    def _handle(self, sender: m.Sender, body: m.AnyMessage | Joined, now: float) -> None:
        match body:
            case Joined():
                self._condition.joined(sender.name)
                if sender.role == "record":
                    self.desk.say_open(now)
                for told in losses_told(self._condition.done_without).get(sender.name, ()):
                    self.link.send(sender.name, told, now)
                self._tell_abort(self.stopping.joined(sender.role), now)
            case m.Heartbeat():
                self.children.heard(sender.role, sender.index, body, now)
                self.metrics.heartbeat(sender.role, sender.index * 1_000_000 + sender.incarnation, body.counters)
            case SwitchHeard(strip, at, camera):
                for sighting in self._sightings.hear(sender.incarnation, strip, at, camera):
                    self._saw(sighting, now)
            case LineEnded():
                self._line_ended = True
            case AcquisitionEnded():
                self._acquire_ended = True
            case DecidedUnseen(plate):
                self._sightings.decided(plate)
            case VerdictCommitted():
                self._committed(body)
            case _ if isinstance(body, health.Heard):
                self._condition.hear(sender.name, body)
            case SayAgain():
                self.desk.say_open(now)
            case m.RecipeLoaded() | m.JudgesBy() | ChangeRecipe():
                self.desk.hear(sender.name, body, now)
            case PlcAsks():
                self._plc.hear(sender.name, body, now)
            case Aborted():
                self._aborted_store = True

    def _saw(self, sighting: Sighting, now: float) -> None:
        if self.stopping.begun or self.finished:
            return
        self.desk.saw(sighting, self._plc.saw(sighting), now)
        for one in self._observers:
            one.seen(sighting.plate)

    def _committed(self, committed: VerdictCommitted) -> None:
        for one in self._observers if self.ledger.committed(committed) else ():
            one.final(committed)

    def _pulse(self, now: float) -> None:
        for one in self._observers:
            one.pulse(self)
        self.ledger.tick()
        self._condition.overdue = self._overdue.look(now, self.memory, self.children, line_ended=self._line_ended)
        if not self._condition.ready and self.children.all_up:
            self._condition.ready = True
            self._notifier.ready(f"inspecting {self.recipe.name}")
            self._log.info("service ready")
        self._plc.pulse(self.condition, self.memory, now)
        self._publisher.publish(now, self.children, self.memory, self.ledger, self.link, ready=self._condition.ready)

    def _health(self) -> Health:
        details: dict[str, object] = {"run": self.run_id, "seen": self.ledger.seen, "open": len(self.ledger.open)}
        if self._desk is not None:
            active = self._desk.recipes.active.facts
            details |= {"recipe": active.recipe, "recipe_sha256": active.recipe_sha256}
        return Health(health.reasons(self.condition()), details)

    def condition(self) -> health.Condition:
        """What health depends on, now."""
        return replace(
            self._condition,
            recipe=self.recipe.name,
            # Asked from the server's thread, perhaps before there are any.
            down=self.children.down() if self._condition.ready else (),
            line=self.children.troubles if self._condition.ready else (),
            role_lost=self.stopping.role_lost,
            stopping=self.stopping.begun,
            journal_failing=self.ledger.journal_failure,
            plc_unread=self._plc.fault,
        )

    # --- processes that end ----------------------------------------------------------------------------------

    def _gone(self, kid: Kid, reason: str, now: float) -> None:
        self.metrics.restarted(kid.role, reason)
        self.metrics.ended(kid.role, kid.index * 1_000_000 + kid.incarnation)
        self._log.error("process ended", process=kid.name, reason=reason, status=kid.status)
        self.desk.gone(kid.name, now)
        self._plc.gone(kid.name)
        if kid.role == "detect":
            blamed = self.memory.read_board(kid.index) if reason == "died" else ()
            self.memory.write_board(kid.index, 0, ())
            self.link.send("tile-0", WorkerGone(kid.index, kid.incarnation, blamed), now)
        if kid.role == "line":
            # A camera that starts anew counts its rows and edges anew; acquisition must not mix the two.
            self._sightings.line_gone()
            self.children.restart("acquire", 0, "line restarted")
        if kid.status == UNUSABLE and not self._condition.ready:
            self._refused(kid, now)

    def _refused(self, kid: Kid, now: float) -> None:
        """At the start, a process that can never do its work is not started again and again."""
        self.children.give_up(kid.role)
        why = said_why(self.sockets.path, kid.name)
        if kid.role != "classify":
            self.refusal = self.refusal or why
        self._lose(kid.role, now, why)

    def _lose(self, role: str, now: float, why: str = "its restarts are spent") -> None:
        if role in OPTIONAL:
            self._log.critical(f"role lost: {OPTIONAL[role]}", role=role, why=why)
            self._condition.done_without.add(role)
            for peer, losses in losses_told({role}).items():
                self.link.send(peer, losses[0], now)
            return
        self._log.critical("role lost: open plates end INCONCLUSIVE", role=role, why=why)
        self._tell_abort(self.stopping.lose(role, now), now)

    # --- stopping --------------------------------------------------------------------------------------------

    def _advance(self, now: float) -> int | None:
        """One step towards the end, if there is one; the exit code when it is reached."""
        if self.hurried:
            self._log.warning("second signal received: ending at once")
            return 1
        if self.signals.received and not self.stopping.begun:
            self._log.info("signal received", signal=self.signals.received[0].name)
            self.stopping.begin(now)
            self._notifier.stopping("finishing the plates in flight")
            self._notifier.extend(self.config.drain_s + GIVE_UP_S + _EXIT_S, "finishing the plates in flight")
        closed, ended = not self.ledger.open and self._pictures_done(), self._line_ended and self._acquire_ended
        due = self.stopping.step(now, closed=closed, finished=self.finished or ended)
        self._tell_abort([told for told in due if isinstance(told, TellAbort)], now)
        return self._exit() if End() in due else None

    def _pictures_done(self) -> bool:
        """No plate that was counted waits for its pictures (those that came after the stop are not counted)."""
        if self._aborted_store or self.stopping.role_lost is not None:
            return True
        return not any(Hold.RECORD in f.holds and f.plate <= self.ledger.last for f in self.memory.all_facts())

    def _tell_abort(self, told: list[TellAbort], now: float) -> None:
        for one in told:
            self.link.send(f"{one.role}-0", Abort(one.cause), now)

    def _exit(self) -> int:
        self.children.stop_all(
            tell=lambda name: self.link.send(name, m.Exit(), time.monotonic()),
            listen=self.link.receive,
            # A process that is only just starting is not waited for where there was never anything to do.
            most_s=_EXIT_S if self.refusal is None else _REFUSED_EXIT_S,
            hurry=lambda: self.hurried,
        )
        if self.refusal is not None:
            return 2
        return self.ledger.exit_code if self.stopping.role_lost is None else 1
