"""The classify stage: crops of plates, read in place, through the classifier, in batches across windows."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.classifier.classifier import Classifier
from models.classifier.crops import SIDE, crop_at
from stages.merge_events import Answer, Crop, CropsClassified, can_wait


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
    def rows_needed(self) -> int:
        """Rows of the plate from which on the crops are what they will be when it has ended."""
        return max((max(crop.y + SIDE - SIDE // 2, SIDE) for crop in self.crops), default=0)


class Questions:
    """What was asked and is not answered: the oldest plate first, of one what cannot wait, then as it was asked."""

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

    def take(self, ready: Callable[[Question], bool]) -> Question | None:
        """The next question that is ready, if there is one."""
        for question in sorted(self._waiting.values(), key=lambda one: (one.plate, can_wait(one.crops))):
            if ready(question):
                return self._waiting.pop((question.plate, question.window))
        return None


class Work:
    """Crops that were read and are not computed, in order, and the answers of questions that are begun."""

    def __init__(self) -> None:
        self._crops: deque[tuple[int, int, Crop, NDArray[np.uint8]]] = deque()
        self._answers: dict[tuple[int, int], list[Answer]] = {}

    def __len__(self) -> int:
        return len(self._crops)

    def add(self, plate: int, window: int, crops: Sequence[Crop], pixels: NDArray[np.uint8]) -> None:
        """Read the crops of a window from its plate, uint8 (rows, columns); they are copied."""
        self.forget(plate, window)
        self._crops.extend((plate, window, crop, crop_at(pixels, crop.x, crop.y)) for crop in crops)
        self._answers[plate, window] = []

    def forget(self, plate: int, window: int | None = None) -> None:
        """Drop a plate, or one window of it."""
        self._crops = deque(one for one in self._crops if one[0] != plate or window not in (None, one[1]))
        for key in [key for key in self._answers if key[0] == plate and window in (None, key[1])]:
            del self._answers[key]

    def clear(self) -> None:
        """Drop everything."""
        self._crops.clear()
        self._answers.clear()

    def compute(self, classifier: Classifier, most: int) -> list[CropsClassified]:
        """Classify the next crops, so many together, of whatever windows; the windows that are answered by that."""
        taken = [self._crops.popleft() for _ in range(min(most, len(self._crops)))]
        found = classifier.classify([picture for *_, picture in taken])
        for (plate, window, crop, _), (probability, heat) in zip(taken, found, strict=True):
            self._answers[plate, window].append(Answer(crop.region, probability, heat))
        begun = {one[:2] for one in self._crops}
        done = [key for key in self._answers if key not in begun]
        return [CropsClassified(*key, tuple(self._answers.pop(key))) for key in done]
