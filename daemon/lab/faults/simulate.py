"""One schedule: the line is set up, the sheets pass, the faults strike, and in the end all must be over and right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from daemon.lab.faults.history import broken_promises
from daemon.lab.faults.plant import Plant
from daemon.lab.faults.schedule import LASTING, Fault, Schedule
from daemon.lab.faults.store import Disk
from daemon.lab.faults.supervisor import SimulatedSupervisor
from daemon.lab.faults.world import BEGIN_S
from stages.record import Failing

_STEP_S = 0.5
_LONGEST_LINE_S = 600.0
DRAIN_S = 120.0
"""After the last fault and the last sheet everything must be over within so long."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a schedule."""

    schedule: Schedule
    broken: tuple[str, ...]
    """Promises that were broken, and exceptions that no process may raise; empty where all is well."""
    plates: int
    virtual_s: float
    verdicts: dict[str, int]
    steps: int
    """Things that happened, one after the other: the same for the same schedule."""


def simulate(schedule: Schedule) -> Outcome:
    """Run it; within daemon.lab.faults.roles.replaced()."""
    plant = Plant.of(schedule.setting)
    world, history = plant.world, plant.history
    supervisor = SimulatedSupervisor(plant)
    for fault in schedule.faults:
        world.at(BEGIN_S + fault.at, strike, plant, supervisor, fault)
    last = max((_ends(fault) for fault in schedule.faults), default=0.0)
    give_up = BEGIN_S + last + _LONGEST_LINE_S
    over_since: float | None = None
    while not world.faults_found:
        world.run(world.now + _STEP_S)
        struck = world.now >= BEGIN_S + last and supervisor.line_ended
        if struck:
            over_since = world.now if over_since is None else over_since
        if struck and _is_over(plant, supervisor):
            break
        if world.now > (give_up if over_since is None else over_since + DRAIN_S):
            break
    for camera in plant.cameras[-1:]:
        history.must_be_seen.update(camera.told)
    history.stored = {row.plate: row.verdict and row.verdict.value for row in plant.disk.rows.values()}
    history.open_plates = sorted(supervisor.open)
    history.slots_held = [
        f"{one.slot}: plate {one.plate} by {sorted(h.name for h in one.holds)}" for one in plant.memory.held
    ]
    history.waits = _waits(plant, history.open_plates)
    broken = [*world.faults_found, *(() if world.faults_found else broken_promises(history))]
    if not supervisor.line_ended and not broken:
        broken = ["the line did not end"]
    steps = world.steps
    world.end()
    verdicts: dict[str, int] = {}
    for _, verdict, _ in history.verdicts:
        verdicts[verdict] = verdicts.get(verdict, 0) + 1
    return Outcome(schedule, tuple(broken), len(history.seen), world.now - BEGIN_S, verdicts, steps)


def strike(plant: Plant, supervisor: SimulatedSupervisor, fault: Fault) -> None:
    """Let a fault happen."""
    now = plant.world.now
    match fault.kind:
        case "kill":
            supervisor.kill(fault.who)
        case "stop":
            process = supervisor.kids[fault.who].process
            if process is not None:
                process.pause(fault.much)
        case "cut" | "slow" | "garble":
            _strike_connection(plant, fault)
        case "store fails" | "store answers not" | "store is slow" | "store refuses":
            _strike_store(plant.disk, fault)
        case "nonsense":
            plant.nonsense[fault.who] = plant.nonsense.get(fault.who, 0) + int(fault.much)
        case "poison":
            plant.poisoned.add(plant.belt.sheets[int(fault.much)].truth.name)
        case "classifier lies":
            plant.lies += int(fault.much)
        case "classifier lost":
            if "classify-0" in supervisor.kids:
                supervisor.lose_classifier()
        case "strips lost":
            plant.belt.lost_until = now + fault.much
        case "peer away":
            plant.peer_away_until = now + fault.much
        case "peer echoes wrong":
            plant.wrong_echoes += int(fault.much)
        case "suspend":
            supervisor.suspend(fault.much)


def _strike_connection(plant: Plant, fault: Fault) -> None:
    client, _, address = fault.who.partition(">")
    link = plant.network.links.get((client, address))
    if link is None:
        return
    match fault.kind:
        case "cut":
            link.break_off(again=True)
        case "slow":
            link.slow_until, link.slow_s = plant.world.now + fault.much, fault.much / 2
        case _:
            link.to_lose += int(fault.much)


def _strike_store(disk: Disk, fault: Fault) -> None:
    now = disk.world.now
    match fault.kind:
        case "store is slow":
            disk.slow_until = now + fault.much
        case "store refuses":
            disk.refuses += int(fault.much)
        case _:
            disk.failing = next(how for how in get_args(Failing) if how == fault.who)
            disk.fails_until, disk.written = now + fault.much, fault.kind == "store answers not"


def _ends(fault: Fault) -> float:
    return fault.at + (fault.much if fault.kind in LASTING else 0.0)


def _is_over(plant: Plant, supervisor: SimulatedSupervisor) -> bool:
    told = not plant.setting.output or all(row.told for row in plant.disk.rows.values() if row.verdict is not None)
    return not supervisor.open and not plant.memory.held and told


def _waits(plant: Plant, plates: list[int]) -> str:
    if not plates:
        return ""
    machines = {name: plant.machines.get(name) for name in ("tile-0", "merge-0")}
    said = [f"{name} {machine.waits_for(plates[0])}" for name, machine in machines.items() if machine is not None]
    return "; ".join(said)
