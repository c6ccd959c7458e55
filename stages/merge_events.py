"""What the merger is told (events), and what it answers (instructions)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from stages.plate import Cause, PlateResult, WindowResult

# --- events -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PlateOpened:
    """A leading edge passed; the plate has that many columns."""

    plate: int
    columns: int


@dataclass(frozen=True, slots=True)
class WindowScored:
    """A worker has scored a window."""

    result: WindowResult


@dataclass(frozen=True, slots=True)
class WindowQuarantined:
    """A window was given up, because workers died on it."""

    plate: int
    window: int


@dataclass(frozen=True, slots=True)
class PlateClosed:
    """No more rows of this plate will come."""

    plate: int
    rows: int
    columns: int
    causes: tuple[Cause, ...] = ()
    rows_missing: int = 0
    in_memory: bool = True
    """Whether its rows are in the plate memory, so that its windows will be scored."""


@dataclass(frozen=True, slots=True)
class Committed:
    """The verdict of this plate is in the store: it is final. Maybe since before this merger started."""

    plate: int


@dataclass(frozen=True, slots=True)
class Deadline:
    """The time in which this plate should have been decided has passed: it is decided with what is there."""

    plate: int


@dataclass(frozen=True, slots=True)
class Abort:
    """Nothing more will be scored: every open plate is decided now, and every later one as soon as it is heard of."""

    cause: Cause


@dataclass(frozen=True, slots=True)
class RecordRestarted:
    """The record stage has not heard, or could not take, the decisions that are not committed."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the classifier says of one crop."""

    region: int
    """Index of the region in its window's result."""
    probability: float
    heat: bytes


@dataclass(frozen=True, slots=True)
class CropsClassified:
    """The classifier has answered what it was asked of a window."""

    plate: int
    window: int
    answers: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class ClassifierDeadline:
    """The time in which the classifier should have answered for this plate has passed."""

    plate: int


@dataclass(frozen=True, slots=True)
class ClassifierStarted:
    """A classifier that knows nothing of what was asked is there."""


@dataclass(frozen=True, slots=True)
class ClassifierLost:
    """There is no classifier any more, and none will come."""


Event = (
    PlateOpened
    | WindowScored
    | WindowQuarantined
    | PlateClosed
    | Committed
    | Deadline
    | Abort
    | RecordRestarted
    | CropsClassified
    | ClassifierDeadline
    | ClassifierStarted
    | ClassifierLost
)


# --- instructions -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """To the tile stage: these windows need not be leased again."""

    plate: int
    windows: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Decide:
    """To the record stage: the verdict of a plate."""

    result: PlateResult


@dataclass(frozen=True, slots=True)
class Released:
    """To the tile stage: the plate is final, let go of its slot."""

    plate: int


@dataclass(frozen=True, slots=True)
class Crop:
    """The square around the peak of a region."""

    region: int
    """Index of the region in its window's result."""
    x: int
    y: int
    faint: bool = False
    """It can wait: without an answer its region is no defect."""


def can_wait(crops: Iterable[Crop]) -> bool:
    """Whether all of them are faint."""
    return all(crop.faint for crop in crops)


@dataclass(frozen=True, slots=True)
class Classify:
    """To the classifier: what are these crops?"""

    plate: int
    window: int
    crops: tuple[Crop, ...]


@dataclass(frozen=True, slots=True)
class AwaitClassifier:
    """Every window is in and only the classifier is waited for: say so when its time has passed."""

    plate: int


@dataclass(frozen=True, slots=True)
class StopClassifying:
    """To the classifier: the plate is decided, what it was asked of it is no longer wanted."""

    plate: int


Instruction = Acknowledge | Decide | Released | Classify | AwaitClassifier | StopClassifying
