"""The classify stage: crops of plates, read in place, through the classifier, in batches across windows."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile

import numpy as np
from numpy.typing import NDArray

from models.classifier.classifier import Classifier
from models.classifier.crops import SIDE, crop_at
from stages.crops import Answer, Crop
from stages.events import ClassifyCrops, CropsClassified
from stages.opinions import can_wait

Rank = tuple[int, bool]
"""What is answered first has the lowest: the oldest plate, of one what cannot wait."""


def rows_needed(question: ClassifyCrops) -> int:
    """Rows of the plate from which on the crops are what they will be when it has ended."""
    return max((max(crop.y + SIDE - SIDE // 2, SIDE) for crop in question.crops), default=0)


class Questions:
    """What was asked and is not begun: by rank, then as it was asked."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[int, int], ClassifyCrops] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, question: ClassifyCrops) -> None:
        """Take a question; one that is asked again waits once."""
        self._waiting[question.plate, question.window] = question

    def forget(self, plate: int) -> None:
        """Drop what was asked of a plate."""
        self._waiting = {key: question for key, question in self._waiting.items() if key[0] != plate}

    def forget_recipe(self, number: int) -> None:
        """Drop what was asked of plates of that recipe."""
        self._waiting = {key: question for key, question in self._waiting.items() if question.place.recipe != number}

    def clear(self) -> None:
        """Drop everything."""
        self._waiting.clear()

    def take(self, ready: Callable[[ClassifyCrops], bool], before: Rank | None = None) -> ClassifyCrops | None:
        """The next question that is ready, if there is one: of a rank below that, where one is given."""
        for question in sorted(self._waiting.values(), key=_rank):
            if before is not None and _rank(question) >= before:
                return None
            if ready(question):
                return self._waiting.pop((question.plate, question.window))
        return None


@dataclass(frozen=True, slots=True)
class _Read:
    """A crop with its pixels."""

    rank: Rank
    question: ClassifyCrops
    crop: Crop
    picture: NDArray[np.uint8]

    @property
    def window(self) -> tuple[int, int]:
        return self.question.plate, self.question.window

    @property
    def recipe(self) -> int:
        return self.question.place.recipe


class Work:
    """Crops that were read and are not computed, by rank, and the answers of questions that are begun."""

    def __init__(self) -> None:
        self._crops: list[_Read] = []
        self._begun: dict[tuple[int, int], tuple[ClassifyCrops, list[Answer]]] = {}

    def __len__(self) -> int:
        return len(self._crops)

    def add(self, question: ClassifyCrops, pixels: NDArray[np.uint8]) -> None:
        """Read the crops of a window from its plate, uint8 (rows, columns); they are copied."""
        self.forget(question.plate, question.window)
        rank = _rank(question)
        read = [_Read(rank, question, crop, crop_at(pixels, crop.x, crop.y)) for crop in question.crops]
        at = bisect_right(self._crops, rank, key=lambda one: one.rank)
        self._crops[at:at] = read
        self._begun[question.plate, question.window] = question, []

    def to_beat(self, most: int) -> Rank | None:
        """The rank below which a question belongs among the next so many crops; None where any does."""
        return self._crops[most - 1].rank if len(self) >= most else None

    def forget(self, plate: int, window: int | None = None) -> None:
        """Drop a plate, or one window of it."""
        self._crops = [one for one in self._crops if one.window[0] != plate or window not in (None, one.window[1])]
        for key in [key for key in self._begun if key[0] == plate and window in (None, key[1])]:
            del self._begun[key]

    def forget_recipe(self, number: int) -> None:
        """Drop the plates of that recipe."""
        for plate in {key[0] for key, (question, _) in self._begun.items() if question.place.recipe == number}:
            self.forget(plate)

    def clear(self) -> None:
        """Drop everything."""
        self._crops.clear()
        self._begun.clear()

    @property
    def recipe(self) -> int | None:
        """Number of the recipe of the crop that comes next; None where there is none."""
        return self._crops[0].recipe if self._crops else None

    def compute(self, classifier_of: Callable[[int], Classifier], most: int) -> list[CropsClassified]:
        """Classify the next crops, so many together, of whatever windows; the windows that are answered by that.

        Args:
            classifier_of: the one that is asked for plates of the recipe of that number; another one ends a batch.
            most: crops that are computed together, at most.
        """
        classifiers = [classifier_of(one.recipe) for one in self._crops[:most]]
        count = len(list(takewhile(lambda one: one is classifiers[0], classifiers)))
        taken, self._crops = self._crops[:count], self._crops[count:]
        found = classifiers[0].classify([one.picture for one in taken]) if taken else []
        for one, (probability, heat) in zip(taken, found, strict=True):
            self._begun[one.window][1].append(Answer(one.crop.region, probability, heat))
        left = {one.window for one in self._crops}
        done = [self._begun.pop(key) for key in list(self._begun) if key not in left]
        return [CropsClassified(asked.plate, asked.window, tuple(answers), asked.asker) for asked, answers in done]


def _rank(question: ClassifyCrops) -> Rank:
    return question.plate, can_wait(question.crops)
