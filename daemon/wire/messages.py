"""What travels between the processes: envelopes with a fact or order of the stages, or what keeps a process alive.

The facts and orders themselves are stages/events.py and stages/plc.py. The bytes are msgpack; on arrival they are
validated into these types, and a malformed, foreign or outdated message is refused with the reason. Pixels never travel
in a message on this machine: a lease names a slot of the plate memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgpack
import msgspec

from stages import events as e
from stages import plc
from stages.optics import OpticalFault

VERSION = 3
MOST_BOXES = 64
"""Of an open plate, that a screen is told."""


class Message(msgspec.Struct, frozen=True, tag_field="type", forbid_unknown_fields=True):
    """What the frame of a process says, whatever its stage; each kind is a subclass."""


class Hello(Message, frozen=True):
    """The first message on a link, and its sign of life when there is nothing else to say."""


class Progress(msgspec.Struct, frozen=True):
    """How far an open plate is."""

    windows: int
    """Windows merged, or given up, so far."""
    regions: int
    seconds: float | None
    """Time of work on it so far; None where that is not known."""
    judged: bytes = b""
    """Which windows those are (stages/so_far.py); empty where there is no screen, like the boxes."""
    boxes: tuple[tuple[int, int, int, int], ...] = ()
    """x, y, width, height of the worst regions, px in plate coordinates."""


class LogLine(msgspec.Struct, frozen=True):
    """A warning or worse of the log, shortened, for people who look at the screen."""

    at: str
    """ISO, UTC."""
    level: str
    role: str
    event: str
    details: str
    """What else it says, as `name=value`."""


class Heartbeat(Message, frozen=True):
    """child -> supervisor: alive, with its absolute counters (daemon/telemetry/counters.py)."""

    pid: int
    counters: dict[str, float]
    note: str = ""
    """What it is doing, for people."""
    starting: bool = False
    """It is alive but not yet at work, as a camera process that opens its camera."""
    plates: dict[int, Progress] = {}
    """Of each open plate; said by merge."""
    waits_for: dict[int, str] = {}
    """In words, of the oldest plate that is open there; said by tile and merge."""
    troubles: tuple[str, ...] = ()
    """In words, what keeps the next sheet from its inspection; said by line."""
    log: tuple[LogLine, ...] = ()
    """Warnings and worse since the heartbeat before."""


class Area(StrEnum):
    """Where on a line something is not well, as the screen sorts it."""

    CAMERA = "camera"
    LIGHT = "light"
    PROCESSES = "processes"
    DISK = "disk"
    PLC = "plc"
    VERDICTS = "verdicts"


class LineTrouble(msgspec.Struct, frozen=True):
    """Something that is not well."""

    area: Area
    trouble: plc.Trouble
    text: str
    """In words, as health says it."""


class LinePlate(msgspec.Struct, frozen=True):
    """A plate that has no verdict yet, as the screen shows it."""

    plate: int
    slot: int | None
    """In which its pixels are; None where it has none."""
    rows: int
    closed: bool
    """Its trailing edge has passed."""
    progress: Progress | None
    recipe: str = ""
    part_id: str | None = None
    image: str | None = None
    """The image file that a replay shows."""
    columns: int = 0
    nominal_rows: int = 0
    """As long as it should become; 0 where the recipe does not say it, like the windows below."""
    stride: int = 0
    """Px from one window to the next."""
    across: int = 0
    """Windows side by side."""


class LineRole(msgspec.Struct, frozen=True):
    """How the processes of a role are."""

    up: int
    wanted: int
    restarts: int
    note: str
    memory_bytes: int = 0
    """Their private memory together, as it was measured last."""


class LineState(Message, frozen=True):
    """supervisor -> web: how the line is at this moment; not kept, the next one says it anew."""

    at: float
    run: str
    recipe: str
    """By which the plates to come are judged."""
    simulated: bool
    troubles: tuple[LineTrouble, ...]
    """Why the service is not well; none when it is."""
    seen: int
    verdicts: dict[str, int]
    last: int | None
    """The plate whose verdict was committed last in this run."""
    plates: tuple[LinePlate, ...]
    roles: dict[str, LineRole]
    slots_free: int
    slots: int
    camera_rows: float
    stopping: bool
    optics: tuple[OpticalFault, ...] | None = None
    """Faults of the optics that stand; None where no plate of this run has said anything of them."""


class ServiceState(Message, frozen=True):
    """supervisor -> web: what engineers ask of the service, once a second; not kept, the next one says it anew."""

    at: float
    version: str
    """Of the program."""
    facts: dict[str, str | None]
    """What is stored with the plates to come: recipe, configuration and their like with their hashes."""
    recipes: tuple[str, ...]
    """Those that are loaded, by name."""
    metrics_port: int
    slots: dict[str, int]
    """Plate slots by state."""
    log: tuple[LogLine, ...]
    """The last warnings and worse, the latest last."""


class Exit(Message, frozen=True):
    """supervisor -> child: stop."""


class NumberedRecipe(msgspec.Struct, frozen=True):
    """A loaded recipe of a run, as its processes are given it."""

    number: int
    """Of this run: another content of the same recipe has another one."""
    recipe: dict[str, Any]
    """As JSON; its weights lie where it says."""
    facts: dict[str, Any]
    """What is stored with every plate that it judges (daemon/store/rows.py)."""


class LoadRecipe(Message, frozen=True):
    """supervisor -> acquire, tile, detect, classify, merge, record, challenge: have this recipe; again is no harm."""

    recipe: NumberedRecipe


class RecipeLoaded(Message, frozen=True):
    """acquire, tile, detect, classify, merge, record, challenge -> supervisor: the recipe is there, or cannot be."""

    number: int
    refused: str = ""
    """Why it cannot; empty where it is ready."""


class KeepRecipes(Message, frozen=True):
    """supervisor -> acquire, tile, detect, classify, merge, record, challenge: no plate is of any but these now."""

    numbers: tuple[int, ...]


class JudgeBy(Message, frozen=True):
    """supervisor -> acquire: plates that have yet to begin are judged by that recipe."""

    number: int
    not_before: int
    """Plates below that one have begun, as the supervisor knows."""


class JudgesBy(Message, frozen=True):
    """acquire -> supervisor: from that plate on they are; those before it are judged as before."""

    number: int
    first_plate: int


AnyEvent = (
    e.StripDelivered
    | e.BufferReleased
    | e.SwitchHeard
    | e.LineEnded
    | e.AcquisitionEnded
    | e.PlateOpened
    | e.RowsReady
    | e.PlateClosed
    | e.AcquisitionAt
    | e.PlateSeen
    | e.SeenCommitted
    | e.PlateDecided
    | e.DecidedUnseen
    | e.PlateFinal
    | e.VerdictCommitted
    | e.SayAgain
    | e.StoreFailing
    | e.StoreWorks
    | e.ChecksOverdue
    | e.RoomShort
    | e.RoomEnough
    | e.WorkerReady
    | e.WorkerGone
    | e.Lease
    | e.WindowScored
    | e.WindowQuarantined
    | e.WindowsMerged
    | e.ClassifyCrops
    | e.CropsClassified
    | e.CropsUnwanted
    | e.ClassifierLost
    | e.VerdictDue
    | e.VerdictTold
    | e.OutputFailing
    | e.OutputWorks
    | plc.PlcAsks
    | plc.PlcAnswers
    | e.ArchivePlate
    | e.PlateCopied
    | e.PlateArchived
    | e.PlateNotArchived
    | e.ArchiverLost
    | e.ArchiveLacks
    | e.ArchiveInStep
    | e.PlateChallenged
    | e.Noted
    | e.ChangeRecipe
    | e.RecipeChangeAnswered
    | e.Abort
    | e.Aborted
)
"""The facts and orders of the stages."""

AnyMessage = (
    Hello
    | Heartbeat
    | LineState
    | ServiceState
    | Exit
    | LoadRecipe
    | RecipeLoaded
    | KeepRecipes
    | JudgeBy
    | JudgesBy
    | AnyEvent
)


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends: role and index within a run, and the incarnation that a restart makes new."""

    run: str
    role: str
    index: int
    incarnation: int

    @property
    def name(self) -> str:
        """Role and index, the same over restarts."""
        return f"{self.role}-{self.index}"


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message with its sender and its place in the conversation."""

    version: int
    sender: Sender
    body: AnyMessage
    sequence: int = 0
    """0 for a message that is not kept until it is acknowledged."""
    oldest: int = 0
    """The sender's oldest sequence that is not acknowledged; 0 when there is none."""
    acknowledged: int = 0
    """Highest sequence that the sender has received in order from the peer."""
    acknowledged_incarnation: int = field(default=0)
    """Incarnation of the peer whose messages these are."""


class Refused(Exception):  # noqa: N818 - it is a message that was refused, not a fault of the program
    """A message was malformed, foreign or of another version."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason


def encode(envelope: Envelope) -> bytes:
    """The envelope as msgpack bytes."""
    packed: bytes = msgpack.packb(msgspec.to_builtins(envelope, builtin_types=(bytes,)), use_bin_type=True)
    return packed


def decode(data: bytes, run: str) -> Envelope:
    """Validate bytes from a socket.

    Raises:
        Refused: `malformed`, `version` or `run`.
    """
    try:
        raw: Any = msgpack.unpackb(data, raw=False, strict_map_key=False)
        envelope = msgspec.convert(raw, Envelope, builtin_types=(bytes,))
    except (ValueError, TypeError, msgpack.exceptions.UnpackException, RecursionError) as error:
        raise Refused("malformed", str(error)) from error
    if envelope.version != VERSION:
        raise Refused("version", f"{envelope.version} where {VERSION} is spoken")
    if envelope.sender.run != run:
        raise Refused("run", f"a message of run {envelope.sender.run[:8]}")
    return envelope
