"""The classify stage: crops of plates, read in place, through the classifier, several windows at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.classifier.classifier import Classifier
from models.classifier.crops import SIDE, crop_at
from stages.merge_events import Answer, Crop


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
    """What was asked and is not answered: the oldest plate first, windows of one in the order of their questions."""

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

    def take(self, crops: int, ready: Callable[[Question], bool]) -> list[Question]:
        """The next questions that are ready, of about that many crops together: whole ones, and at least one."""
        taken: list[Question] = []
        for question in sorted(self._waiting.values(), key=lambda one: one.plate):
            if not ready(question):
                continue
            if taken and sum(len(one.crops) for one in (*taken, question)) > crops:
                break
            taken.append(question)
        for question in taken:
            del self._waiting[question.plate, question.window]
        return taken


def cut(pixels: NDArray[np.uint8], crops: Sequence[Crop]) -> list[NDArray[np.uint8]]:
    """Copies of the crops of a plate, uint8 (rows, columns), each (224, 224)."""
    return [crop_at(pixels, crop.x, crop.y) for crop in crops]


def answered(
    classifier: Classifier, asked: Sequence[tuple[Sequence[Crop], Sequence[NDArray[np.uint8]]]]
) -> list[tuple[Answer, ...]]:
    """The answers to several questions, each its crops and their pixels, computed together."""
    found = iter(classifier.classify([picture for _, pictures in asked for picture in pictures]))
    return [
        tuple(Answer(crop.region, *next(found)) for crop, _ in zip(crops, pictures, strict=True))
        for crops, pictures in asked
    ]
