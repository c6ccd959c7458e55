"""One training loop for all that is compared: the same crops, the same turns, the same time on one thread."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name torch's users know

from models.detector.features import GREY_SCALE
from models.machine.allocator import keep_freed
from models.machine.cpu import bfloat16_is_fast
from models.study.boxes import Boxes
from models.training.detector.crops import LabelledCrop
from models.training.detector.examples import reduced, turned

BATCH = 8
_RATE, _WEIGHT_DECAY = 2e-3, 1e-4
_LEAST_AREA = 15
"""Px at half resolution of a crack that must lie in a crop for a box to be asked for."""
_CUT_SHARE = 0.15


@dataclass(frozen=True, slots=True)
class Batch:
    """What one step learns from: half resolution, grey values less their mean in network units."""

    image: Tensor
    """(n, 1, h, w)."""
    target: Tensor
    """(n, 1, h, w): 1 on a crack."""
    weight: Tensor
    """(n, 1, h, w): 0 where not judged."""
    boxes: tuple[Tensor, ...]
    """Of each picture (k, 4): x0, y0, x1, y1 of the cracks, px of it."""


Loss = Callable[[nn.Module, Batch], Tensor]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a training has done."""

    steps: int
    seconds: float
    """Of processor time."""
    loss: float
    """Running mean."""


class Budget:
    """How long a training may go on: so many minutes of processor time, or so many steps.

    The processor's time, not the clock's: what else the machine does must not favour one of those compared.

    Raises:
        ValueError: neither or both of minutes and steps are given.
    """

    def __init__(self, minutes: float | None, steps: int | None) -> None:
        if (minutes is None) == (steps is None):
            raise ValueError(f"give either minutes or steps; found minutes={minutes}, steps={steps}")
        self._minutes, self._steps = minutes, steps
        self._began = time.process_time()

    def seconds(self) -> float:
        """Of processor time, spent since it was made."""
        return time.process_time() - self._began

    def share(self, done: int) -> float:
        """How much of it is used up after so many steps; 1 at the end."""
        return self.seconds() / (60 * self._minutes) if self._minutes is not None else done / (self._steps or 1)


def train(
    network: nn.Module,
    loss: Loss,
    crops: Sequence[LabelledCrop],
    *,
    minutes: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    batch: int = BATCH,
    on_progress: Callable[[float], None] | None = None,
) -> Outcome:
    """Train in place by AdamW with a warm-up and a cosine, for so many minutes or steps.

    Args:
        network: any module that `loss` understands; it is left in evaluation mode.
        loss: of the network on a batch.
        crops: all of one even size; each is drawn again and again, turned, flipped and sometimes cut.
        minutes: of processor time, all threads together.
        steps: instead of minutes.
        seed: of the order and the turns; the caller seeds the network itself.
        batch: crops a step.
        on_progress: called about every second with the share that is done.

    Raises:
        ValueError: neither or both of minutes and steps are given, or there are no crops.
    """
    budget = Budget(minutes, steps)
    if not crops:
        raise ValueError("there are no crops to learn from")
    keep_freed()
    rng = np.random.default_rng(seed)
    optimiser = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=_WEIGHT_DECAY)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    network.train()
    done, mean = 0, math.nan
    said = time.monotonic()
    while (share := budget.share(done)) < 1:
        for group in optimiser.param_groups:
            group["lr"] = _RATE * max(0.005, min(1.0, (done + 1) / 50) * 0.5 * (1 + math.cos(math.pi * share)))
        chosen = rng.choice(len(crops), batch, replace=len(crops) < batch)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16_is_fast()):
            value = loss(network, examples(rng, [crops[index] for index in chosen]))
        optimiser.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 2.0)
        optimiser.step()
        done += 1
        here = value.detach().item()
        mean = here if math.isnan(mean) else 0.98 * mean + 0.02 * here
        if on_progress is not None and time.monotonic() - said > 1:
            said = time.monotonic()
            on_progress(share)
    network.eval()
    return Outcome(done, budget.seconds(), mean)


def examples(rng: np.random.Generator, crops: Sequence[LabelledCrop]) -> Batch:
    """Turn, flip and halve crops; some end inside, as the last window of a plate does."""
    images, targets, weights, boxes = [], [], [], []
    for crop in crops:
        turns, flip = int(rng.integers(4)), bool(rng.integers(2))
        grey, crack, ignored = (reduced(turned(part, turns, flip), 2) for part in crop)
        rows = grey.shape[0]
        if rng.random() < _CUT_SHARE:
            rows = int(rng.integers(rows // 4, rows))
        image = np.zeros(grey.shape, np.float32)
        image[:rows] = (grey[:rows] - grey[:rows].mean()) * np.float32(GREY_SCALE)
        target = (crack >= 0.5).astype(np.float32)
        target[rows:] = 0
        weight = np.ones_like(target)
        weight[(ignored > 0) & (target == 0)] = 0
        weight[rows:] = 0
        images.append(image)
        targets.append(target)
        weights.append(weight)
        boxes.append(torch.from_numpy(boxes_of(target)))
    stacked = [torch.from_numpy(np.stack(kind)[:, None]) for kind in (images, targets, weights)]
    image_, target_, weight_ = stacked
    return Batch(image_.contiguous(memory_format=torch.channels_last), target_, weight_, tuple(boxes))


def boxes_of(target: NDArray[np.float32]) -> Boxes:
    """Boxes (k, 4) of the connected cracks of a picture at half resolution; small rests at its border are left out."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(target.astype(np.uint8), connectivity=8)
    kept = stats[1:][stats[1:, cv2.CC_STAT_AREA] >= _LEAST_AREA][:, :4]
    found = np.concatenate((kept[:, :2], kept[:, :2] + kept[:, 2:]), axis=1)
    return np.asarray(found, np.float32)


def pixel_loss(network: nn.Module, batch: Batch) -> Tensor:
    """Of a network that gives a value a pixel: cross-entropy, easy pixels counting a fifth, and a soft overlap."""
    values = network(batch.image).float()
    target, weight = batch.target, batch.weight
    entropy = F.binary_cross_entropy_with_logits(values, target, reduction="none")
    chance = torch.sigmoid(values)
    ease = 0.2 + 0.8 * (target - chance).detach().abs().sqrt()
    focal = (entropy * ease * (1 + 2 * target) * weight).sum() / weight.sum().clamp(min=1)
    hit = (chance * target * weight).sum()
    overlap = 1 - (2 * hit + 50) / ((chance * weight).sum() + (target * weight).sum() + 50)
    return 20 * focal + 0.5 * overlap


def box_loss(network: nn.Module, batch: Batch) -> Tensor:
    """Of a general detector: its own."""
    loss = network.loss
    assert callable(loss)
    return torch.as_tensor(loss(batch.image, batch.boxes))
