"""What the detector says of a window, as plain data: every process sends and reads it, few load what computes it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

COLUMN_STEPS = 128
"""Steps of a grey level in which means of columns are told."""
VETO_ALLOWS = 1.0
"""Feature units below the floor from which regions are reported for a classifier that vetoes
(docs/decisions/0024-veto.md)."""
_STEEPNESS = 0.5
"""Score a feature unit: a region one unit above the floor has a score of 0.62."""


@dataclass(frozen=True, slots=True)
class Region:
    """A connected group of candidates, in px of its window (origin top left, half-open)."""

    x: int
    y: int
    width: int
    height: int
    area: int
    """Pixels of the region."""
    score: float
    """In [0, 1], higher is worse."""
    peak_x: int
    peak_y: int
    """Where the feature value is highest."""
    runs: bytes
    """Little-endian int32 of shape (n, 3): y, first x, x after the last; sorted by y then x; every pixel once."""
    faint: bool = False
    """Below the floor: no defect, unless a classifier takes it for a crack."""


@dataclass(frozen=True, slots=True)
class Quality:
    """Sums over the pixels that a window owns, so that those of several windows add up (no window counts one twice).

    A pixel is judged when it is unmasked, neither clipped nor blacked out, and lies where the picture is not blurred.
    """

    unmasked: int = 0
    """Valid pixels outside the recipe's masks."""
    judged: int = 0
    clipped: int = 0
    """Unmasked pixels at full scale."""
    total: float = 0.0
    """Sum of the grey levels of the pixels that are neither clipped nor blacked out."""
    squares: float = 0.0
    """Sum of their squares."""
    lit: int = 0
    """Number of those pixels."""
    fine: float = 0.0
    """Energy of second differences over 3 px less that over 1 px, summed over a sample of pixels: detail, not noise."""
    coarse: float = 0.0
    """The same over 8 px."""
    doubt: float = 0.0
    """Variance that white noise gives to `fine`."""
    columns: bytes = b""
    """Of one window: the mean grey level of each own column over a sample of its rows, little-endian uint16, in
    1 / COLUMN_STEPS; 0 where too little of it is lit. Empty where there are few rows, and in sums."""

    @property
    def focus(self) -> float:
        """Fine over coarse detail with the noise taken off: 0.1 to 1 is sharp, a defocused sheet has less than 0.05.

        The highest value that noise leaves possible (three sigma); 1 where nothing stands out of the noise, 0 where
        there is neither detail nor noise.
        """
        doubt = 3 * math.sqrt(max(self.doubt, 0.0))
        if self.coarse <= doubt:
            return 1.0 if doubt > 0 else 0.0
        return (self.fine + doubt) / self.coarse


LIT, LEFT, RIGHT = 1, 2, 4
"""Of a run of still columns: it is neither dark nor near white; the sheet is to be seen left of it; right of it."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A place where a window's picture does not go on from one row, or column, to the next."""

    kind: Literal["shifted", "negative", "gain", "alternating", "scattered"]
    """Another part of the picture goes on there; its negative; the same, brighter or darker; every second one is
    another's; or each one."""
    along: Literal["rows", "columns"]
    at: int
    """First row or column after it, px of the window."""
    share: float
    """Of the window's width, or height, that changes there."""


@dataclass(frozen=True, slots=True)
class Integrity:
    """Traces in a window of what no working camera delivers; stages/integrity.py judges them."""

    equal_rows: int = 0
    """Own rows that are equal to the bit to the row before them."""
    equal_columns: int = 0
    row_marks: bytes = b""
    """Fingerprints of own rows, little-endian uint64: of about one in eight, chosen by what is in them. The last bit is
    set where a row has no grain, so that its equal may be another row."""
    column_marks: bytes = b""
    still: bytes = b""
    """Own columns that hold one value over all own rows, little-endian int16 of shape (n, 3): first and after the last
    px of a run from the left of the own part, and the sum of what holds of it (LIT, LEFT, RIGHT)."""
    still_px: int = 0
    """Px of the lit ones: they show nothing of the sheet."""
    enlarged: bool = False
    """Rows and columns are copies of the one before equally often: the picture was enlarged by copying its pixels."""
    lit: bool = False
    """Enough of it shows something for noise and bits to be judged."""
    noise: float = 0.0
    """Standard deviation, grey levels, of the noise where it holds nothing else; 0 elsewhere."""
    bits: int = 0
    """Bits that do not follow the picture, as a mask: 16 for bit 4."""
    broken: tuple[Broken, ...] = ()


def score_of(evidence: float, floor: float) -> float:
    """The score of a region with that evidence, feature units: 0.5 where it is at the floor."""
    return 1 / (1 + math.exp(-max(-60.0, min(60.0, _STEEPNESS * (evidence - floor)))))


def evidence_over(score: float) -> float:
    """The evidence above the floor, feature units, that has that score (`score_of`)."""
    score = min(max(score, 1e-12), 1 - 1e-12)
    return math.log(score / (1 - score)) / _STEEPNESS


def clearer(score: float) -> float:
    """The score of a region whose evidence lies VETO_ALLOWS higher."""
    return score / (score + (1 - score) * math.exp(-_STEEPNESS * VETO_ALLOWS))
