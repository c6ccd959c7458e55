"""Light and focus over time, and whether they moved by more than the configuration allows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from config.schema import OpticsLimits
from daemon.offline.report.verdicts import stretches
from daemon.store.period import Floats, Period, Product

_LEAST = 10
"""Plates from which a change can be told."""
QUANTITIES = ("brightness", "contrast", "focus", "unevenness")
UNITS = {
    "brightness": "grey levels",
    "contrast": "grey levels",
    "focus": "sharpness",
    "unevenness": "share of the light",
}


@dataclass(frozen=True, slots=True)
class Line:
    """A quantity over time; medians and what four of five plates lie within, of each stretch with a plate."""

    name: str
    at: Floats
    """Middle of each stretch, s since 1970 (n,)."""
    middle: Floats
    low: Floats
    high: Floats
    change: float | None
    """Median of the last fifth of the plates against that of the first, as a share; of unevenness the difference.
    None of fewer than ten plates."""
    limit: float | None
    """What the configuration allows; None where it says nothing."""

    @property
    def moved(self) -> bool:
        """It changed by more than that."""
        return self.change is not None and self.limit is not None and abs(self.change) > self.limit


@dataclass(frozen=True, slots=True)
class Drift:
    """Of a product, whose sheets are alike."""

    product: Product
    plates: int
    edges: Floats
    """Of the stretches of time, s since 1970."""
    lines: tuple[Line, ...]

    @property
    def moved(self) -> tuple[Line, ...]:
        """Those that changed by more than the configuration allows."""
        return tuple(line for line in self.lines if line.moved)


def drifts(period: Period, limits: OpticsLimits) -> list[Drift]:
    """Light and focus of each product that has any, those with most plates first."""
    found = []
    for place, product in enumerate(period.products):
        seen = (period.plates.product == place) & ~period.plates.golden & (period.plates.scored > 0)
        at = period.plates.at[seen]
        if not len(at):
            continue
        _, edges = stretches(float(at[0]), float(at[-1]))
        lines = tuple(line for name in QUANTITIES if (line := _line(period, name, seen, edges, limits)) is not None)
        if lines:
            found.append(Drift(product, len(at), edges, lines))
    return sorted(found, key=lambda one: -one.plates)


def _line(period: Period, name: str, seen: NDArray[np.bool_], edges: Floats, limits: OpticsLimits) -> Line | None:
    values: Floats = getattr(period.plates, name)
    known = seen & np.isfinite(values)
    if not known.any():
        return None
    at, values = period.plates.at[known], values[known]
    parts = np.split(values, np.searchsorted(at, edges[1:-1]))
    there = [place for place, part in enumerate(parts) if len(part)]
    low, middle, high = np.array([np.percentile(parts[place], (10, 50, 90)) for place in there]).T
    middles = (edges[:-1] + edges[1:]) / 2
    return Line(name, middles[there], middle, low, high, _change(name, values), _limit(name, limits))


def _change(name: str, values: Floats) -> float | None:
    if len(values) < _LEAST:
        return None
    fifth = len(values) // 5
    before, after = float(np.median(values[:fifth])), float(np.median(values[-fifth:]))
    if name == "unevenness":
        return after - before
    return after / before - 1 if before else None


def _limit(name: str, limits: OpticsLimits) -> float | None:
    return {"brightness": limits.light, "focus": limits.focus, "unevenness": limits.uneven}.get(name)
