"""Sheets and verdicts over time and by shift, and why sheets were not OK."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta

import numpy as np
from numpy.typing import NDArray

from daemon.store.period import CODES, OPEN, Floats, Period, Plates, local
from daemon.store.shifts import Shift
from models.measure.assessment import Share
from stages.plate import Cause, Verdict

_MOST_BINS = 60
_MINUTE, _HOUR = 60.0, 3600.0
_STEPS = (5 * _MINUTE, 15 * _MINUTE, _HOUR, 4 * _HOUR)
_DAYS = (1, 7, 28, 91, 364, 3640)
_IN_ORDER = (Verdict.OK, Verdict.NG, Verdict.INCONCLUSIVE)


@dataclass(frozen=True, slots=True)
class Counts:
    """Plates counted by verdict."""

    ok: int
    ng: int
    inconclusive: int
    open: int

    @property
    def seen(self) -> int:
        """All of them."""
        return self.ok + self.ng + self.inconclusive + self.open

    @property
    def ng_share(self) -> Share:
        """NG of those with a verdict."""
        return Share(self.ng, self.ok + self.ng + self.inconclusive)


@dataclass(frozen=True, slots=True)
class OverTime:
    """Plates of stretches of time, all alike long but for the clock's own jumps."""

    step: str
    """How long a stretch is, in words."""
    edges: Floats
    """Begin of each and end of the last, s since 1970 (n + 1,)."""
    counts: tuple[Counts, ...]


@dataclass(frozen=True, slots=True)
class Why:
    """How many plates had a cause."""

    cause: Cause
    ng: int
    inconclusive: int

    @property
    def all(self) -> int:
        """Of both verdicts."""
        return self.ng + self.inconclusive


def over_time(plates: Plates) -> OverTime | None:
    """Verdicts over time, in at most 60 stretches; None without a plate."""
    if not len(plates.at):
        return None
    step, edges = stretches(float(plates.at.min()), float(plates.at.max()))
    place = np.searchsorted(edges, plates.at, side="right") - 1
    return OverTime(step, edges, tuple(_counted(plates.verdict[place == one]) for one in range(len(edges) - 1)))


def by_shift(plates: Plates, shifts: Mapping[str, Shift]) -> dict[str, Counts]:
    """Verdicts of each shift of whatever day; shifts without a plate are left out."""
    if not len(plates.at):
        return {}
    first, last = local(float(plates.at.min())), local(float(plates.at.max()))
    found = {}
    for name, shift in shifts.items():
        within = np.zeros(len(plates.at), bool)
        for begin, end in shift.spans(first, last):
            within |= (plates.at >= begin.timestamp()) & (plates.at < end.timestamp())
        if within.any():
            found[name] = _counted(plates.verdict[within])
    return found


def by_product(period: Period) -> list[Counts]:
    """Verdicts of each of the period's products."""
    plates = period.plates
    return [_counted(plates.verdict[plates.product == place]) for place in range(len(period.products))]


def pareto(causes: Counter[tuple[Verdict, Cause]]) -> list[Why]:
    """The causes, the most frequent first."""
    both = {cause for _, cause in causes}
    found = [Why(cause, causes[Verdict.NG, cause], causes[Verdict.INCONCLUSIVE, cause]) for cause in both]
    return sorted(found, key=lambda why: (-why.all, why.cause.value))


def stretches(first: float, last: float) -> tuple[str, Floats]:
    """The shortest stretches of which 60 or fewer hold both moments, and their edges; days begin by the local clock."""
    midnight = datetime.combine(local(first).date(), time()).astimezone()
    for step in _STEPS:
        begin = midnight.timestamp() + (first - midnight.timestamp()) // step * step
        count = int((last - begin) // step) + 1
        if count <= _MOST_BINS:
            words = f"{step / _HOUR:g} h" if step >= _HOUR else f"{step / _MINUTE:g} min"
            return words, begin + step * np.arange(count + 1, dtype=np.float64)
    for days in _DAYS:
        # Weeks begin on Mondays.
        day = midnight.date() - timedelta(midnight.weekday() if days > 1 else 0)
        edges = [datetime.combine(day, time()).astimezone().timestamp()]
        while edges[-1] <= last and len(edges) <= _MOST_BINS + 1:
            day += timedelta(days)
            edges.append(datetime.combine(day, time()).astimezone().timestamp())
        if edges[-1] > last:
            break
    words = {1: "day", 7: "week"}.get(days, f"{days} days")
    return words, np.array(edges)


def _counted(verdicts: NDArray[np.int8]) -> Counts:
    ok, ng, inconclusive = (int((verdicts == CODES[one]).sum()) for one in _IN_ORDER)
    return Counts(ok, ng, inconclusive, int((verdicts == OPEN).sum()))
