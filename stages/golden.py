"""The check standard: a golden sheet with known marks, held against limits each time it passes (VDI/VDE/VDMA 2632).

A standard is made from one or more passes of the same sheet. A pass is checked by what the line measured and found:
every mark again, few others, and brightness, contrast, focus, evenness and length as they were. The sheet lies a
little elsewhere each time, so its marks are looked for under the shift that fits most of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import msgspec
import numpy as np
from numpy.typing import NDArray

from stages.plate import Cause, Defect, PlateResult, Verdict

FAR_PX, NEAR_PX = 400, 40
"""How far a sheet may lie from where it lay, and how far a mark then from its place."""
LEAST_CHECKS = 8
"""Passed checks from which limits of control can be told."""
MOST_EXTRA = 3
"""Defects beside the marks that are no failure, unless more were found when the standard was set."""
_SHARES = {"brightness": 0.1, "contrast": 0.2, "focus": 0.25, "rows": 0.005}
"""By how much of it a quantity may differ from the standard's."""
_UNEVEN = 0.05
_SIGMAS = 3.0
_MOVING_RANGE = 2.66
"""Of an individuals chart: 3 / 1.128 mean moving ranges on either side of the mean."""
_CLOCK = timedelta(minutes=5)
"""By which a check may lie in the future: clocks are set."""


class Limit(msgspec.Struct, frozen=True):
    """The range of a quantity that passes."""

    least: float
    most: float


class Mark(msgspec.Struct, frozen=True):
    """Where a mark's worst place lies, plate px."""

    x: int
    y: int


class Standard(msgspec.Struct, frozen=True):
    """What a pass of the golden sheet must be like."""

    marks: tuple[Mark, ...]
    limits: dict[str, Limit]


class Check(msgspec.Struct, frozen=True):
    """A pass of the golden sheet."""

    values: dict[str, float]
    failures: tuple[str, ...]
    """Words for each quantity beyond its limits; none where it passed."""

    @property
    def passed(self) -> bool:
        """Whether every quantity was within its limits."""
        return not self.failures


class GoldenError(Exception):
    """A plate is no pass of a golden sheet; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Pass:
    """What the line knows of one plate; None where it was not measured."""

    plate: int
    rows: int | None
    brightness: float | None
    contrast: float | None
    focus: float | None
    unevenness: float | None
    defects: tuple[Defect, ...]
    complete: bool

    @property
    def measured(self) -> dict[str, float]:
        """Its quantities."""
        values = {
            "brightness": self.brightness,
            "contrast": self.contrast,
            "focus": self.focus,
            "unevenness": self.unevenness,
            "rows": self.rows,
        }
        return {name: float(value) for name, value in values.items() if value is not None}

    @property
    def places(self) -> NDArray[np.float64]:
        """Where its defects are worst, (n, 2); those that the classifier vetoed are none."""
        found = [(one.peak_x, one.peak_y) for one in self.defects if not one.vetoed]
        return np.array(found, np.float64).reshape(-1, 2)


def standard_from(passes: Sequence[Pass]) -> Standard:
    """The standard that these passes of one sheet set: their means, with limits as wide as they scatter at least.

    Raises:
        GoldenError: a pass was not seen whole, or no mark is found in every one.
    """
    for one in passes:
        _refuse_partial(one)
    first = passes[0].places
    marks = [place for place in first if all(len(_found(place[None], one.places)[0]) for one in passes[1:])]
    for one in passes[1:]:
        seen = _found(np.array(marks).reshape(-1, 2), one.places)[0]
        marks = [mark for number, mark in enumerate(marks) if number in seen]
    if not marks:
        raise GoldenError(
            "no mark is found in every pass: a golden sheet has defects that the line finds each time, at least one"
        )
    limits = {}
    for name in passes[0].measured:
        values = np.array([one.measured[name] for one in passes if name in one.measured])
        width = _UNEVEN if name == "unevenness" else _SHARES[name] * abs(values.mean())
        mean, width = float(values.mean()), float(max(width, _SIGMAS * values.std()))
        limits[name] = Limit(mean - width, mean + width)
    extra = max(len(one.places) for one in passes) - len(marks)
    limits["missed"] = Limit(0, 0)
    limits["extra"] = Limit(0, max(MOST_EXTRA, extra + 1))
    return Standard(tuple(Mark(int(x), int(y)) for x, y in marks), limits)


def checked(standard: Standard, one: Pass) -> Check:
    """What a pass of the golden sheet comes to.

    Raises:
        GoldenError: it was not seen whole.
    """
    _refuse_partial(one)
    marks = np.array([(mark.x, mark.y) for mark in standard.marks], np.float64)
    found, used = _found(marks, one.places)
    values = one.measured | {"missed": float(len(marks) - len(found)), "extra": float(len(one.places) - used)}
    failures = []
    for name, limit in standard.limits.items():
        value = values.get(name)
        if value is None:
            failures.append(f"{name} was not measured")
        # Written so that what is no number fails.
        elif not limit.least <= value <= limit.most:
            failures.append(f"{name} {value:.4g}, allowed {limit.least:.4g} to {limit.most:.4g}")
    return Check(values, tuple(failures))


def control_limits(values: Sequence[float]) -> Limit | None:
    """Where a quantity of checks that passed lies by chance (chart of individuals, moving range); None for few."""
    if len(values) < LEAST_CHECKS:
        return None
    series = np.array(values)
    width = _MOVING_RANGE * float(np.abs(np.diff(series)).mean())
    return Limit(float(series.mean()) - width, float(series.mean()) + width)


def overdue(set_at: datetime | None, latest: tuple[datetime, bool] | None, every_h: float, now: datetime) -> str:
    """Why plates may not be OK; empty while the standard has passed in time.

    Args:
        set_at: when the standard was set; None: there is none.
        latest: when it was checked last since, and whether it passed; None: never.
        every_h: hours that a check holds.
        now: UTC.
    """
    if set_at is None:
        return "no check standard is set: pass the golden sheet, then `linesentry golden set`"
    if latest is None:
        return (
            "the check standard was not checked since it was set: pass the golden sheet, then `linesentry golden run`"
        )
    at, passed = latest
    if not passed:
        return (
            f"the check standard failed at {at:%Y-%m-%d %H:%M} UTC: see to it, pass it again, `linesentry golden run`"
        )
    if not -_CLOCK <= now - at <= timedelta(hours=every_h):
        return f"the check standard passed last at {at:%Y-%m-%d %H:%M} UTC, it is due every {every_h:g} h"
    return ""


def without_check(result: PlateResult, words: str) -> PlateResult:
    """The result of a plate while a check is overdue: OK becomes INCONCLUSIVE, NG stays NG."""
    if not words or Cause.CHECK_OVERDUE in result.causes:
        return result
    verdict = Verdict.NG if result.verdict is Verdict.NG else Verdict.INCONCLUSIVE
    reason = f"{result.reason}; {words}" if result.reason else words
    return replace(result, verdict=verdict, causes=(*result.causes, Cause.CHECK_OVERDUE), reason=reason)


def as_golden(result: PlateResult) -> PlateResult:
    """The result of the golden sheet: no verdict on a product, whatever was found. Its defects stay with it."""
    if Cause.GOLDEN_SHEET in result.causes:
        return result
    others = tuple(cause for cause in result.causes if cause is not Cause.DEFECT)
    reason = f"this is the golden sheet; {result.reason}" if result.reason else "this is the golden sheet"
    return replace(result, verdict=Verdict.INCONCLUSIVE, causes=(Cause.GOLDEN_SHEET, *others), reason=reason)


def _refuse_partial(one: Pass) -> None:
    if not one.complete:
        raise GoldenError(f"plate {one.plate} was not seen whole: pass the golden sheet again")


def _found(marks: NDArray[np.float64], places: NDArray[np.float64]) -> tuple[set[int], int]:
    """Which marks are found again, under the shift that fits most of them, and how many places were used for it."""
    if not len(marks) or not len(places):
        return set(), 0
    shifts = (places[None] - marks[:, None]).reshape(-1, 2)
    best: set[int] = set()
    taken = 0
    for shift in shifts[np.abs(shifts).max(axis=1) <= FAR_PX]:
        away = np.abs(places[None] - (marks + shift)[:, None]).max(axis=2)
        near = away <= NEAR_PX
        seen = set(np.flatnonzero(near.any(axis=1)).tolist())
        if len(seen) > len(best):
            # A mark that is found in two pieces has both.
            best, taken = seen, int(near.any(axis=0).sum())
    return best, taken
