"""One plate or picture with what is true of it and what was found, and how the two meet (FACTS 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.measure.matching import Box, Judgement, judge, meeting

LEAST_VISIBLE = 0.3
"""Cracks of which less can be seen count neither way (FACTS.md 5)."""
By = Literal["box", "mask"]
"""A found defect and a true one may match where their boxes intersect, or where their pixels do."""


@dataclass(frozen=True, slots=True, eq=False)
class TruthBox:
    """One true defect: where it is and what it is like; None where that is not known."""

    box: Box
    width_px: float | None = None
    """px across the sheet."""
    height_grey: float | None = None
    """Grey levels above (or, for dark ones, below) what lies beside it."""
    contrast_to_noise: float | None = None
    """Height over the standard deviation of the grey values beside it."""
    length_mm: float | None = None
    length_px: float | None = None
    visible: float = 1.0
    """Share of its pixels that nothing hides."""
    cluster: int | None = None
    """Cracks of one cluster are one defect to the paper."""
    asked: bool = True
    """False: a mark that is no defect of this recipe; what is found on it is not false either."""
    pixels: NDArray[np.bool_] | None = None
    """Its pixels inside the box, (height, width)."""

    @property
    def counts(self) -> bool:
        """Whether it must be found."""
        return self.asked and self.visible >= LEAST_VISIBLE


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """One found defect."""

    box: Box
    score: float
    runs: NDArray[np.int32] | None = None
    """Its pixels, (n, 3): y, first x, x after the last, px of the plate."""


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """One plate or picture: what is on it and what was found."""

    name: str
    group: str
    """Plates or pictures of one group are not independent; intervals resample groups."""
    truth: tuple[TruthBox, ...]
    found: tuple[Found, ...]
    """What the detector reports at its settings."""
    kind: str = ""
    """The product, or the set and class of a photograph."""
    interference: str = "none"
    rows: int = 0
    columns: int = 0
    mm2: float | None = None
    faint: tuple[Found, ...] | None = None
    """What a lower floor finds, for curves; None: `found` itself."""
    verdict: Literal["OK", "NG", "INCONCLUSIVE"] | None = None
    """None: NG when something was found."""
    cause: str | None = None
    """The most telling reason of a verdict that is not OK."""

    @property
    def judged(self) -> tuple[TruthBox, ...]:
        """The true defects that must be found."""
        return tuple(one for one in self.truth if one.counts)

    @property
    def ignored(self) -> tuple[TruthBox, ...]:
        """Those that count neither way."""
        return tuple(one for one in self.truth if not one.counts)

    def called(self, at: float = 0.5) -> str:
        """The verdict; by the scores alone where none was given."""
        if self.verdict is not None:
            return self.verdict
        return "NG" if any(one.score >= at for one in self.found) else "OK"


def outcome(scored: Scored, at: float = 0.5, by: By = "box") -> tuple[tuple[Found, ...], Judgement]:
    """What was found with at least that score, and what became of each (indices into it and into `scored.judged`)."""
    found = tuple(one for one in scored.found if one.score >= at)
    return found, judge(_meets(found, scored.judged, by), _meets(found, scored.ignored, by))


def _meets(found: Sequence[Found], truth: Sequence[TruthBox], by: By) -> NDArray[np.bool_]:
    meets = meeting([one.box for one in found], [one.box for one in truth])
    if by == "mask":
        for i, j in np.argwhere(meets):
            meets[i, j] = _share_pixels(found[i], truth[j])
    return meets


def _share_pixels(found: Found, truth: TruthBox) -> bool:
    """Whether they have a pixel in common; boxes stand in for pixels that are not known."""
    x, y, width, height = truth.box
    pixels = np.ones((height, width), np.bool_) if truth.pixels is None else truth.pixels
    if found.runs is None:
        left, top = max(found.box[0] - x, 0), max(found.box[1] - y, 0)
        return bool(pixels[top : found.box[1] + found.box[3] - y, left : found.box[0] + found.box[2] - x].any())
    runs = found.runs - np.array((y, x, x), np.int32)
    runs = runs[(runs[:, 0] >= 0) & (runs[:, 0] < height) & (runs[:, 2] > 0) & (runs[:, 1] < width)]
    return any(bool(pixels[row, max(first, 0) : last].any()) for row, first, last in runs.tolist())
