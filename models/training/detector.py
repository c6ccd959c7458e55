"""Training of the detector's feature network (docs/decisions/0012-training.md)."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the name torch's users know

from models.features import GREY_SCALE, FeatureNetwork
from models.training.samples import Crop, RealMetal, Source, Stream

_POOL = 900
"""Crops that are kept and drawn again, so that a slow source does not hold up the network."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a training stands."""

    step: int
    steps: int | None
    seconds: float
    loss: float
    """Running mean."""
    drawn: int
    """Crops that the source has made."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a training has done."""

    state: dict[str, Tensor]
    steps: int
    seconds: float
    crops: int
    loss: float


def train(
    samples: Source,
    *,
    minutes: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    data: Path | None = None,
    real_share: float = 0.25,
    crop: int = 352,
    batch: int = 12,
    preset: Literal["default", "paper"] = "default",
    checkpoint: Path | None = None,
    resume: Path | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Outcome:
    """Train the half-resolution network.

    Args:
        samples: draws one crop (grey uint8, cracks' pixels, pixels not judged), size x size; a plain function of a
            module, for it runs in a process of its own.
        minutes: when to stop; or
        steps: how many batches to take.
        seed: of the network, the source and the order.
        data: folder of photographs of real metal with a manifest.csv; their held-out groups are never read.
        real_share: share of a batch that comes from there.
        crop: side of a crop, px, even.
        batch: crops of a step.
        preset: `default` is AdamW with a warm-up and a cosine; `paper` is SGD, momentum 0.9, learning rate 0.01,
            divided by 5 every 50 epochs (M 107), an epoch being a hundredth of 250 epochs' time.
        checkpoint: file that is written every minute.
        resume: a checkpoint to go on from.
        on_progress: called about every two seconds.

    Raises:
        ValueError: neither or both of minutes and steps are given, or the crop is odd.
    """
    if (minutes is None) == (steps is None):
        raise ValueError(f"give either minutes or steps; found minutes={minutes}, steps={steps}")
    if crop % 2:
        raise ValueError(f"the crop must be even, for the network works at half resolution; found {crop}")
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = FeatureNetwork().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser: torch.optim.Optimizer
    if preset == "paper":
        optimiser = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
    else:
        optimiser = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=1e-4)
    step = drawn = 0
    spent = 0.0
    if resume is not None:
        saved = torch.load(resume, weights_only=True)
        network.load_state_dict(saved["network"])
        optimiser.load_state_dict(saved["optimiser"])
        step, spent = saved["step"], saved["seconds"]
    real = RealMetal(data) if data is not None else None
    stream = Stream(samples, crop, seed + step)
    pool: list[Crop] = []
    weights = np.empty(0)
    began = last_report = last_save = time.monotonic()
    mean_loss = math.nan
    network.train()
    try:
        while True:
            seconds = spent + time.monotonic() - began
            share = seconds / (60 * minutes) if minutes is not None else step / (steps or 1)
            if share >= 1:
                break
            for group in optimiser.param_groups:
                group["lr"] = _rate(preset, share, step)
            fresh = stream.take(1 if pool else 4 * batch, batch if pool else 4 * batch)
            drawn += len(fresh)
            pool, weights = _refill(rng, pool, weights, fresh)
            chosen = rng.choice(len(pool), batch, replace=len(pool) < batch, p=weights / weights.sum())
            crops = [pool[index] for index in chosen]
            if real is not None:
                crops[: round(batch * real_share)] = [real(rng, crop) for _ in range(round(batch * real_share))]
            image, target, weight = _batch(rng, crops)
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=torch.backends.mkldnn.is_available()):
                values = network(image)
            loss, hardness = _loss(values.float(), target, weight)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(network.parameters(), 2.0)
            optimiser.step()
            first = round(batch * real_share) if real is not None else 0
            weights[chosen[first:]] = 0.02 + hardness.numpy()[first:]  # what is hard is drawn more often
            mean_loss = float(loss) if math.isnan(mean_loss) else 0.98 * mean_loss + 0.02 * float(loss)
            step += 1
            now = time.monotonic()
            if on_progress is not None and now - last_report > 2:
                last_report = now
                on_progress(Progress(step, steps, spent + now - began, mean_loss, drawn))
            if checkpoint is not None and now - last_save > 60:
                last_save = now
                _save(checkpoint, network, optimiser, step, spent + now - began)
    finally:
        stream.close()
    seconds = spent + time.monotonic() - began
    if checkpoint is not None:
        _save(checkpoint, network, optimiser, step, seconds)
    return Outcome(network.state_dict(), step, seconds, drawn, mean_loss)


def _rate(preset: str, share: float, step: int) -> float:
    if preset == "paper":
        return 0.01 / 5 ** int(share * 250 / 50)
    return max(1e-5, 2e-3 * min(1.0, (step + 1) / 100) * 0.5 * (1 + math.cos(math.pi * min(1.0, share))))


def _save(path: Path, network: FeatureNetwork, optimiser: torch.optim.Optimizer, step: int, seconds: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    saved = {"network": network.state_dict(), "optimiser": optimiser.state_dict(), "step": step, "seconds": seconds}
    torch.save(saved, part)
    part.replace(path)


def _refill(
    rng: np.random.Generator, pool: list[Crop], weights: NDArray[np.float64], fresh: list[Crop]
) -> tuple[list[Crop], NDArray[np.float64]]:
    """Take up fresh crops, each in the place of an easy old one where the pool is full."""
    start = float(weights.max()) if len(weights) else 1.0
    for crop in fresh:
        if len(pool) < _POOL:
            pool.append(crop)
            weights = np.append(weights, start)
        else:
            rivals = rng.choice(len(pool), 4, replace=False)
            place = int(rivals[np.argmin(weights[rivals])])
            pool[place], weights[place] = crop, start
    return pool, weights


def _batch(rng: np.random.Generator, crops: list[Crop]) -> tuple[Tensor, Tensor, Tensor]:
    """Grey values at half resolution, what each pixel should be, and how much it counts."""
    images, targets, weights = [], [], []
    for image, mask, ignore in crops:
        turns, flip = int(rng.integers(4)), bool(rng.integers(2))
        image, mask, ignore = (_turned(part, turns, flip) for part in (image, mask, ignore))
        grey = _halved(image.astype(np.float32))
        rows, columns = grey.shape
        if rng.random() < 0.15:  # the plate ends inside the window
            rows, columns = int(rng.integers(rows // 4, rows)), columns
            if rng.random() < 0.5:
                columns = int(rng.integers(columns // 4, columns))
        grey[:rows, :columns] -= grey[:rows, :columns].mean() + rng.normal(0, 6)
        grey *= rng.uniform(0.75, 1.25)
        grey[rows:] = 0
        grey[:, columns:] = 0
        share = _halved(mask.astype(np.float32))
        target = (share >= 0.5).astype(np.float32)
        weight = (_halved(ignore.astype(np.float32)) < 0.5) & ((share == 0) | (share >= 0.5))
        weight = weight.astype(np.float32)
        weight[rows:] = 0
        weight[:, columns:] = 0
        images.append(grey)
        targets.append(target)
        weights.append(weight * _even(target))
    stack = [torch.from_numpy(np.stack(parts)[:, None]) for parts in (images, targets, weights)]
    return stack[0].mul_(GREY_SCALE).contiguous(memory_format=torch.channels_last), stack[1], stack[2]


def _turned(part: NDArray[np.generic], turns: int, flip: bool) -> NDArray[np.generic]:
    part = np.rot90(part, turns)
    return part[:, ::-1] if flip else part


def _halved(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    total = grey[0::2, 0::2] + grey[1::2, 0::2] + grey[0::2, 1::2] + grey[1::2, 1::2]
    return np.asarray(total / 4, np.float32)


def _even(target: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weights that let a short crack count nearly as much as a long one."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(target.astype(np.uint8), connectivity=8)
    weights = np.ones(count, np.float32)
    weights[1:] = np.clip(np.sqrt(500.0 / stats[1:, cv2.CC_STAT_AREA]), 0.7, 4.0)
    return weights[labels]


def _loss(values: Tensor, target: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy in which easy pixels count less, plus a soft overlap; and how hard each crop is (no gradient)."""
    entropy = F.binary_cross_entropy_with_logits(values, target, reduction="none")
    chance = torch.sigmoid(values)
    # Only mildly focal, and with no gradient through it: more would press all values towards the limit.
    ease = 0.2 + 0.8 * (target - chance).detach().abs().sqrt()
    focal = entropy * ease * (1 + 2 * target) * weight
    each = focal.sum((1, 2, 3)) / weight.sum((1, 2, 3)).clamp(min=500)
    hit = (chance * target * weight).sum()
    overlap = 1 - (2 * hit + 50) / ((chance * weight).sum() + (target * weight).sum() + 50)
    return 20 * each.mean() + 0.5 * overlap, each.detach().sqrt()
