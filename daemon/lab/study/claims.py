"""Whether our figures say what the paper says: yes, otherwise, or a difference too small to tell.

Two cells that looked at the same sheets are compared by drawing those sheets anew for both at once, so that what is
hard about a sheet counts on both sides. Others are compared by their own intervals, which are wider.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.measure.assessment import Interval, middle, resampled

Answer = Literal["yes", "too small to tell", "otherwise"]
SAME = 0.02
"""Two shares that differ by no more count as equal, however sure the difference is over sheets: another training of
the same network moves them by as much.
"""
_SHARES = {"recall": "R", "precision": "P", "f1": "F1"}


@dataclass(frozen=True, slots=True)
class Measured:
    """A cell's figures over its seeds."""

    shares: Mapping[str, float]
    """recall, precision and f1, means."""
    bounds: Mapping[str, Interval]
    """Their 95 % intervals, the widest of the seeds'; without those that a seed has not."""
    sheets: Mapping[str, tuple[int, ...]]
    """True, false and missed ones of each sheet, added up over the seeds; empty where they were not kept."""


def measured_of(records: Sequence[Mapping[str, Any]]) -> Measured:
    """The figures of a cell, from the records of its seeds."""
    bounds = {}
    for name in _SHARES:
        own = [record["intervals"][name] for record in records if name in record["intervals"]]
        if len(own) == len(records):
            bounds[name] = min(low for low, _ in own), max(high for _, high in own)
    counts = [record.get("tp_fp_fn_by_image", {}) for record in records]
    names = counts[0] if all(one.keys() == counts[0].keys() for one in counts) else {}
    return Measured(
        {name: sum(float(record[name]) for record in records) / len(records) for name in _SHARES},
        bounds,
        {name: _added(one[name] for one in counts) for name in names},
    )


def _added(counts: Iterable[str]) -> tuple[int, ...]:
    """True, false and missed ones of one sheet over the seeds."""
    return tuple(sum(int(part) for part in parts) for parts in zip(*(one.split("/") for one in counts), strict=True))


# --- claims ----------------------------------------------------------------------------------------------------------


class ClaimResult(NamedTuple):
    """What became of one claim."""

    answer: Answer
    words: str
    """The difference that it was judged by."""


Figures = Mapping[str, Measured]
"""By cell: experiment/variant."""
Claim = Callable[[Figures], ClaimResult]


def lower(cell: str, other: str, what: str) -> Claim:
    """That a share is lower in one cell than in the other."""

    def judge(figures: Figures) -> ClaimResult:
        by = _fall(figures[cell], figures[other], what)
        return _judged(what, by, yes=by.least > 0 and by.fall > SAME, no=by.most < 0 and by.fall < -SAME)

    return judge


def stays(cell: str, other: str, what: str) -> Claim:
    """That a share is about the same in both cells."""

    def judge(figures: Figures) -> ClaimResult:
        by = _fall(figures[cell], figures[other], what)
        sure = by.least > 0 or by.most < 0
        return _judged(what, by, yes=by.least >= -SAME and by.most <= SAME, no=sure and abs(by.fall) > SAME)

    return judge


def not_lower(cell: str, other: str, what: str) -> Claim:
    """That a share is about as high in one cell as in the other, or higher."""

    def judge(figures: Figures) -> ClaimResult:
        by = _fall(figures[cell], figures[other], what)
        return _judged(what, by, yes=by.most <= SAME, no=by.least > 0 and by.fall > SAME)

    return judge


def at_least(cell: str, what: str, least: float) -> Claim:
    """That a share reaches a value."""

    def judge(figures: Figures) -> ClaimResult:
        own = figures[cell].shares[what]
        low, high = figures[cell].bounds.get(what, (own, own))
        words = f"{_SHARES[what]} {own:.3f} ({low:.3f} to {high:.3f}) beside {least:g}"
        return ClaimResult("yes" if low >= least else "otherwise" if high < least else "too small to tell", words)

    return judge


def together(judged: Iterable[ClaimResult]) -> Answer:
    """Of several claims: otherwise where one is, yes where all are."""
    answers = {one.answer for one in judged}
    if "otherwise" in answers:
        return "otherwise"
    return "too small to tell" if "too small to tell" in answers else "yes"


# --- differences -----------------------------------------------------------------------------------------------------


class _Fall(NamedTuple):
    """By how much a share is lower, with the bounds of it."""

    fall: float
    least: float
    most: float


def _judged(what: str, by: _Fall, *, yes: bool, no: bool) -> ClaimResult:
    side, low, high = ("lower", by.least, by.most) if by.fall >= 0 else ("higher", -by.most, -by.least)
    words = f"{_SHARES[what]} {abs(by.fall):.3f} {side}"
    if by == (0, 0, 0):
        words = f"{_SHARES[what]} equal"
    elif np.isfinite((low, high)).all():
        words += f" ({low:.3f} to {high:.3f})"
    return ClaimResult("yes" if yes else "otherwise" if no else "too small to tell", words)


def _fall(cell: Measured, other: Measured, what: str) -> _Fall:
    if cell.sheets and cell.sheets.keys() == other.sheets.keys():
        return _paired(cell, other, what)
    own, plain = cell.shares[what], other.shares[what]
    (low, high), (plain_low, plain_high) = cell.bounds.get(what, (own, own)), other.bounds.get(what, (plain, plain))
    return _rounded(plain - own, plain_low - high, plain_high - low)


def _paired(cell: Measured, other: Measured, what: str) -> _Fall:
    names = sorted(cell.sheets)
    counts = np.array([cell.sheets[name] + other.sheets[name] for name in names], np.float64)
    fall = float(_falls(counts.sum(0, keepdims=True), what)[0])
    if not np.isfinite(fall):
        return _Fall(other.shares[what] - cell.shares[what], -np.inf, np.inf)
    drawn = resampled(names, counts)
    if drawn is None:
        return _rounded(fall, fall, fall)
    # A draw without a crack, or in which nothing is found, says nothing of a share.
    falls = _falls(drawn, what)
    return _rounded(fall, *middle(falls[np.isfinite(falls)]))


def _falls(counts: NDArray[np.float64], what: str) -> NDArray[np.float64]:
    """By how much a share is lower on the left of counts (n, 6) than on the right."""
    return _share(counts[:, 3:], what) - _share(counts[:, :3], what)


def _share(counts: NDArray[np.float64], what: str) -> NDArray[np.float64]:
    true, false, missed = counts.T
    of = {"recall": true + missed, "precision": true + false, "f1": true + (false + missed) / 2}[what]
    with np.errstate(invalid="ignore"):
        return np.asarray(true / of, np.float64)


def _rounded(fall: float, least: float, most: float) -> _Fall:
    """Without the last digits, in which 0.98 less 0.96 is more than 0.02."""
    return _Fall(round(fall, 6), round(least, 6), round(most, 6))
