"""The one vocabulary of facts and orders that pass between the stages.

What a state machine returns is what is sent, and what the next one handles: nothing in between translates it. Each
class says who says it to whom. Pixels are never part of it: a `Place` says where they lie in the plate memory.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from stages.camera import Sheet, Strip
from stages.challenge import Challenge
from stages.crops import Answer, Crop
from stages.optics import OpticsState
from stages.plate import Cause, PlateResult, Verdict, Window, WindowResult
from stages.plc import Part
from stages.said import Said


class Place(msgspec.Struct, frozen=True):
    """Where a plate lies in the plate memory."""

    slot: int
    generation: int
    """Grows each time the slot is given to a plate: a reader asks afterwards whether it is still the same."""
    columns: int
    recipe: int = 1
    """Number of the recipe by which the plate is judged (stages/recipes.py)."""


# --- camera and switch -----------------------------------------------------------------------------------------------


class StripDelivered(Said, frozen=True):
    """line -> acquire: a strip stands in a strip buffer."""

    buffer: int
    strip: Strip
    at: float
    """Monotonic time of its delivery, s."""


class BufferReleased(Said, frozen=True):
    """acquire -> line: the strip buffer may be used again."""

    buffer: int


class SwitchHeard(Said, frozen=True):
    """line -> supervisor: what the switch did up to a strip's end, whether acquisition lives or not."""

    strip: Strip
    at: float
    """Monotonic time of its delivery, s."""
    camera: str | None = None
    """Serial number of the camera, as far as it knows one."""


class LineEnded(Said, frozen=True):
    """line -> acquire, supervisor: no more strips will come."""


class AcquisitionEnded(Said, frozen=True):
    """acquire -> supervisor: the line has ended, and all that it delivered is taken."""


# --- plates ----------------------------------------------------------------------------------------------------------


class PlateOpened(Said, frozen=True):
    """acquire -> tile -> merge: a plate has begun."""

    plate: int
    place: Place | None
    """None: it is only counted, none of its rows will be in the plate memory."""
    sheet: Sheet | None = None
    """What the camera knew of it."""


class RowsReady(Said, frozen=True):
    """acquire -> tile: the first `rows` rows of the plate are final."""

    plate: int
    slot: int
    rows: int


class PlateClosed(Said, frozen=True):
    """acquire -> tile -> merge: the plate has ended; all its rows, blank ones included, are final."""

    plate: int
    place: Place | None
    rows: int
    causes: tuple[Cause, ...] = ()
    rows_missing: int = 0
    """Rows that are known not to have come; ROWS_MISSING with 0 is an unknown number."""
    last_row_at: float | None = None
    """Monotonic time when the strip with its last row was delivered, s; None where that is not known."""
    doubt: str = ""
    """Why the switch cannot be trusted here, in words."""
    losses: dict[str, int] = msgspec.field(default_factory=dict)
    """Why rows are missing, and how often, and packets that were sent again (stages/camera.py: Loss)."""

    @property
    def columns(self) -> int:
        """Columns of the plate; 0 where none of its rows are in the plate memory."""
        return 0 if self.place is None else self.place.columns


class AcquisitionAt(Said, frozen=True):
    """acquire -> tile: plates before this one were opened, or never will be."""

    next_plate: int


class PlateSeen(Said, frozen=True):
    """supervisor -> record: the switch saw a plate begin; may be said more than once."""

    plate: int
    image: str | None = None
    """Name of the image file that a replay shows."""
    recipe: int = 1
    """Number of the recipe of the plates that begin then."""
    part: Part | None = None
    """What the PLC said of it; None where none is asked."""
    camera: str | None = None
    """Serial number of the camera that sees it, as far as the camera knows one."""


class SeenCommitted(Said, frozen=True):
    """record -> tile, output: that the plate was seen is committed, its windows may be leased."""

    plate: int


class PlateDecided(Said, frozen=True):
    """merge -> record: the verdict of a plate, to be committed; may be said more than once, the first counts."""

    result: PlateResult
    last_row_at: float | None = None
    """Of its closing."""
    inspection_s: float | None = None
    """Time of work on it, up to its last window (stages/inspection_times.py); None where that is not known."""
    recipe: int | None = None
    """Number of the recipe by which it was judged; None for a plate of which there are no pixels."""
    profile: bytes = b""
    """Mean of each of its columns (stages/optics.py); empty where that is not known."""


class DecidedUnseen(Said, frozen=True):
    """record -> supervisor: merge has decided a plate of which nobody said that the switch saw it."""

    plate: int


class PlateFinal(Said, frozen=True):
    """record -> tile, merge: the plate's verdict is committed, maybe since before the listener started."""

    plate: int


class VerdictCommitted(Said, frozen=True):
    """record -> supervisor: a plate's verdict as it is committed."""

    result: PlateResult
    latency_s: float | None = None
    """From the delivery of the strip with its last row to the commit; None where that is not known."""
    inspection_s: float | None = None
    """As merge said; None where that is not known."""
    optics: OpticsState | None = None
    """How the optics are after it; None where it says nothing of them."""


class SayAgain(Said, frozen=True):
    """record -> merge, supervisor: say again what is not committed; it was not heard, or could not be taken."""


class StoreFailing(Said, frozen=True):
    """record -> supervisor: the result store fails from now on, or fails in another way than before."""

    kind: Literal["full", "locked", "broken"]
    text: str


class StoreWorks(Said, frozen=True):
    """record -> supervisor: the result store works again."""

    text: str


class ChecksOverdue(Said, frozen=True):
    """record -> supervisor: of which recipes no plate can be OK, because the check standard is overdue, and why."""

    recipes: dict[str, str]
    """Words by the recipe's name; empty where each was checked in time."""


class RoomShort(Said, frozen=True):
    """record -> supervisor: the disk has little room left, and pictures give way to the result store."""

    text: str


class RoomEnough(Said, frozen=True):
    """record -> supervisor: the disk has room for pictures again."""

    text: str


# --- windows ---------------------------------------------------------------------------------------------------------


class WorkerReady(Said, frozen=True):
    """detect -> tile: which leases the worker holds, which it did last, and how many it holds at most."""

    worker: int
    incarnation: int
    number: int
    """Grows with each: one that comes after a later one says nothing."""
    credits: int
    held: tuple[int, ...] = ()
    done: tuple[int, ...] = ()


class WorkerGone(Said, frozen=True):
    """supervisor -> tile: a worker's process ended."""

    worker: int
    incarnation: int
    """Of the process that ended: its successor is not meant."""
    blamed: tuple[tuple[int, int], ...] = ()
    """(plate, window) of those it was on, where it died by itself."""


class Lease(Said, frozen=True):
    """tile -> detect: score these windows of the plate, all of one swath."""

    lease: int
    """Grows with each, over restarts of tile too."""
    worker: int
    plate: int
    place: Place
    rows: int
    """Rows of the plate when it has ended, else rows ready so far."""
    windows: tuple[Window, ...]


class WindowScored(Said, frozen=True):
    """detect -> merge: what was found in one window, and where its plate lies."""

    result: WindowResult
    place: Place


class WindowQuarantined(Said, frozen=True):
    """tile -> merge: the window was given up, because workers died on it."""

    plate: int
    window: int


class WindowsMerged(Said, frozen=True):
    """merge -> tile: these windows need not be leased again."""

    plate: int
    windows: tuple[int, ...]


# --- classifier ------------------------------------------------------------------------------------------------------


class ClassifyCrops(Said, frozen=True):
    """merge -> classify: what are these crops of a window?"""

    plate: int
    place: Place
    window: int
    crops: tuple[Crop, ...]
    asker: int
    """Incarnation of the merge that asks."""


class CropsClassified(Said, frozen=True):
    """classify -> merge: the answer for each crop that was asked about in one window."""

    plate: int
    window: int
    answers: tuple[Answer, ...]
    asker: int
    """Incarnation of the merge that asked: another numbers its regions otherwise."""


class CropsUnwanted(Said, frozen=True):
    """merge -> classify: the plate is decided, what was asked about it would come too late."""

    plate: int


class ClassifierLost(Said, frozen=True):
    """supervisor -> merge: there is no classifier any more, and none will come."""


# --- outputs ---------------------------------------------------------------------------------------------------------


class VerdictDue(Said, frozen=True):
    """record -> output: a committed verdict that the output has yet to say; may come more than once."""

    plate: int
    """Its sequence number too: no other plate of the store has it, whatever is restarted."""
    verdict: Verdict
    causes: tuple[Cause, ...] = ()
    reason: str = ""
    defects: int = 0
    """Without those that the classifier vetoed."""
    part_id: str | None = None
    batch_id: str | None = None
    latency_s: float | None = None
    """From the delivery of the strip with its last row to the commit; None where that is not known."""
    committed_at: float | None = None
    """Monotonic time of the commit, s; None where a process that is no more has committed it."""
    simulated: bool = False
    recipe: str | None = None
    """Name of the recipe by which it was judged."""


Outcome = Literal["acknowledged", "late", "unacknowledged", "refused"]
"""How a telling ended: "late": acknowledged after its deadline, or too late to be said at all."""


class VerdictTold(Said, frozen=True):
    """output -> record: what the output said of a plate, and what came back; nothing more will be said of it."""

    plate: int
    outcome: Outcome
    divert: bool
    """The plate is to be taken off the line: all but an OK that was acknowledged in time."""
    times: int = 0
    """How often it was said."""
    said_at: float | None = None
    """Monotonic time at which it was said first, s; None where it never was."""
    answered_at: float | None = None
    answer: str = ""
    """What came back, in words; empty where nothing did."""


class OutputFailing(Said, frozen=True):
    """output -> supervisor: verdicts do not get through, or not in time."""

    output: str
    text: str


class OutputWorks(Said, frozen=True):
    """output -> supervisor: verdicts get through again."""

    output: str


# --- archive ---------------------------------------------------------------------------------------------------------


class ArchivePlate(Said, frozen=True):
    """record -> archive: write the plate's pixels to its file; its slot is held until they are copied."""

    plate: int
    place: Place
    rows: int
    verdict: Verdict
    about: dict[str, str]
    """What its file says of it, by the names of the columns of results."""
    pitch_mm: tuple[float, float] | None = None
    """Of a row and of a column; None where the recipe has none."""


class PlateCopied(Said, frozen=True):
    """archive -> record: the plate's pixels are copied, and its slot is read no more."""

    plate: int


class PlateArchived(Said, frozen=True):
    """archive -> record: the plate's file is whole under its name (daemon/store/archive.py)."""

    plate: int
    bytes: int
    sha256: str
    """Of the file, hex."""
    seconds: float | None = None
    """Time of its writing; None where it was found."""


class PlateNotArchived(Said, frozen=True):
    """archive -> record: there is no file of the plate, and there will be none."""

    plate: int
    why: Literal["no room", "not written"]
    text: str


class ArchiverLost(Said, frozen=True):
    """supervisor -> record: there is no archiver any more, and none will come."""


class ArchiveLacks(Said, frozen=True):
    """record -> supervisor: plates that were to be archived have no file."""

    text: str
    """Why, of the latest one."""


class ArchiveInStep(Said, frozen=True):
    """record -> supervisor: the archive has all again that it is to have."""


class PlateChallenged(Said, frozen=True):
    """challenge -> record: what a candidate says of a plate in the archive."""

    plate: int
    challenge: Challenge


# --- notes -----------------------------------------------------------------------------------------------------------


class Noted(Said, frozen=True):
    """supervisor -> record: something to be kept in the store's table of events."""

    kind: str
    text: str


# --- recipes ---------------------------------------------------------------------------------------------------------


class ChangeRecipe(Said, frozen=True):
    """output -> supervisor: the plates to come are of the product of that loaded recipe, by its name."""

    name: str
    request: int = 0
    """Which question of the asker it is: the answer names it, and the same one again is answered again."""


class RecipeChangeAnswered(Said, frozen=True):
    """supervisor -> output: what became of a change of the recipe; a refused one has changed nothing."""

    name: str
    request: int
    refused: str = ""
    """Why not, in words; empty where it is done."""
    first_plate: int | None = None
    """The first plate that is judged by that recipe; None where it was refused."""


# --- the end ---------------------------------------------------------------------------------------------------------


class Abort(Said, frozen=True):
    """supervisor -> merge, record: end every open plate now, for that cause; merge every later one, too."""

    cause: Cause


class Aborted(Said, frozen=True):
    """record -> supervisor: no plate of this run is open in the store any more."""
