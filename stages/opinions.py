"""What the classifier was asked about the open plates, and what it said of them.

A part of the merger's state machine, without I/O and without a clock. A crop is known by the place around which it
lies, so that two windows which report the same peak ask once. Only whole and plausible answers to what was asked are
believed; what is missing when a plate is decided stays missing. What is kept is bounded by the open plates.

| a crop is | from | until |
|---|---|---|
| next | its window is scored | those asked before it are answered; left out where a plate has too many |
| asked | ClassifyCrops; again when the classifier is a new one | CropsClassified, or its plate is decided |
| answered | a whole and plausible answer | its plate is decided |
| unheard | there is nobody to ask, or several classifiers did not answer | its plate is decided |
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from config.schema import Recipe
from models.detector.findings import Region
from stages.crops import Answer, Crop
from stages.events import ClassifyCrops, CropsClassified, CropsUnwanted, Place
from stages.plate import HEAT_CELLS, Defect, Heat, WindowResult, window_columns

MOST_AT_ONCE = 8
"""Crops of a window that are asked about together, the best-scored first; the next are when those are answered."""
MOST_IN_PLATE = 256
"""Crops of one plate; what is beyond is left out."""
MOST_BEFORE_FAINT = 128
"""Crops of one plate after which no faint ones are asked about, so that there is room for the others."""
MOST_REPEATED = 2
"""Classifiers that are asked again what those before them have not answered: a crop may be what ended them."""

Peak = tuple[int, int]
"""x, y of a region's best pixel in plate coordinates."""


def can_wait(crops: Iterable[Crop]) -> bool:
    """Whether all of them are faint."""
    return all(crop.faint for crop in crops)


# --- what is known ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Opinion:
    """The believed answer for one place."""

    probability: float
    heat: bytes


@dataclass(slots=True)
class OpinionCounters:
    """Crops by what became of them, and answers that were not believed."""

    crops_classified: int = 0
    crops_late: int = 0
    """Not answered when their plate was decided, for want of time."""
    crops_left_out: int = 0
    """Never asked: more than a plate may have, or around no pixel of it."""
    crops_unheard: int = 0
    """With nobody to ask, or not answered by any of several classifiers."""
    answers_late: int = 0
    """For plates that were decided."""
    answers_repeated: int = 0
    answers_unasked: int = 0
    """For a plate or a window that was not asked about."""
    answers_of_another: int = 0
    """To what a merger asked that is no more."""
    answers_malformed: int = 0
    """Of the wrong count or region, or with a probability or heat map that is none."""


@dataclass(slots=True)
class _Window:
    """What is to be asked about one window."""

    seen: frozenset[Peak]
    """Where there is a region, whether it can be asked about or not."""
    next: list[Crop]
    """Not asked yet, in the order in which they will be."""
    asked: tuple[Crop, ...] = ()
    """Asked and not answered."""
    repeated: int = 0
    """How often that was asked again."""
    answered: set[int] = field(default_factory=set)
    """Regions whose answer was believed."""


@dataclass(slots=True)
class _Plate:
    """What was asked about one plate."""

    place: Place | None = None
    """Where it lies in the plate memory."""
    windows: dict[int, _Window] = field(default_factory=dict)
    peaks: set[Peak] = field(default_factory=set)
    """Asked about."""
    unheard: set[Peak] = field(default_factory=set)
    """There was nobody to ask about them, or nobody left who might answer."""
    opinions: dict[Peak, Opinion] = field(default_factory=dict)

    @property
    def seen(self) -> set[Peak]:
        """Where there are regions."""
        return {peak for window in self.windows.values() for peak in window.seen}

    @property
    def silent(self) -> tuple[int, int, int]:
        """Places without an answer: that more time would have brought, left out, and with nobody to ask."""
        unanswered = self.seen - self.opinions.keys()
        to_come = {(crop.x, crop.y) for window in self.windows.values() for crop in window.next}
        unheard = unanswered & self.unheard
        late = (unanswered & (self.peaks | to_come)) - unheard
        return len(late), len(unanswered) - len(late) - len(unheard), len(unheard)


class Opinions:
    """The questions to the classifier and its answers, plate by plate.

    Args:
        recipe: whether the classifier is asked, and how windows lie on a plate.
        absent: there is no classifier to ask.
        asker: incarnation of the merge that asks; an answer to another is not believed.
        counters: those of another recipe's opinions, to go on with.
    """

    def __init__(
        self, recipe: Recipe, *, absent: bool = False, asker: int = 1, counters: OpinionCounters | None = None
    ) -> None:
        self._mode = recipe.classifier.mode
        self._settings = recipe.windows
        self._absent = absent
        self._asker = asker
        self._plates: dict[int, _Plate] = {}
        self.counters = OpinionCounters() if counters is None else counters

    def ask(self, result: WindowResult, place: Place, columns: int) -> list[ClassifyCrops]:
        """The first question about a window of a plate of that many columns, if it has one."""
        if self._mode == "off" or not result.regions:
            return []
        plate = self._plates.setdefault(result.plate, _Plate())
        plate.place = place
        plate.windows[result.window] = self._window(result, columns)
        return self._next(result.plate, result.window)

    def take(self, event: CropsClassified) -> list[ClassifyCrops]:
        """Believe an answer, or count why not; and what is to be asked next about that window."""
        plate = self._plates.get(event.plate)
        window = plate.windows.get(event.window) if plate is not None else None
        if event.asker != self._asker:
            # Regions may be numbered otherwise in what was scored again.
            self.counters.answers_of_another += 1
        elif plate is None or window is None:
            self.counters.answers_unasked += 1
        elif not window.asked or _repeats(event.answers, window.answered):
            self.counters.answers_repeated += 1
        elif not _plausible(event.answers, window.asked):
            self.counters.answers_malformed += 1
        else:
            by_region = {answer.region: answer for answer in event.answers}
            for crop in window.asked:
                answer = by_region[crop.region]
                plate.opinions[crop.x, crop.y] = Opinion(answer.probability, answer.heat)
            self.counters.crops_classified += len(window.asked)
            window.answered |= by_region.keys()
            window.asked = ()
            return self._next(event.plate, event.window)
        return []

    def waits(self, plate: int) -> bool:
        """Whether an answer about the plate may still come."""
        known = self._plates.get(plate)
        return known is not None and not self._absent and any(window.asked for window in known.windows.values())

    def again(self) -> list[ClassifyCrops]:
        """All that is asked and not answered, for a classifier that knows nothing of it.

        What was asked again MOST_REPEATED times is dropped; what comes next in its window is asked in its place.
        """
        if self._absent:
            return []
        return [
            ask
            for plate, known in sorted(self._plates.items())
            for number, window in sorted(known.windows.items())
            if window.asked
            for ask in self._again(plate, number)
        ]

    def lost(self) -> None:
        """There is no classifier any more."""
        self._absent = True

    def of(self, plate: int) -> Mapping[Peak, Opinion] | None:
        """What is known of the peaks of a plate; None where the classifier is off."""
        if self._mode == "off":
            return None
        known = self._plates.get(plate)
        return {} if known is None else known.opinions

    def summary(self, plate: int, *, inspected: bool = True) -> str:
        """The recipe's mode, and what of the plate is without an answer: "veto, late: 3 of 12 crops".

        "none" where nothing of the plate was `inspected`, so that there was nothing to ask about.
        """
        if not inspected:
            return "none"
        known = self._plates.get(plate, _Plate())
        crops, (late, beyond, unheard) = len(known.seen), known.silent
        left_out = beyond + unheard
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
        known = self._plates.get(plate)
        if known is None:
            return
        for number in windows:
            window = known.windows.pop(number, None)
            if window is not None:
                known.peaks -= {(crop.x, crop.y) for crop in window.asked}

    def close(self, plate: int) -> list[CropsUnwanted]:
        """Forget a plate; the classifier is told where it still has work with it."""
        stop = [CropsUnwanted(plate)] if self.waits(plate) else []
        known = self._plates.pop(plate, None)
        if known is not None:
            late, left_out, unheard = known.silent
            self.counters.crops_late += late
            self.counters.crops_left_out += left_out
            self.counters.crops_unheard += unheard
        return stop

    def validate(self) -> None:
        """Check what always holds between two events.

        Raises:
            AssertionError: it does not.
        """
        for plate, known in self._plates.items():
            assert len(known.peaks) <= MOST_IN_PLATE, f"plate {plate}: too many crops"
            assert known.opinions.keys() <= known.peaks, f"plate {plate}: an answer that nobody asked for"
            for number, window in known.windows.items():
                assert len(window.asked) <= MOST_AT_ONCE, f"plate {plate}: too much is asked about window {number}"
                assert window.asked or not window.next, f"plate {plate}: window {number} waits for nothing"
                assert {(crop.x, crop.y) for crop in window.asked} <= known.peaks

    def _question(self, plate: int, number: int) -> ClassifyCrops:
        known = self._plates[plate]
        assert known.place is not None
        return ClassifyCrops(plate, known.place, number, known.windows[number].asked, self._asker)

    def _again(self, plate: int, number: int) -> list[ClassifyCrops]:
        """The question that a window waits with once more, or the one after it."""
        known = self._plates[plate]
        window = known.windows[number]
        if window.repeated == MOST_REPEATED:
            known.unheard |= {(crop.x, crop.y) for crop in window.asked}
            return self._next(plate, number)
        window.repeated += 1
        return [self._question(plate, number)]

    def _next(self, plate: int, number: int) -> list[ClassifyCrops]:
        """The next question about a window: of crops that are all faint, or none of them."""
        known = self._plates[plate]
        window = known.windows[number]
        left = [crop for crop in window.next if (crop.x, crop.y) not in known.peaks]
        if self._absent:
            known.unheard |= {(crop.x, crop.y) for crop in left}
            left = []
        faint = can_wait(left)
        most = (MOST_BEFORE_FAINT if faint else MOST_IN_PLATE) - len(known.peaks)
        alike = [crop for crop in left if crop.faint == faint]
        window.asked, window.repeated = tuple(alike[: max(0, min(MOST_AT_ONCE, most))]), 0
        # What has no room now will have none.
        window.next = [crop for crop in left if crop not in window.asked] if window.asked else []
        if not window.asked:
            return []
        known.peaks |= {(crop.x, crop.y) for crop in window.asked}
        return [self._question(plate, number)]

    def _window(self, result: WindowResult, columns: int) -> _Window:
        """The crops of a window by place: faint ones last, the best-scored first (no number above all)."""
        across = max(1, window_columns(columns, self._settings))
        row, column = divmod(result.window, across)
        x0, y0 = column * self._settings.stride, row * self._settings.stride

        def rank(item: tuple[int, Region]) -> tuple[bool, float, int, int, int]:
            index, region = item
            worst = -math.inf if math.isnan(region.score) else -region.score
            return region.faint, worst, region.peak_y, region.peak_x, index

        crops: dict[Peak, Crop] = {}
        for index, region in sorted(enumerate(result.regions), key=rank):
            x, y = x0 + region.peak_x, y0 + region.peak_y
            crops.setdefault((x, y), Crop(index, x, y, region.faint))
        # Around a pixel beyond the plate nothing can be seen; it counts as left out.
        return _Window(frozenset(crops), [crop for crop in crops.values() if 0 <= crop.x < columns and crop.y >= 0])


def with_opinions(
    defects: Sequence[Defect],
    regions: Sequence[Region],
    peaks: Sequence[Peak],
    owner: Sequence[int],
    opinions: Mapping[Peak, Opinion],
    ng_score: float,
) -> list[Defect]:
    """The defects with the highest chance of a crack among their regions (of equal ones the first in reading order).

    Args:
        defects: as found, without the classifier.
        regions: of all windows.
        peaks: of their peaks, in the same order.
        owner: index of the defect that each region belongs to, -1 for none.
        opinions: what is known of the peaks.
        ng_score: a region of at least this score that has no opinion is counted in `unanswered`.
    """
    best: dict[int, tuple[float, int, int]] = {}
    unanswered: dict[int, set[Peak]] = {}
    for region, (x, y), defect in zip(regions, peaks, owner, strict=True):
        opinion = opinions.get((x, y))
        if defect < 0:
            continue
        if opinion is not None:
            found = (-opinion.probability, y, x)
            best[defect] = min(best.get(defect, found), found)
        elif not region.score < ng_score:
            unanswered.setdefault(defect, set()).add((x, y))
    solid = {defect for region, defect in zip(regions, owner, strict=True) if not region.faint}
    judged = [replace(defect, faint=index not in solid) for index, defect in enumerate(defects)]
    for defect, (chance, y, x) in best.items():
        judged[defect] = replace(judged[defect], probability=-chance, heat=Heat(x, y, opinions[x, y].heat))
    for defect, silent in unanswered.items():
        judged[defect] = replace(judged[defect], unanswered=len(silent))
    return judged


def _repeats(answers: tuple[Answer, ...], answered: set[int]) -> bool:
    """Whether they are an earlier answer come twice."""
    return bool(answers) and all(answer.region in answered for answer in answers)


def _plausible(answers: tuple[Answer, ...], crops: tuple[Crop, ...]) -> bool:
    """Whether each crop has one answer, with a chance between 0 and 1 (which what is no number is not) and a map."""
    if sorted(answer.region for answer in answers) != sorted(crop.region for crop in crops):
        return False
    return all(0.0 <= answer.probability <= 1.0 and len(answer.heat) == HEAT_CELLS**2 for answer in answers)
