"""What the classifier was asked about the open plates, and what it said of them.

A part of the merger's state machine, without I/O and without a clock. A crop is known by the place around which it
lies, so that two windows which report the same peak ask once. Only whole and plausible answers to what was asked are
believed; what is missing when a plate is decided stays missing. What is kept is bounded by the open plates.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from config.schema import Recipe
from models.regions import Region
from stages.merge_events import Answer, Classify, Crop, CropsClassified, StopClassifying
from stages.plate import HEAT_CELLS, Defect, Heat, WindowResult, window_columns

MOST_IN_WINDOW = 8
"""Crops of one window, the best-scored first: what is beyond costs time that other windows need."""
MOST_IN_PLATE = 256
"""Crops of one plate; those of later windows are left out."""

Place = tuple[int, int]
"""x, y of a region's peak in plate coordinates."""


# --- what is known ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Opinion:
    """The believed answer for one place."""

    probability: float
    heat: bytes


@dataclass(slots=True)
class OpinionCounters:
    """Crops by what became of them, and answers that were not believed."""

    crops_asked: int = 0
    crops_classified: int = 0
    crops_late: int = 0
    """Asked and not answered when their plate was decided."""
    crops_left_out: int = 0
    """Never asked: more than a window or a plate may have, or with nobody to ask."""
    answers_late: int = 0
    """For plates that were decided."""
    answers_repeated: int = 0
    answers_unasked: int = 0
    """For a plate or a window that was not asked about."""
    answers_malformed: int = 0
    """Of the wrong count or region, or with a probability or heat map that is none."""


@dataclass(slots=True)
class _Asked:
    """What was asked about one plate."""

    windows: dict[int, tuple[Crop, ...]] = field(default_factory=dict)
    waiting: set[int] = field(default_factory=set)
    """Windows that are not answered."""
    places: set[Place] = field(default_factory=set)
    """Asked about."""
    seen: set[Place] = field(default_factory=set)
    """Where there is a region, whether it was asked about or not."""
    opinions: dict[Place, Opinion] = field(default_factory=dict)


class Opinions:
    """The questions to the classifier and its answers, plate by plate.

    Args:
        recipe: whether the classifier is asked, and how windows lie on a plate.
        absent: there is no classifier to ask.
    """

    def __init__(self, recipe: Recipe, *, absent: bool = False) -> None:
        self._mode = recipe.classifier.mode
        self._settings = recipe.windows
        self._absent = absent
        self._plates: dict[int, _Asked] = {}
        self.counters = OpinionCounters()

    def ask(self, result: WindowResult, columns: int) -> list[Classify]:
        """The question about a window of a plate of that many columns, if it has one."""
        if self._mode == "off" or not result.regions:
            return []
        asked = self._plates.setdefault(result.plate, _Asked())
        crops = self._crops(result, columns)
        asked.seen |= crops.keys()
        room = 0 if self._absent else MOST_IN_PLATE - len(asked.places)
        # Those of a window are chosen before those that a neighbour asked are taken out: no order changes the choice.
        chosen = [crop for place, crop in list(crops.items())[:MOST_IN_WINDOW] if place not in asked.places][:room]
        if not chosen:
            return []
        asked.places |= {(crop.x, crop.y) for crop in chosen}
        asked.windows[result.window] = tuple(chosen)
        asked.waiting.add(result.window)
        self.counters.crops_asked += len(chosen)
        return [Classify(result.plate, result.window, tuple(chosen))]

    def take(self, event: CropsClassified) -> None:
        """Believe an answer, or count why not."""
        asked = self._plates.get(event.plate)
        crops = asked.windows.get(event.window) if asked is not None else None
        if asked is None or crops is None:
            self.counters.answers_unasked += 1
        elif event.window not in asked.waiting:
            self.counters.answers_repeated += 1
        elif not _plausible(event.answers, crops):
            self.counters.answers_malformed += 1
        else:
            asked.waiting.discard(event.window)
            by_region = {answer.region: answer for answer in event.answers}
            for crop in crops:
                answer = by_region[crop.region]
                asked.opinions[crop.x, crop.y] = Opinion(answer.probability, answer.heat)
            self.counters.crops_classified += len(crops)

    def waits(self, plate: int) -> bool:
        """Whether an answer about the plate may still come."""
        asked = self._plates.get(plate)
        return asked is not None and bool(asked.waiting) and not self._absent

    def again(self) -> list[Classify]:
        """All that is not answered, for a classifier that knows nothing of it."""
        if self._absent:
            return []
        return [
            Classify(plate, window, asked.windows[window])
            for plate, asked in sorted(self._plates.items())
            for window in sorted(asked.waiting)
        ]

    def lost(self) -> None:
        """There is no classifier any more."""
        self._absent = True

    def of(self, plate: int) -> Mapping[Place, Opinion] | None:
        """What is known of the places of a plate; None where the classifier is off."""
        if self._mode == "off":
            return None
        asked = self._plates.get(plate)
        return {} if asked is None else asked.opinions

    def summary(self, plate: int) -> str:
        """The recipe's mode, and what of the plate is without an answer: "veto, late: 3 of 12 crops"."""
        asked = self._plates.get(plate, _Asked())
        crops, late, left_out = len(asked.seen), _crops_waiting(asked), len(asked.seen - asked.places)
        parts = [str(self._mode)]
        if self._mode == "off":
            return parts[0]
        if self._absent and not crops:
            parts.append("absent")
        elif self._absent:
            parts += [f"absent: {late + left_out} of {crops} crops"] if late + left_out else []
        else:
            parts += [f"late: {late} of {crops} crops"] if late else []
            parts += [f"left out: {left_out} of {crops} crops"] if left_out else []
        return ", ".join(parts)

    def drop(self, plate: int, windows: Iterable[int]) -> None:
        """Forget what was asked about windows that the plate turned out not to have."""
        asked = self._plates.get(plate)
        if asked is None:
            return
        for window in windows:
            for crop in asked.windows.pop(window, ()):
                asked.places.discard((crop.x, crop.y))
                asked.seen.discard((crop.x, crop.y))
                asked.opinions.pop((crop.x, crop.y), None)
            asked.waiting.discard(window)

    def close(self, plate: int) -> list[StopClassifying]:
        """Forget a plate; the classifier is told where it still has work with it."""
        asked = self._plates.pop(plate, None)
        if asked is None:
            return []
        self.counters.crops_late += _crops_waiting(asked)
        self.counters.crops_left_out += len(asked.seen - asked.places)
        return [StopClassifying(plate)] if asked.waiting and not self._absent else []

    def _crops(self, result: WindowResult, columns: int) -> dict[Place, Crop]:
        """The crops of a window by place, the best-scored first (a score that is no number above all)."""
        across = max(1, window_columns(columns, self._settings))
        row, column = divmod(result.window, across)
        x0, y0 = column * self._settings.stride, row * self._settings.stride

        def rank(item: tuple[int, Region]) -> tuple[float, int, int, int]:
            index, region = item
            worst = -math.inf if math.isnan(region.score) else -region.score
            return worst, region.peak_y, region.peak_x, index

        ranked = sorted(enumerate(result.regions), key=rank)
        crops: dict[Place, Crop] = {}
        for index, region in ranked:
            x, y = x0 + region.peak_x, y0 + region.peak_y
            if 0 <= x < columns and y >= 0:
                crops.setdefault((x, y), Crop(index, x, y))
        return crops


def with_opinions(
    defects: Sequence[Defect],
    regions: Sequence[Region],
    places: Sequence[Place],
    owner: Sequence[int],
    opinions: Mapping[Place, Opinion],
    ng_score: float,
) -> list[Defect]:
    """The defects with the highest chance of a crack among their regions (of equal ones the first in reading order).

    Args:
        defects: as found, without the classifier.
        regions: of all windows.
        places: of their peaks, in the same order.
        owner: index of the defect that each region belongs to, -1 for none.
        opinions: what is known of the places.
        ng_score: a region of at least this score that has no opinion is counted in `unanswered`.
    """
    best: dict[int, tuple[float, int, int]] = {}
    unanswered: dict[int, set[Place]] = {}
    for region, (x, y), defect in zip(regions, places, owner, strict=True):
        opinion = opinions.get((x, y))
        if defect < 0:
            continue
        if opinion is not None:
            found = (-opinion.probability, y, x)
            best[defect] = min(best.get(defect, found), found)
        elif not region.score < ng_score:
            unanswered.setdefault(defect, set()).add((x, y))
    judged = list(defects)
    for defect, (chance, y, x) in best.items():
        judged[defect] = replace(judged[defect], probability=-chance, heat=Heat(x, y, opinions[x, y].heat))
    for defect, silent in unanswered.items():
        judged[defect] = replace(judged[defect], unanswered=len(silent))
    return judged


def _crops_waiting(asked: _Asked) -> int:
    return sum(len(asked.windows[window]) for window in asked.waiting)


def _plausible(answers: tuple[Answer, ...], crops: tuple[Crop, ...]) -> bool:
    """Whether each crop has one answer, with a chance between 0 and 1 (which what is no number is not) and a map."""
    if sorted(answer.region for answer in answers) != sorted(crop.region for crop in crops):
        return False
    return all(0.0 <= answer.probability <= 1.0 and len(answer.heat) == HEAT_CELLS**2 for answer in answers)
