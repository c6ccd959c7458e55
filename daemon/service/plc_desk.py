"""What the supervisor answers a PLC that asks: the ids of the next sheet, resets of alarms, and whether it is ready."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import structlog

from config.schema import Config
from daemon.service import health
from daemon.service.sightings import Sighting
from daemon.wire.channel import Server
from daemon.wire.plate_memory import PlateMemory
from stages.events import Noted
from stages.plc import Alarms, Answers, IdsAnswer, Part, PartIds, PlcAnswers, PlcAsks, Trouble

_AGAIN_S = 0.5
"""The answers are said so often at least: who hears nothing takes the service for not ready."""
_TELL_S = 1.0
"""A PLC that writes whatever it likes does not fill the log."""


class PlcDesk:
    """The desk of one run; does nothing at all where no PLC asks, and none is shown how things stand."""

    def __init__(self, config: Config) -> None:
        asking = config.outputs.asking
        self.process = None if asking is None else f"output-{asking}"
        """The process of the output whose PLC asks; None where none does."""
        self._shown = [f"output-{index}" for index in config.outputs.showing]
        """The processes of outputs that show how things stand."""
        self._loses = config.overload == "skip" or not config.camera.waits
        """A sheet that finds no slot is not inspected."""
        self.fault: str | None = None
        """Why the PLC cannot be read; None while it can."""
        self._golden = config.golden.part_id
        self._ids = PartIds(0)
        self._alarms = Alarms()
        self._said: Answers | None = None
        self._said_at = 0.0
        self._told: tuple[int, IdsAnswer | None] = (0, None)
        """The answer to ids that was logged last."""
        self._told_at = 0.0
        self._log = structlog.get_logger()

    def begin(self, link: Server, first_plate: int, part_ids: Mapping[str, int] | None = None) -> None:
        """The run has begun: so its plates are numbered, and these part ids belong to plates of before."""
        self._link = link
        self._ids = PartIds(first_plate, part_ids, self._golden)

    def gone(self, process: str) -> None:
        """A process ended: what it has read stands there no more, as far as anybody knows."""
        if process == self.process:
            self._ids.asked(None)

    def hear(self, process: str, asks: PlcAsks, now: float) -> None:
        """What the PLC asks for."""
        if process != self.process:
            return
        self._ids.asked(asks.asked)
        self._tell_ids(now)
        if asks.asked is None:
            self._log.error("the PLC cannot be asked for ids", error=asks.fault)
            self.fault = asks.fault
            return
        if self.fault is not None:
            self._log.warning("the PLC can be asked for ids again")
            self.fault = None
        gone = self._alarms.asked(asks.asked.reset)
        if gone:
            names = {"reset": sorted(gone), "standing": sorted(self._alarms.standing)}
            self._log.warning("alarms reset by the PLC", **names)
            text = "; ".join(f"{what}: {', '.join(found)}" for what, found in names.items() if found)
            self._link.send("record-0", Noted("alarms reset", text), now)

    def saw(self, sighting: Sighting) -> Part | None:
        """What the PLC said of a plate that the switch saw; None where no PLC is asked."""
        if self.process is None:
            return None
        part = self._ids.came(sighting.plate, sighting.not_before)
        if part.unknown is not None:
            self._log.warning("id unknown", plate=sighting.plate, reason=part.unknown)
        return part

    def pulse(self, condition: Callable[[], health.Condition], memory: PlateMemory, now: float) -> None:
        """Have the PLCs told how things stand."""
        if not self._shown:
            return
        full = self._loses and not memory.counts()["free"]
        troubles = health.troubles(condition(), full=full)
        self._alarms.look(troubles)
        plate, ids = self._ids.answer
        reset, done = self._alarms.answer
        standing = tuple(one for one in Trouble if one in self._alarms.standing)
        answers = Answers(self._ids.next_plate, troubles, standing, plate, ids, reset, done)
        if answers != self._said or now - self._said_at >= _AGAIN_S:
            self._said, self._said_at = answers, now
            for process in self._shown:
                self._link.send(process, PlcAnswers(answers), now, keep=False)

    def _tell_ids(self, now: float) -> None:
        """Say in the log, now and then, what the PLC may have meant otherwise."""
        plate, answer = self._ids.answer
        if answer in (None, IdsAnswer.TAKEN, IdsAnswer.USED) or (plate, answer) == self._told:
            return
        if now - self._told_at >= _TELL_S:
            self._told, self._told_at = (plate, answer), now
            self._log.warning("ids of the PLC refused", plate=plate, answer=answer)
