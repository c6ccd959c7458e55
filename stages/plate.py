"""The words all stages share: windows of a plate, verdicts and their causes, defects and the result of a plate."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf, isnan

from config.schema import Windows
from models.detector.findings import Integrity, Quality, Region


class Verdict(StrEnum):
    """The one word a plate ends with."""

    OK = "OK"
    NG = "NG"
    INCONCLUSIVE = "INCONCLUSIVE"


class Cause(StrEnum):
    """Why a plate could not be OK (or, for a defect, why it is NG); the same words in logs, metrics and database."""

    DEFECT = "defect"
    ROWS_MISSING = "rows missing"
    TOO_LONG = "too long"
    TOO_SHORT = "too short"
    TOO_SMALL = "too small"
    STARTED_MID_SHEET = "started in mid-sheet"
    ACQUISITION_DIED = "acquisition died"
    NO_ROWS = "no rows"
    OVERLOAD = "overload"
    WINDOW_QUARANTINED = "window quarantined"
    WINDOW_FAILED = "window failed"
    REGIONS_TRUNCATED = "regions truncated"
    BRIGHTNESS = "brightness"
    CONTRAST = "contrast"
    SATURATION = "saturation"
    FOCUS = "focus"
    COVERAGE = "coverage"
    ROWS_REPEATED = "rows repeated"
    COLUMNS_REPEATED = "columns repeated"
    COLUMNS_DEAD = "columns dead"
    NOISE = "noise"
    FAULTY_BIT = "faulty bit"
    ROWS_MISPLACED = "rows misplaced"
    COLUMNS_MISPLACED = "columns misplaced"
    NEGATIVE = "negative"
    GAIN_JUMPS = "gain jumps"
    LATE = "late"
    CLASSIFIER_LATE = "classifier late"
    ROLE_LOST = "role lost"
    SERVICE_DIED = "service died"
    SHUTDOWN = "shutdown"
    STORE_FAILED = "store failed"
    CHECK_OVERDUE = "check overdue"
    SWITCH_DOUBTFUL = "switch doubtful"
    GOLDEN_SHEET = "golden sheet"
    UNREADABLE = "unreadable"
    WRONG_WIDTH = "wrong width"
    FURTHER_PAGES = "further pages"
    DEPTH = "depth"


@dataclass(frozen=True, slots=True)
class Window:
    """A view of a plate: its index (row-major) and its valid pixels in plate coordinates."""

    index: int
    row: int
    x: int
    y: int
    width: int
    height: int


def window_rows(rows: int, windows: Windows) -> int:
    """Number of rows of windows of a plate of `rows` rows, by the recipe's rule (M 105)."""
    return _steps(rows, windows)


def window_columns(columns: int, windows: Windows) -> int:
    """Number of columns of windows of a plate of `columns` columns."""
    return _steps(columns, windows)


def _steps(length: int, windows: Windows) -> int:
    if length <= 0:
        return 0
    if windows.rule == "ceil":
        return -(-length // windows.stride)
    return max(1, -(-(length - windows.size) // windows.stride) + 1)


def windows_of(rows: int, columns: int, windows: Windows) -> list[Window]:
    """All windows of a plate of rows x columns px, row-major.

    Each plate pixel lies in at least one; neighbours share size - stride px.
    """
    across = window_columns(columns, windows)
    return [window_at(index, rows, columns, windows) for index in range(window_rows(rows, windows) * across)]


def window_at(index: int, rows: int, columns: int, windows: Windows) -> Window:
    """The window of that row-major index on a plate of rows x columns px."""
    row, column = divmod(index, window_columns(columns, windows))
    x, y = column * windows.stride, row * windows.stride
    return Window(index, row, x, y, min(windows.size, columns - x), min(windows.size, rows - y))


@dataclass(frozen=True, slots=True)
class WindowResult:
    """What a worker found in one window."""

    run: str
    plate: int
    window: int
    regions: tuple[Region, ...]
    truncated: bool
    """More regions than a window may report were found; the worst are kept."""
    quality: Quality
    threshold: float
    """Feature value that a region of this window had to reach."""
    seconds: float
    scored: bool = True
    """False where the detector gave no numbers: nothing is known of the window, and its plate is not OK."""
    integrity: Integrity = field(default_factory=Integrity)


@dataclass(frozen=True, slots=True)
class Heat:
    """Where in a crop the classifier saw what speaks for a crack."""

    x: int
    """Plate pixel around which the crop lies; likewise y."""
    y: int
    cells: bytes
    """HEAT_CELLS x HEAT_CELLS values, uint8, row by row: 0 nothing, 255 strongest."""


HEAT_CELLS = 7
"""Rows and columns of a heat map."""


@dataclass(frozen=True, slots=True)
class Defect:
    """A region, or several that touch or continue each other across a seam, in plate coordinates."""

    x: int
    y: int
    width: int
    height: int
    area: int
    score: float
    peak_x: int
    peak_y: int
    edge: bool
    """Reaches into the band of half a template along a plate's edge."""
    x_mm: float | None = None
    y_mm: float | None = None
    width_mm: float | None = None
    height_mm: float | None = None
    probability: float | None = None
    """Calibrated chance of a crack, the highest of its crops'; None where the classifier said nothing."""
    unanswered: int = 0
    """Its regions at or above the recipe's score of which the classifier was to say something and did not."""
    vetoed: bool = False
    """It would make the plate NG, or might (`faint`); by the classifier's answer it does not."""
    faint: bool = False
    """All its regions are: without the classifier it would be none. Not kept in the result store."""
    heat: Heat | None = None
    """Of the crop with that chance; not kept in the result store."""


def worst_first(defects: Iterable[Defect]) -> list[Defect]:
    """The defects as they are numbered everywhere: vetoed ones last, by falling score; of equal ones in their order."""
    return sorted(defects, key=lambda defect: (defect.vetoed, -inf if isnan(defect.score) else -defect.score))


def found_and_vetoed(defects: Iterable[Defect]) -> tuple[int, int]:
    """How many count, and how many more the classifier vetoed."""
    vetoed = [defect.vetoed for defect in defects]
    return len(vetoed) - sum(vetoed), sum(vetoed)


@dataclass(frozen=True, slots=True)
class PlateResult:
    """What is known of a plate when its verdict is given."""

    run: str
    plate: int
    verdict: Verdict
    causes: tuple[Cause, ...]
    """Most telling first; empty for OK. An NG plate has DEFECT first."""
    reason: str
    """The causes as one readable sentence with the values that were found, empty for OK."""
    complete: bool
    """Every window was scored and every row was delivered."""
    rows: int
    columns: int
    windows: int
    windows_scored: int
    coverage: float | None
    """Judged share of the unmasked pixels; None when nothing was scored."""
    warnings: tuple[str, ...] = ()
    """Gates that failed where the recipe only warns, and defects that were vetoed, with the values found."""
    defects: tuple[Defect, ...] = ()
    quality: Quality = field(default_factory=Quality)
    image: str | None = None
    """Name of the image file that a replay showed; None where a camera saw the sheet."""
    classifier: str = "none"
    """The recipe's mode, and what was missing: "veto, late: 3 of 12 crops"; "none" where nothing was inspected."""
    losses: dict[str, int] = field(default_factory=dict)
    """Why rows are missing, and how often, as far as that is known."""

    @property
    def inspected_px(self) -> float:
        """Pixels of the plate that lie in scored windows, each window's share alike."""
        return self.rows * self.columns * (self.windows_scored / self.windows if self.windows else 0.0)


def without_windows(run: str, plate: int, verdict: Verdict, causes: tuple[Cause, ...], reason: str) -> PlateResult:
    """The result of a plate of which nothing but this is known: no window of it was scored."""
    return PlateResult(
        run=run,
        plate=plate,
        verdict=verdict,
        causes=causes,
        reason=reason,
        complete=False,
        rows=0,
        columns=0,
        windows=0,
        windows_scored=0,
        coverage=None,
    )
