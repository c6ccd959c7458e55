"""Batches of crops: drawn again a few times, the hard ones more often, and made while the network learns."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from models.training.detector.crops import CropSource, LabelledCrop
from models.training.detector.examples import stacked
from models.training.detector.patches import PATCHES, patches_of
from models.training.detector.plan import Plan
from models.training.detector.stream import CropStream

_POOL = 600
"""Crops that are kept and drawn again, so that a slow source does not hold up the network."""

Batch = tuple[Tensor, Tensor, Tensor]
"""Grey values, what each pixel should be, and how much it counts (models.training.detector.examples)."""


class Batches:
    """Batches, made in a thread of its own while the network learns from the one before.

    Args:
        plan: size, preset and seed; the order is that of the seed.
        simulated: draws crops in a process of its own; never asked where all crops are of photographs.
        metal: draws crops of photographs in this process, if there are any.
        step: steps that were learnt before, for other crops than those.
    """

    def __init__(self, plan: Plan, simulated: CropSource, metal: CropSource | None, step: int) -> None:
        self._plan = plan
        self._rng = np.random.default_rng(plan.seed)
        self._metal = metal or simulated
        self._metal_share = 0.0 if metal is None else plan.metal_share
        self._stream = None if self._metal_share >= 1 else CropStream(simulated, plan.crop, plan.seed + step)
        self._pool = _Pool()
        self._metal_drawn = 0
        self._chosen: NDArray[np.int64] = np.empty(0, np.int64)
        self._hardness: tuple[NDArray[np.int64], NDArray[np.float64]] | None = None
        self._thread = ThreadPoolExecutor(1, "batches")
        self._next = self._thread.submit(self._made)

    @property
    def drawn(self) -> int:
        """Crops that were made, those of photographs too."""
        return self._pool.drawn + self._metal_drawn

    def take(self) -> Batch:
        """The next batch; the one after it is begun."""
        self._chosen, batch = self._next.result()
        self._next = self._thread.submit(self._made)
        return batch

    def learnt(self, hardness: NDArray[np.float64]) -> None:
        """How hard the crops of the last batch were: hard ones come again more often."""
        if self._plan.preset == "default":
            self._hardness = self._chosen, hardness[: len(self._chosen)]

    def close(self) -> None:
        """End the thread and the source."""
        self._thread.shutdown()
        if self._stream is not None:
            self._stream.close()

    def _made(self) -> tuple[NDArray[np.int64], Batch]:
        pool, rng, size = self._pool, self._rng, self._plan.batch
        if self._hardness is not None:
            chosen, hardness = self._hardness
            pool.weights[chosen] = 0.1 + hardness.clip(max=0.4)
        # Each crop is seen about twice, turned differently, so that the source never holds up the network.
        count = (1, max(1, size // 2)) if pool.crops else (4 * size, 4 * size)
        if self._stream is not None:
            pool.refill(self._stream.take(*count))
        on_metal = int(size * self._metal_share + rng.random())
        self._metal_drawn += on_metal
        chosen = pool.choose(rng, size - on_metal)
        crops = [pool.crops[index] for index in chosen] + [self._metal(rng, self._plan.crop) for _ in range(on_metal)]
        if self._plan.preset == "paper":
            crops = patches_of(rng, crops, PATCHES, even=self._plan.scale == 2)
        return chosen, stacked(rng, crops, self._plan.scale)


class _Pool:
    """Crops that are drawn again a few times, the hard ones more often; the oldest makes room for a fresh one."""

    def __init__(self) -> None:
        self.crops: list[LabelledCrop] = []
        self.weights = np.empty(0)
        self.drawn = 0

    def refill(self, fresh: list[LabelledCrop]) -> None:
        start = float(self.weights.mean()) if self.crops else 1.0
        for crop in fresh:
            if len(self.crops) < _POOL:
                self.crops.append(crop)
                self.weights = np.append(self.weights, start)
            else:
                place = self.drawn % _POOL
                self.crops[place], self.weights[place] = crop, start
            self.drawn += 1

    def choose(self, rng: np.random.Generator, count: int) -> NDArray[np.int64]:
        if count == 0:
            return np.empty(0, np.int64)
        chances = self.weights / self.weights.sum()
        return rng.choice(len(self.crops), count, replace=False, p=chances)
