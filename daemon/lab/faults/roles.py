"""The real roles (daemon/service/roles/) as simulated processes, and what of the world around them is replaced."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from daemon.lab.faults import workers
from daemon.lab.faults.belt import STRIP_ROWS, BeltCamera
from daemon.lab.faults.frame import Quiet, Simulated
from daemon.lab.faults.peer import peer
from daemon.lab.faults.plant import BUFFERS, RUN, Plant
from daemon.lab.faults.store import (
    NoGolden,
    NoOptics,
    SimulatedPictures,
    SimulatedStore,
    SimulatedTellings,
    result_of,
)
from daemon.lab.faults.world import Clock, ProcessDied
from daemon.service import archiving, child, evidence_desk, line_switch, outgoing
from daemon.service.child import Plan
from daemon.service.roles import acquire, detect, line, merge, output, record, tile
from daemon.store.rows import RunFacts
from daemon.wire import channel
from daemon.wire.run_key import RunKey
from models.detector.detector import DetectorError
from stages import story
from stages.events import WindowScored
from stages.record import RecordLost
from stages.switch import SwitchState

_FACTS = asdict(RunFacts(RUN, "simulated", simulated=True, weights_sha256=workers.WEIGHTS))
_KEY = RunKey("", "")


class _Line(line.LineProcess, Simulated): ...


class _Acquire(acquire.AcquireProcess, Simulated):
    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self.watch(self._assembler)


class _Tile(tile.TileProcess, Simulated):
    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self.watch(self._ledger)


class _Detect(detect.DetectProcess, Simulated):
    def tick(self, now: float) -> None:
        super().tick(now)
        self._queue.validate()


class _Merge(merge.MergeProcess, Simulated):
    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self.watch(self._merger, self._note)

    def _note(self, event: object) -> None:
        """Note which sheet's pixels a result is of that was taken."""
        if isinstance(event, WindowScored) and event.result.run == RUN:
            state = self._merger._plates.get(event.result.plate)  # noqa: SLF001 - an observer looks behind the door
            if state is not None and state.results.get(event.result.window, event.result) is event.result:
                read = self.plant.history.scored.setdefault(event.result.plate, {})
                read[event.result.window] = self.plant.belt.names(int(event.result.seconds))


class _Record(record.RecordProcess, Simulated):
    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self.watch(self._recorder)

    def _give_up(self, lost: RecordLost, now: float) -> None:
        self.plant.history.untold.add(lost.plate)
        super()._give_up(lost, now)


class _Output(output.OutputProcess, Simulated):
    def start(self) -> None:
        super().start()
        self.watch(self._teller)


_ROLES: dict[str, type[Simulated]] = {
    "line": _Line,
    "acquire": _Acquire,
    "tile": _Tile,
    "detect": _Detect,
    "classify": workers.SimulatedClassify,
    "merge": _Merge,
    "record": _Record,
    "output": _Output,
}


def run_role(plan: Plan) -> None:
    """What a simulated process does. Raises ProcessDied where it ends by its own fault."""
    try:
        _ROLES[plan.role](plan).run()
    except DetectorError as error:
        raise ProcessDied from error


def plan_of(role: str, index: int, incarnation: int, switch: SwitchState, camera_row: int | None) -> Plan:
    """What a process is told at its start."""
    plant = Plant.current
    return Plan(
        run=RUN,
        role=role,
        index=index,
        incarnation=incarnation,
        key=_KEY,
        sockets="/",
        state="/",
        config={},
        recipe={},
        shape=plant.memory.shape,
        plates_fd=-1,
        camera_fd=_strips(plant.setting.columns),
        lifeline_fd=-1,
        supervisor_pid=0,
        switch=switch,
        camera_row=camera_row if incarnation > 1 else None,
        facts=_FACTS,
    )


@lru_cache
def _strips(columns: int) -> int:
    """The strip buffers between camera and acquisition, real ones."""
    fd = os.memfd_create("linesentry-simulated-strips")
    os.ftruncate(fd, BUFFERS * STRIP_ROWS * columns)
    return fd


def _camera(*_order: object) -> BeltCamera:
    camera = BeltCamera(Plant.current.belt)
    Plant.current.cameras.append(camera)
    return camera


class _Stores:
    @staticmethod
    def open(_path: Path) -> SimulatedStore:
        Plant.current.disk.use(write=False)
        return SimulatedStore(Plant.current.disk)


class _NoLog:
    @staticmethod
    def get_logger() -> Quiet:
        return Quiet()


def _nothing(*_what: object) -> None: ...


_REPLACED: list[tuple[ModuleType, dict[str, Any]]] = [
    *((module, {"time": Clock}) for module in (child, line, tile, detect, merge, record, output, outgoing)),
    *((module, {"time": Clock}) for module in (line_switch, story)),
    (channel, {"encode": lambda envelope: envelope}),
    (line, {"open_camera": _camera}),
    (
        detect,
        {
            "Detector": workers.SimulatedDetector,
            "score_windows": workers.score_windows,
            "warm_up": _nothing,
        },
    ),
    (
        record,
        {
            "Store": _Stores,
            "OpticsOfRecipes": NoOptics,
            "GoldenWatch": NoGolden,
            "result_of": result_of,
            "note": _nothing,
        },
    ),
    (evidence_desk, {"PictureKeeper": SimulatedPictures, "structlog": _NoLog}),
    (archiving, {"time": Clock, "structlog": _NoLog}),
    (outgoing, {"Tellings": SimulatedTellings}),
    (output, {"open_link": lambda _settings: peer(), "open_requests": _nothing, "missing_package": _nothing}),
]


@contextmanager
def replaced() -> Iterator[None]:
    """Roles live in the simulation within this, and in the real world outside of it."""
    before = [(module, name, getattr(module, name)) for module, names in _REPLACED for name in names]
    for module, names in _REPLACED:
        for name, stand_in in names.items():
            setattr(module, name, stand_in)
    try:
        yield
    finally:
        for module, name, real in before:
            setattr(module, name, real)
