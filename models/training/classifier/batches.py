"""Batches of examples, each made by its key alone: which are drawn, how they are turned, and what is known of them."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.classifier.augmentation import augmented
from models.classifier.networks import CLASSES, CRACK
from models.classifier.preprocess import INPUT, prepared
from models.training.classifier.examples import Example
from models.training.classifier.plan import Plan
from models.training.classifier.progressive import PLACE, spot_of

_AHEAD = 2
"""Batches made while the network learns."""
_RENEWED_EVERY, PARTS = 50, 20
"""Steps after which one in so many parts of the simulated examples gives way to new ones."""


class Renewal(NamedTuple):
    """Examples that give way to new ones while a training goes on, and where those come from."""

    replaces: Callable[[Example], bool]
    make: Callable[[int], Sequence[Example]]
    """The examples of a part's number, from 1 on: by the number alone, as many as a part holds."""


def draw_chances(examples: Sequence[Example]) -> NDArray[np.float64]:
    """The chance of each example to be drawn."""
    sizes = Counter(one.source for one in examples)
    chances = np.array([1 / math.sqrt(sizes[one.source]) for one in examples])
    return np.asarray(chances / chances.sum())


def class_weights(examples: Sequence[Example], draws: NDArray[np.float64]) -> Tensor:
    """Of the loss: what is drawn seldom counts more (C 23)."""
    crack = float(draws[[one.crack for one in examples]].sum())
    weights = torch.empty(len(CLASSES))
    weights[1 - CRACK], weights[CRACK] = 0.5 / (1 - crack), 0.5 / crack
    return weights


class Batch(NamedTuple):
    """What a step learns from."""

    crops: Tensor
    """(n, 3, 224, 224) float32, channels last, augmented."""
    classes: Tensor
    """(n,) int64."""
    places: Tensor
    """(n, 1, 28, 28) float32: 1 where a crack lies, NaN where that is not known."""
    spots: NDArray[np.float64]
    """(n, 4): row and column of a pixel that a part of the crop must show, of its crack if it has one, and where in
    that part it lies, 0..1; NaN where any part might miss the crack."""
    taught: int
    """So many, the first, are those that a teacher may be asked about."""


def batch_of(examples: Sequence[Example], draws: NDArray[np.float64], size: int, key: Sequence[int]) -> Batch:
    """A batch by its key alone."""
    rng = np.random.default_rng(key)
    drawn = [examples[index] for index in rng.choice(len(examples), size, p=draws)]
    chosen = sorted(drawn, key=lambda one: one.untaught)
    crops = []
    places = np.full((size, 1, INPUT // PLACE, INPUT // PLACE), np.nan, np.float32)
    spots = np.empty((size, 4))
    for index, one in enumerate(chosen):
        # Metal has no upper end: a quarter turn of a crop is another crop of the kind (C 19).
        turns = int(rng.integers(4))
        mask = None if one.mask is None else np.rot90(one.mask, turns)
        crop, mask = augmented(np.rot90(one.pixels, turns), mask, rng)
        crops.append(crop)
        if mask is not None:
            places[index, 0] = mask.reshape(INPUT // PLACE, PLACE, INPUT // PLACE, PLACE).any((1, 3))
        elif not one.crack:
            places[index] = 0
        spots[index] = spot_of(rng, mask, crack=one.crack)
    batch = prepared(crops).contiguous(memory_format=torch.channels_last)
    classes = torch.tensor([CRACK if one.crack else 1 - CRACK for one in chosen])
    return Batch(batch, classes, torch.from_numpy(places), spots, sum(not one.untaught for one in chosen))


class Pool:
    """What is drawn from at a step: the same whatever came between.

    Args:
        examples: to begin with.
        renewal: of some of them, part by part; None: all stay.
    """

    def __init__(self, examples: Sequence[Example], renewal: Renewal | None = None) -> None:
        passing = [] if renewal is None else [one for one in examples if renewal.replaces(one)]
        self._kept = [one for one in examples if renewal is None or not renewal.replaces(one)]
        self._parts = [passing[part::PARTS] for part in range(PARTS)]
        self._renewal = renewal
        self._number = 0
        self._taken: tuple[Sequence[Example], NDArray[np.float64]] = examples, draw_chances(examples)

    def at(self, step: int) -> tuple[Sequence[Example], NDArray[np.float64]]:
        """The examples of a step and their chances; steps never go back."""
        number = step // _RENEWED_EVERY
        if self._renewal is not None and number != self._number:
            for made in range(max(self._number + 1, number - PARTS + 1), number + 1):
                self._parts[made % PARTS] = list(self._renewal.make(made))
            self._number = number
            examples = [*self._kept, *(one for part in self._parts for one in part)]
            self._taken = examples, draw_chances(examples)
        return self._taken


class Batches:
    """Batches, made in a thread of their own while the network learns; the k-th is the same whatever came between."""

    def __init__(self, pool: Pool, plan: Plan, step: int) -> None:
        self._make = lambda step: batch_of(*pool.at(step), plan.batch, (plan.seed, step))
        self._step = step
        self._thread = ThreadPoolExecutor(1, "batches")
        self._next: deque[Future[Batch]] = deque()
        for _ in range(_AHEAD):
            self._begin()

    def _begin(self) -> None:
        self._next.append(self._thread.submit(self._make, self._step))
        self._step += 1

    def take(self) -> Batch:
        """The next batch; one more is begun."""
        batch = self._next.popleft().result()
        self._begin()
        return batch

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(cancel_futures=True)
