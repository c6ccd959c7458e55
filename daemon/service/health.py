"""Whether a service is well, in words: one text for /healthz and for who looks at the screen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from daemon.service.plans import OPTIONAL
from daemon.wire.messages import Area, LineTrouble
from stages.events import (
    ArchiveInStep,
    ArchiveLacks,
    ChecksOverdue,
    OutputFailing,
    OutputWorks,
    RoomEnough,
    RoomShort,
    StoreFailing,
    StoreWorks,
)
from stages.plc import Trouble

Heard = (
    StoreFailing
    | StoreWorks
    | RoomShort
    | RoomEnough
    | ArchiveLacks
    | ArchiveInStep
    | ChecksOverdue
    | OutputFailing
    | OutputWorks
)
"""What record and the outputs say of how they are."""


@dataclass(slots=True)
class Condition:
    """What the health of a service depends on, as far as is known."""

    ready: bool = False
    """Every process has been up once."""
    line: Sequence[str] = ()
    """What is wrong with camera and switch."""
    down: Sequence[str] = ()
    """Names of processes that should be up and are not."""
    role_lost: str | None = None
    done_without: set[str] = field(default_factory=set)
    """Roles that are lost, and without which the service goes on."""
    outputs_failing: dict[str, str] = field(default_factory=dict)
    """Why an output does not get through, by its process."""
    store_failing: str | None = None
    """How the result store fails; None while it works."""
    stopping: bool = False
    room_short: bool = False
    """Pictures give way, because the disk has little room left."""
    archive_lacks: str | None = None
    """Why plates are missing in the archive; None while none are."""
    journal_failing: str | None = None
    """Why the journal of plates cannot be written; None while it can."""
    plc_unread: str | None = None
    """Why the PLC that gives ids cannot be read; None while it can, and where there is none."""
    recipe: str = ""
    """Name of the recipe by which the plates to come are judged."""
    checks_overdue: Mapping[str, str] = field(default_factory=dict)
    """Why plates of a recipe cannot be OK, by its name."""
    overdue: str | None = None
    """Which plate has had no verdict for too long, and what it waits for."""

    def joined(self, process: str) -> None:
        """A new process is there, and says by itself what does not work."""
        if process == "record-0":
            self.store_failing, self.room_short, self.archive_lacks = None, False, None
        self.outputs_failing.pop(process, None)

    def hear(self, process: str, said: Heard) -> None:
        """Record says how the store and the disk are, an output how its peer is."""
        match said:
            case OutputFailing(output, text):
                self.outputs_failing[process] = f"output {output} fails: {text}"
            case OutputWorks():
                self.outputs_failing.pop(process, None)
            case StoreFailing(kind=kind):
                self.store_failing = kind
            case StoreWorks():
                self.store_failing = None
            case ChecksOverdue(recipes):
                self.checks_overdue = recipes
            case ArchiveLacks(text):
                self.archive_lacks = text
            case ArchiveInStep():
                self.archive_lacks = None
            case RoomShort() | RoomEnough():
                self.room_short = isinstance(said, RoomShort)


def reasons(condition: Condition) -> tuple[str, ...]:
    """Why the service is not well; nothing when it is."""
    return tuple(one.text for one in found(condition))


def troubles(condition: Condition, *, full: bool) -> tuple[Trouble, ...]:
    """The same for a PLC, each once; `full`: a sheet that came now would find no room in the plate memory."""
    standing = {one.trouble for one in found(condition)} | ({Trouble.NO_SLOT} if full else set())
    return tuple(one for one in Trouble if one in standing)


def found(condition: Condition) -> tuple[LineTrouble, ...]:
    """The same for the screen, each with where on the line it is."""
    return tuple(LineTrouble(*one) for one in _found(condition))


def _found(condition: Condition) -> Iterator[tuple[Area, Trouble, str]]:
    if not condition.ready:
        yield Area.PROCESSES, Trouble.STARTING, "starting"
    for name in condition.down if condition.ready else ():
        optional = name.rpartition("-")[0] in OPTIONAL
        yield Area.PROCESSES, Trouble.ATTENTION if optional else Trouble.PROCESS_DOWN, f"{name} is down"
    for text in condition.line:
        yield Area.CAMERA, Trouble.CAMERA, text
    if condition.role_lost is not None:
        yield Area.PROCESSES, Trouble.PROCESS_DOWN, f"role {condition.role_lost} is lost"
    for role in sorted(condition.done_without):
        yield Area.PROCESSES, Trouble.ATTENTION, f"role {role} is lost: {OPTIONAL[role]}"
    for _, text in sorted(condition.outputs_failing.items()):
        yield Area.PLC, Trouble.ATTENTION, text
    if condition.plc_unread is not None:
        yield Area.PLC, Trouble.ATTENTION, f"ids of sheets are unknown: {condition.plc_unread}"
    if condition.store_failing is not None:
        yield Area.DISK, Trouble.STORE_FAILS, f"the result store fails ({condition.store_failing})"
    if condition.journal_failing is not None:
        yield Area.DISK, Trouble.ATTENTION, f"the journal of plates fails ({condition.journal_failing})"
    if condition.overdue is not None:
        yield Area.VERDICTS, Trouble.NO_VERDICT, condition.overdue
    if condition.recipe in condition.checks_overdue:
        text = f"no plate can be OK: {condition.checks_overdue[condition.recipe]}"
        yield Area.VERDICTS, Trouble.CHECK_OVERDUE, text
    if condition.room_short:
        yield Area.DISK, Trouble.ATTENTION, "room on the disk is short: pictures give way"
    if condition.archive_lacks is not None:
        yield Area.DISK, Trouble.ATTENTION, f"plates are missing in the archive: {condition.archive_lacks}"
    if condition.stopping:
        yield Area.PROCESSES, Trouble.STOPPING, "stopping"
