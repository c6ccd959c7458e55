"""The floor: silent on good sheets held apart, and as high as it may be without losing painted cracks.

Each alarm and each painted crack is known by the highest floor that still lets it make its plate NG, so that a floor is
chosen by arithmetic and then proved by an inspection.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

from config.schema import Recipe
from daemon.lab.teach.look import needed_floor
from models.measure.matching import Box, meeting, meets_any
from models.measure.scored import TruthBox
from stages.comparison import box_of
from stages.plate import Defect

STEP = 0.05
"""Feature units above what is to be silent."""
_MARGIN = 1.0
"""A floor is raised at most so far above the least silent one."""
_LOST = 0.03
"""Share of the painted cracks, the faintest, that this may cost: with few sheets held apart, the next one is often the
loudest so far."""
_ALONE = 1.0
"""Feature units by which an overlooked crack stands above what all other sheets have, and"""
_LIKE_A_CRACK = 0.25
"""share of the painted cracks below it."""
_MOST_ODD = 5
"""At most one sheet in so many, and one where there are four or more, is not asked for silence."""
_CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Told:
    """What a chain with a low floor said of one good sheet, as it is and with cracks painted on it."""

    name: str
    alarms: tuple[Defect, ...]
    """On the sheet as it is, away from marks of the die."""
    cracks: tuple[tuple[Defect, ...], ...]
    """What lies on each painted crack."""


def told(
    name: str, plain: Sequence[Defect], painted: Sequence[Defect], truth: Sequence[TruthBox], marks: Sequence[Box]
) -> Told:
    """Sort what was found on a sheet as it is, and with painted cracks.

    What is found beside those says nothing of good sheets: a crack goes on fainter than its truth, and lights up its
    ground.
    """
    alarms = [one for one, hit in zip(plain, meets_any([box_of(one) for one in plain], marks), strict=True) if not hit]
    on_truth = meeting([box_of(one) for one in painted], [one.box for one in truth])
    cracks = tuple(
        tuple(one for one, here in zip(painted, on_truth[:, index], strict=True) if here)
        for index, crack in enumerate(truth)
        if crack.counts
    )
    return Told(name, tuple(alarms), cracks)


@dataclass(frozen=True, slots=True)
class Floor:
    """A floor and what it rests upon."""

    value: float
    """Feature units."""
    silent: float
    """The least at which the good sheets are silent."""
    sheets: int
    """Good sheets that are silent."""
    bound: float
    """At most this share of the product's good sheets raises an alarm, at 95 % confidence, one-sided."""
    found: float
    """Share of the painted cracks that are found with it."""
    cracks: int
    odd: tuple[tuple[str, Defect], ...] = ()
    """Sheets that were not asked for silence: something on them stands out as a crack does."""


def choose(sheets: Sequence[Told], recipe: Recipe, start: float) -> Floor:
    """The floor of a recipe, from sheets that were inspected with `start` as the learnt one; it is none lower."""
    loudest = sorted(((_loudest(one, recipe, start), one) for one in sheets), key=lambda pair: -pair[0][0])
    needed = np.array(
        [
            max((needed_floor(one, recipe, start) for one in found), default=-np.inf)
            for sheet in sheets
            for found in sheet.cracks
        ]
    )
    odd: list[tuple[str, Defect]] = []
    may_be_odd = max(len(sheets) // _MOST_ODD, int(len(sheets) > 3))
    while len(odd) < may_be_odd and len(loudest) > 1:
        (level, alarm), sheet = loudest[0]
        alone = level > max(loudest[1][0][0], start) + _ALONE
        if alarm is None or not alone or not _like_a_crack(level, needed, start):
            break
        odd.append((sheet.name, alarm))
        loudest = loudest[1:]
    silent = max(start, loudest[0][0][0] + STEP)
    value = max(silent, min(silent + _MARGIN, _unneeded(needed, silent)))
    count = len(loudest)
    return Floor(
        value=round(value, 3),
        silent=round(silent, 3),
        sheets=count,
        bound=alarm_bound(count),
        found=_share(needed, value),
        cracks=needed.size,
        odd=tuple(odd),
    )


def alarm_bound(sheets: int, alarming: int = 0) -> float:
    """The share of good sheets that may raise an alarm where `alarming` of so many did, at 95 % confidence.

    The one-sided bound of Clopper and Pearson (1934). For none it holds although the floor was chosen by these sheets:
    that the highest of n values bounds such a share of all is Wilks' tolerance limit (1941), the same formula.
    """
    return float(betaincinv(alarming + 1, sheets - alarming, _CONFIDENCE)) if alarming < sheets else 1.0


def _loudest(sheet: Told, recipe: Recipe, start: float) -> tuple[float, Defect | None]:
    levels = [(needed_floor(alarm, recipe, start), alarm) for alarm in sheet.alarms]
    return max(levels, key=lambda pair: pair[0], default=(-np.inf, None))


def _like_a_crack(level: float, needed: NDArray[np.float64], start: float) -> bool:
    found = needed[needed > start]
    return bool(found.size and level > np.quantile(found, _LIKE_A_CRACK))


def _unneeded(needed: NDArray[np.float64], silent: float) -> float:
    """The highest floor that finds as many painted cracks as the silent one, but for three in a hundred."""
    found = np.sort(needed[needed >= silent])
    if not found.size:
        return silent
    return float(found[int(_LOST * found.size)])


def _share(needed: NDArray[np.float64], floor: float) -> float:
    return float(np.mean(needed >= floor)) if needed.size else 0.0
