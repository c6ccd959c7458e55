"""Whether a service is well, in words: one text for /healthz and for who looks at the screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from daemon.service.plans import OPTIONAL
from stages.events import OutputFailing, OutputWorks, RoomEnough, RoomShort, StoreFailing, StoreWorks

Heard = StoreFailing | StoreWorks | RoomShort | RoomEnough | OutputFailing | OutputWorks
"""What record and the outputs say of how they are."""


@dataclass(slots=True)
class Condition:
    """What the health of a service depends on, as far as is known."""

    ready: bool = False
    """Every process has been up once."""
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
    journal_failing: str | None = None
    """Why the journal of plates cannot be written; None while it can."""
    overdue: str | None = None
    """Which plate has had no verdict for too long, and what it waits for."""

    def joined(self, process: str) -> None:
        """A new process is there, and says by itself what does not work."""
        if process == "record-0":
            self.store_failing, self.room_short = None, False
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
            case RoomShort() | RoomEnough():
                self.room_short = isinstance(said, RoomShort)


def reasons(condition: Condition) -> tuple[str, ...]:
    """Why the service is not well; nothing when it is."""
    found = [f"{name} is down" for name in condition.down] if condition.ready else ["starting"]
    if condition.role_lost is not None:
        found.append(f"role {condition.role_lost} is lost")
    found += [f"role {role} is lost: {OPTIONAL[role]}" for role in sorted(condition.done_without)]
    found += [text for _, text in sorted(condition.outputs_failing.items())]
    if condition.store_failing is not None:
        found.append(f"the result store fails ({condition.store_failing})")
    if condition.journal_failing is not None:
        found.append(f"the journal of plates fails ({condition.journal_failing})")
    if condition.overdue is not None:
        found.append(condition.overdue)
    if condition.room_short:
        found.append("room on the disk is short: pictures give way")
    if condition.stopping:
        found.append("stopping")
    return tuple(found)
