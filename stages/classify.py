"""The classify stage: crops of plates, read in place, through the classifier, in batches across windows."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.classifier.classifier import Classifier
from models.classifier.crops import SIDE, crop_at
from stages.merge_events import Answer, Crop, CropsClassified, can_wait

Rank = tuple[int, bool]
"""What is answered first has the lowest: the oldest plate, of one what cannot wait."""


@dataclass(frozen=True, slots=True)
class Question:
    """Crops of one window, and where their plate lies in the plate memory."""

    plate: int
    slot: int
    generation: int
    columns: int
    window: int
    crops: tuple[Crop, ...]

    @property
    def rank(self) -> Rank:
        """Among the questions."""
        return _rank(self.plate, self.crops)

    @property
    def rows_needed(self) -> int:
        """Rows of the plate from which on the crops are what they will be when it has ended."""
        return max((max(crop.y + SIDE - SIDE // 2, SIDE) for crop in self.crops), default=0)


class Questions:
    """What was asked and is not begun: by rank, then as it was asked."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[int, int], Question] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, question: Question) -> None:
        """Take a question; one that is asked again waits once."""
        self._waiting[question.plate, question.window] = question

    def forget(self, plate: int) -> None:
        """Drop what was asked of a plate."""
        self._waiting = {key: question for key, question in self._waiting.items() if key[0] != plate}

    def clear(self) -> None:
        """Drop everything."""
        self._waiting.clear()

    def take(self, ready: Callable[[Question], bool], before: Rank | None = None) -> Question | None:
        """The next question that is ready, if there is one: of a rank below that, where one is given."""
        for question in sorted(self._waiting.values(), key=lambda one: one.rank):
            if before is not None and question.rank >= before:
                return None
            if ready(question):
                return self._waiting.pop((question.plate, question.window))
        return None


@dataclass(frozen=True, slots=True)
class _Read:
    """A crop with its pixels."""

    rank: Rank
    plate: int
    window: int
    crop: Crop
    picture: NDArray[np.uint8]


class Work:
    """Crops that were read and are not computed, by rank, and the answers of questions that are begun."""

    def __init__(self) -> None:
        self._crops: list[_Read] = []
        self._answers: dict[tuple[int, int], list[Answer]] = {}

    def __len__(self) -> int:
        return len(self._crops)

    def add(self, plate: int, window: int, crops: Sequence[Crop], pixels: NDArray[np.uint8]) -> None:
        """Read the crops of a window from its plate, uint8 (rows, columns); they are copied."""
        self.forget(plate, window)
        rank = _rank(plate, crops)
        read = [_Read(rank, plate, window, crop, crop_at(pixels, crop.x, crop.y)) for crop in crops]
        at = bisect_right(self._crops, rank, key=lambda one: one.rank)
        self._crops[at:at] = read
        self._answers[plate, window] = []

    def to_beat(self, most: int) -> Rank | None:
        """The rank below which a question belongs among the next so many crops; None where any does."""
        return self._crops[most - 1].rank if len(self) >= most else None

    def forget(self, plate: int, window: int | None = None) -> None:
        """Drop a plate, or one window of it."""
        self._crops = [one for one in self._crops if one.plate != plate or window not in (None, one.window)]
        for key in [key for key in self._answers if key[0] == plate and window in (None, key[1])]:
            del self._answers[key]

    def clear(self) -> None:
        """Drop everything."""
        self._crops.clear()
        self._answers.clear()

    def compute(self, classifier: Classifier, most: int) -> list[CropsClassified]:
        """Classify the next crops, so many together, of whatever windows; the windows that are answered by that."""
        taken, self._crops = self._crops[:most], self._crops[most:]
        found = classifier.classify([one.picture for one in taken])
        for one, (probability, heat) in zip(taken, found, strict=True):
            self._answers[one.plate, one.window].append(Answer(one.crop.region, probability, heat))
        begun = {(one.plate, one.window) for one in self._crops}
        done = [key for key in self._answers if key not in begun]
        return [CropsClassified(*key, tuple(self._answers.pop(key))) for key in done]


def _rank(plate: int, crops: Sequence[Crop]) -> Rank:
    return plate, can_wait(crops)
