"""Every message between the processes, in one place.

The bytes are msgpack; on arrival they are validated into these types, and a malformed, foreign or outdated message
is refused with the reason. Pixels never travel in a message on this machine: a lease names a slot of the plate
memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgpack
import msgspec

from stages.camera import Strip
from stages.merge_events import Answer, Crop
from stages.plate import Cause, PlateResult, Window, WindowResult

VERSION = 1


class Message(msgspec.Struct, frozen=True, tag_field="type", forbid_unknown_fields=True):
    """What a message says; each kind is a subclass."""


# --- any link ------------------------------------------------------------------------------------------------


class Hello(Message, frozen=True):
    """The first message on a link, and its sign of life when there is nothing else to say."""


# --- camera and switch ---------------------------------------------------------------------------------------


class StripReady(Message, frozen=True):
    """line -> acquire: a strip stands in a strip buffer."""

    buffer: int
    strip: Strip
    at: float
    """Monotonic time of its delivery, s."""


class StripTaken(Message, frozen=True):
    """acquire -> line: the buffer may be used again."""

    buffer: int


class LineEnded(Message, frozen=True):
    """line -> acquire, acquire -> supervisor: no more rows will come, and all that came were taken."""


class SwitchState(Message, frozen=True):
    """line -> supervisor: what the switch did up to a camera row, heard whether acquisition lives or not."""

    strip: Strip


# --- plates --------------------------------------------------------------------------------------------------


class PlateOpened(Message, frozen=True):
    """acquire -> tile, tile -> merge: a plate has begun."""

    plate: int
    slot: int | None
    generation: int
    columns: int


class RowsReady(Message, frozen=True):
    """acquire -> tile: so many rows of the plate are final."""

    plate: int
    rows: int


class PlateClosed(Message, frozen=True):
    """acquire -> tile, tile -> merge: the plate has ended."""

    plate: int
    slot: int | None
    rows: int
    columns: int
    causes: tuple[Cause, ...]
    missing: int
    last_row_at: float | None
    """Monotonic time when the strip with its last row was delivered."""


class AcquisitionAt(Message, frozen=True):
    """acquire -> tile: plates before this one were opened, or never will be."""

    next_plate: int


class PlateSeen(Message, frozen=True):
    """supervisor -> record: the switch saw a plate; record -> tile: that is committed."""

    plate: int


class PlateFinal(Message, frozen=True):
    """record -> tile and merge: the plate's verdict is committed."""

    plate: int


class Decided(Message, frozen=True):
    """merge -> record: a verdict to commit; record -> supervisor: it is committed."""

    result: PlateResult
    last_row_at: float | None
    latency_s: float | None = None


class SayAgain(Message, frozen=True):
    """record -> supervisor and merge: say again what is not committed; some of it could not be taken."""


class StoreFailing(Message, frozen=True):
    """record -> supervisor: how the result store fails from now on; None when it works again."""

    kind: str | None


# --- windows -------------------------------------------------------------------------------------------------


class WorkerReady(Message, frozen=True):
    """detect -> tile: how many windows the worker holds at most (absolute), and the last lease it finished."""

    worker: int
    credits: int
    finished: int | None = None


class Lease(Message, frozen=True):
    """tile -> detect: windows to score, until the deadline."""

    lease: int
    plate: int
    slot: int
    generation: int
    columns: int
    rows: int
    """Rows of the plate when it has ended, else rows ready so far."""
    closed: bool
    windows: tuple[Window, ...]


class WindowScored(Message, frozen=True):
    """detect -> merge: what was found in one window, and where its plate lies in the plate memory."""

    result: WindowResult
    slot: int | None = None
    generation: int = 0
    columns: int = 0


class WindowQuarantined(Message, frozen=True):
    """tile -> merge: the window killed its workers and will not be scored."""

    plate: int
    window: int


class WindowsMerged(Message, frozen=True):
    """merge -> tile: these windows need not be leased again."""

    plate: int
    windows: tuple[int, ...]


# --- classifier ----------------------------------------------------------------------------------------------


class ClassifyCrops(Message, frozen=True):
    """merge -> classify: what are these crops of a window?"""

    plate: int
    slot: int
    generation: int
    columns: int
    window: int
    crops: tuple[Crop, ...]


class CropsClassified(Message, frozen=True):
    """classify -> merge: the answer for each crop that was asked about in one window."""

    plate: int
    window: int
    answers: tuple[Answer, ...]
    asker: int
    """Incarnation of the merge that asked."""


class CropsUnwanted(Message, frozen=True):
    """merge -> classify: what was asked about this plate would come too late."""

    plate: int


class ClassifierLost(Message, frozen=True):
    """supervisor -> merge: there is no classifier any more, and none will come."""


# --- supervision ---------------------------------------------------------------------------------------------


class Heartbeat(Message, frozen=True):
    """child -> supervisor: alive, with its absolute counters (daemon/telemetry/counters.py)."""

    pid: int
    counters: dict[str, float]
    note: str = ""
    """What it is doing, for people."""
    plates: dict[int, tuple[int, int]] = {}
    """Windows merged and regions found so far of each open plate; said by merge."""


class WorkerGone(Message, frozen=True):
    """supervisor -> tile: a worker's process ended."""

    worker: int
    blamed: bool
    """False when the supervisor itself ended it."""


class Abort(Message, frozen=True):
    """supervisor -> merge, record: end every open plate now, for that cause."""

    cause: Cause


class Exit(Message, frozen=True):
    """supervisor -> child: stop."""


AnyMessage = (
    Hello
    | StripReady
    | StripTaken
    | LineEnded
    | SwitchState
    | PlateOpened
    | RowsReady
    | PlateClosed
    | AcquisitionAt
    | PlateSeen
    | PlateFinal
    | Decided
    | SayAgain
    | StoreFailing
    | WorkerReady
    | Lease
    | WindowScored
    | WindowQuarantined
    | WindowsMerged
    | ClassifyCrops
    | CropsClassified
    | CropsUnwanted
    | ClassifierLost
    | Heartbeat
    | WorkerGone
    | Abort
    | Exit
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
