"""Training of the classifier: class-weighted cross-entropy, Adam, and the best weights on validation (C 22-24)."""

from __future__ import annotations

import hashlib
import math
import pickle
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import astuple, dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from models.classifier.augmentation import augmented
from models.classifier.networks import CLASSES, CRACK, load_pretrained, make
from models.classifier.preprocess import INPUT, prepared
from models.detector.detector import bfloat16_is_fast
from models.machine.allocator import keep_freed
from models.training.checkpoints import Average, save_whole, slowed
from models.training.classifier.depthwise import quicken
from models.training.classifier.examples import DataError, Example, fingerprint
from models.training.classifier.localisation import Where

_FRESH_RATE, _PRETRAINED_RATE = 1e-3, 3e-4
_WEIGHT_DECAY = 1e-4
_MEMORY, _RECENT = 0.99, 10
"""Of the running mean of the weights: a training here has a few thousand steps."""
_SIDES = ((0.5, 128), (0.75, 176), (1.0, INPUT))
"""Px of the crops up to that share of the training: small ones teach the most of it in a third of the time."""
_WITHIN = 24
"""Px by which the pixel that a part of a crop is cut around lies within it."""
_PATIENCE = 25
"""Looks at validation without progress, at the full size, after which a training ends early."""
_PLACE = 8
"""Px of the side of a place that is told to hold a crack or none."""
_AHEAD = 2
"""Batches made while the network learns."""
_AT_ONCE = 32
"""Crops looked at together."""
_REPORT_S, _SAVE_S, _LOOK_S, _LOOK_SHARE = 2.0, 60.0, 45.0, 0.08
"""A look takes at most that share of the time."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a training goes; one that is gone on with must have the same network, start, seed, batch and groups."""

    network: str
    seed: int = 0
    batch: int = 24
    minutes: float | None = None
    """When to stop, the time before a resume included; or"""
    steps: int | None = None
    """how many batches to learn from."""
    pretrained: Path | None = None
    """Weights to start from (models.classifier.networks.load_pretrained); None: from scratch."""

    @property
    def same(self) -> dict[str, Any]:
        """What must not change when the training is gone on with."""
        return {"network": self.network, "started from": named(self.pretrained), "seed": self.seed, "batch": self.batch}


def named(start: Path | None) -> str:
    """Weights to start from by name and SHA-256; `scratch` where there are none.

    Raises:
        OSError: there is no such file.
    """
    return "scratch" if start is None else f"{start.name}, sha256 {hashlib.sha256(start.read_bytes()).hexdigest()}"


@dataclass(frozen=True, slots=True)
class Look:
    """What validation said at a step, of the running mean of the weights, without views."""

    step: int
    loss: float
    accuracy: float
    side: int = INPUT
    """Px of the crops at that time; looks are compared with those of the same size."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a training stands."""

    step: int
    share: float
    """Of the training, 0..1."""
    loss: float
    """Running mean."""
    best: Look | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a training has done."""

    state: dict[str, Tensor]
    """Of the look with the lowest loss, at the full size."""
    steps: int
    seconds: float
    loss: float
    history: tuple[Look, ...]


def train(
    training: Sequence[Example],
    validation: Sequence[Example],
    plan: Plan,
    *,
    checkpoint: Path | None = None,
    resume: Path | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Outcome:
    """Train a network, by these examples alone.

    Sources are drawn by the square root of their size, so that a small one is not lost beside a large one; what this
    leaves of the classes' unevenness is weighed up in the loss.

    Args:
        training: examples to learn from, of both classes.
        validation: examples that tell which weights are best.
        plan: the network, and how long.
        checkpoint: file written every minute, and at the end whatever ends the training.
        resume: a checkpoint to go on from.
        on_progress: called about every two seconds.

    Raises:
        ValueError: neither or both of minutes and steps are given.
        DataError: an example set without both classes, or a checkpoint that cannot be gone on with.
        ClassifierError: pretrained weights that do not fit.
    """
    if (plan.minutes is None) == (plan.steps is None):
        raise ValueError(f"give either minutes or steps; found minutes={plan.minutes}, steps={plan.steps}")
    for name, part in (("training", training), ("validation", validation)):
        if len({one.crack for one in part}) < len(CLASSES):
            raise DataError(f"{name} needs pictures with and without a crack; found {len(part)}, all of one class")
    keep_freed()
    torch.manual_seed(plan.seed)
    draws = _draws(training)
    groups = (fingerprint(training), fingerprint(validation))
    run = _Run(plan, groups, _class_weights(training, draws), resume)
    feed = _Feed(training, draws, plan, run.step)
    report = save = time.monotonic()
    due = report + _LOOK_S
    try:
        while (share := run.share()) < 1:
            run.learn(feed.take(), share)
            now = time.monotonic()
            if now > due:
                if run.look(validation, side_at(share)):
                    break
                took = time.monotonic() - now
                due = time.monotonic() + max(_LOOK_S, took / _LOOK_SHARE)
            if on_progress is not None and now - report > _REPORT_S:
                report = now
                on_progress(Progress(run.step, share, run.loss, run.best_look))
            if checkpoint is not None and now - save > _SAVE_S:
                save = now
                run.save(checkpoint)
        if run.step and (not run.history or (run.history[-1].step, run.history[-1].side) != (run.step, INPUT)):
            run.look(validation, INPUT)
    finally:
        feed.close()
        if checkpoint is not None and run.step:  # also of a training that was interrupted
            run.save(checkpoint)
    if run.step == 0:
        raise DataError("the training ended before its first step: give it more time")
    return Outcome(run.best, run.step, run.seconds(), run.loss, tuple(run.history))


def _draws(examples: Sequence[Example]) -> NDArray[np.float64]:
    """The chance of each example to be drawn."""
    sizes = Counter(one.source for one in examples)
    chances = np.array([1 / math.sqrt(sizes[one.source]) for one in examples])
    return np.asarray(chances / chances.sum())


def _class_weights(examples: Sequence[Example], draws: NDArray[np.float64]) -> Tensor:
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


def batch_of(examples: Sequence[Example], draws: NDArray[np.float64], size: int, key: Sequence[int]) -> Batch:
    """A batch by its key alone."""
    rng = np.random.default_rng(key)
    chosen = [examples[index] for index in rng.choice(len(examples), size, p=draws)]
    crops = []
    places = np.full((size, 1, INPUT // _PLACE, INPUT // _PLACE), np.nan, np.float32)
    spots = np.empty((size, 4))
    for index, one in enumerate(chosen):
        # Metal has no upper end: a quarter turn of a crop is another crop of the kind (C 19).
        turns = int(rng.integers(4))
        mask = None if one.mask is None else np.rot90(one.mask, turns)
        crop, mask = augmented(np.rot90(one.pixels, turns), mask, rng)
        crops.append(crop)
        if mask is not None:
            places[index, 0] = mask.reshape(INPUT // _PLACE, _PLACE, INPUT // _PLACE, _PLACE).any((1, 3))
        elif not one.crack:
            places[index] = 0
        spots[index] = _spot(rng, mask, crack=one.crack)
    batch = prepared(crops).contiguous(memory_format=torch.channels_last)
    classes = torch.tensor([CRACK if one.crack else 1 - CRACK for one in chosen])
    return Batch(batch, classes, torch.from_numpy(places), spots)


def _spot(rng: np.random.Generator, mask: NDArray[np.bool_] | None, *, crack: bool) -> NDArray[np.float64]:
    """One of `Batch.spots`."""
    draws = rng.random(4)
    if not crack:
        return np.asarray(draws * (INPUT, INPUT, 1, 1))
    if mask is None or not mask.any():
        return np.full(4, np.nan)
    rows, columns = np.nonzero(mask)
    at = int(draws[0] * len(rows))
    return np.array((rows[at], columns[at], draws[2], draws[3]))


def side_at(share: float) -> int:
    """Px of the crops at that share of a training."""
    return next((side for until, side in _SIDES if share < until), INPUT)


def _smaller(crops: Tensor, places: Tensor, spots: NDArray[np.float64], side: int) -> tuple[Tensor, Tensor]:
    """Parts of crops, side x side px at their own scale, and the places in them; wholes, shrunk, without a spot.

    A line in a part is as wide as it will be in the whole, so what is learnt of it holds there.
    """
    if side == INPUT:
        return crops, places
    parts, theirs = [], []
    for crop, place, spot in zip(crops, places, spots, strict=True):
        if np.isnan(spot[0]):
            size = (side, side)
            parts.append(functional.interpolate(crop[None], size, mode="bilinear", antialias=True, align_corners=False))
            theirs.append(functional.adaptive_max_pool2d(place[None], side // _PLACE))
            continue
        corner = spot[:2] - _WITHIN - spot[2:] * (side - 2 * _WITHIN)
        row, column = (np.clip(corner, 0, INPUT - side) // _PLACE).astype(int).tolist()
        top, left, count = row * _PLACE, column * _PLACE, side // _PLACE
        parts.append(crop[None, :, top : top + side, left : left + side])
        theirs.append(place[None, :, row : row + count, column : column + count])
    return torch.cat(parts).contiguous(memory_format=torch.channels_last), torch.cat(theirs)


class _Feed:
    """Batches, made in a thread of their own while the network learns; the k-th is the same whatever came between."""

    def __init__(self, examples: Sequence[Example], draws: NDArray[np.float64], plan: Plan, step: int) -> None:
        self._make = lambda step: batch_of(examples, draws, plan.batch, (plan.seed, step))
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


class _Run:
    """The network, its optimiser, the best weights so far, and how far they have come."""

    def __init__(self, plan: Plan, groups: tuple[str, str], class_weights: Tensor, resume: Path | None) -> None:
        self._plan, self._class_weights = plan, class_weights
        self.network = make(plan.network)
        if plan.pretrained is not None:
            load_pretrained(self.network, plan.pretrained)
        # Weights that have learnt from other groups may know those that are kept from this training.
        self._same = {**plan.same, "training groups": groups[0][:16], "validation groups": groups[1][:16]}
        self._where = Where(self.network)
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        quicken(self.network)
        self._rate = _FRESH_RATE if plan.pretrained is None else _PRETRAINED_RATE
        learnt = (*self.network.parameters(), *self._where.parameters())
        self._optimiser = torch.optim.Adam(learnt, lr=self._rate, weight_decay=_WEIGHT_DECAY)
        self._average = Average(memory=_MEMORY, recent=_RECENT)
        self.step = 0
        self.loss = math.nan
        self.best: dict[str, Tensor] = {}
        self.best_look: Look | None = None
        """The one that `best` is of: with the lowest loss of those at the largest size so far."""
        self.history: list[Look] = []
        self._spent = 0.0
        if resume is not None:
            self._go_on(resume)
        self._began = time.monotonic()

    def _go_on(self, path: Path) -> None:
        try:
            saved = torch.load(path, weights_only=True)
            if saved["same"] != self._same:
                raise DataError(f"{path} is of another training ({saved['same']}; asked for: {self._same})")
            self.network.load_state_dict(saved["network"])
            self._where.load_state_dict(saved["where"])
            self._optimiser.load_state_dict(saved["optimiser"])
            self._average = Average(saved["average"], memory=_MEMORY, recent=_RECENT)
            self.best = saved["best"]
            self.history = [Look(*look) for look in saved["history"]]
            kept = saved["best_look"]
            self.best_look = None if kept is None else Look(*kept)
            self.step, self._spent, self.loss = saved["step"], saved["seconds"], saved["loss"]
        except (OSError, RuntimeError, KeyError, TypeError, EOFError, pickle.UnpicklingError) as error:
            raise DataError(f"{path} is no checkpoint that can be gone on with ({error}): train anew") from error

    def save(self, path: Path) -> None:
        """Write a checkpoint."""
        save_whole(
            path,
            {
                "same": self._same,
                "network": self.network.state_dict(),
                "where": self._where.state_dict(),
                "optimiser": self._optimiser.state_dict(),
                "average": self._average.state,
                "best": self.best,
                "best_look": None if self.best_look is None else astuple(self.best_look),
                "history": [astuple(look) for look in self.history],
                "step": self.step,
                "seconds": self.seconds(),
                "loss": self.loss,
            },
        )

    def seconds(self) -> float:
        """Spent on training, those before a resume included."""
        return self._spent + time.monotonic() - self._began

    def share(self) -> float:
        """How much of the training is done, 1 at its end."""
        if self._plan.steps is not None:
            return self.step / self._plan.steps
        return self.seconds() / (60 * (self._plan.minutes or 1.0))

    def learn(self, batch: Batch, share: float) -> None:
        """One step."""
        for group in self._optimiser.param_groups:
            group["lr"] = self._rate * slowed(share, self.step)
        self.network.train()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16_is_fast()):
            crops, places = _smaller(batch.crops, batch.places, batch.spots, side_at(share))
            logits = self.network(crops)
            where = self._where.loss(places)
        entropy = functional.cross_entropy(logits.float(), batch.classes, weight=self._class_weights)
        loss = entropy + where
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()
        self.step += 1
        self._average.follow(self.network.state_dict(), self.step)
        value = entropy.item()
        if not math.isfinite(loss.item()):
            raise DataError(f"the loss was {loss.item()} at step {self.step}: the training has come to nothing")
        self.loss = value if math.isnan(self.loss) else 0.98 * self.loss + 0.02 * value

    def look(self, validation: Sequence[Example], side: int) -> bool:
        """Ask validation, keep the best weights; whether there was no progress at the full size for long."""
        logits = logits_of(self._plan.network, self._average.state, validation, side)
        classes = torch.tensor([CRACK if one.crack else 1 - CRACK for one in validation])
        # Both classes count the same, as in training.
        even = len(classes) / (2 * torch.bincount(classes, minlength=len(CLASSES)))
        loss = functional.cross_entropy(logits, classes, weight=even).item()
        accuracy = (logits.argmax(1) == classes).float().mean().item()
        now = Look(self.step, round(loss, 5), round(accuracy, 5), side)
        self.history.append(now)
        best = self.best_look
        if best is None or best.side < side or (best.side == side and now.loss < best.loss):
            self.best_look = now
            self.best = {name: value.clone() for name, value in self._average.state.items()}
        # A training that is gone on with for longer returns to smaller crops: only looks at the full size count.
        since = list(takewhile(lambda look: look.side == INPUT and look != self.best_look, reversed(self.history)))
        return side == INPUT and len(since) >= _PATIENCE


def logits_of(network: str, state: dict[str, Tensor], examples: Sequence[Example], side: int = INPUT) -> Tensor:
    """Logits (n, 2) float32 of examples in one view, in their order; of parts of them where the side is smaller."""
    made = make(network)
    made.load_state_dict(state)
    folded = made.folded(torch.bfloat16 if bfloat16_is_fast() else torch.float32)
    dtype = next(folded.parameters()).dtype
    parts = []
    with torch.no_grad():
        for first in range(0, len(examples), _AT_ONCE):
            some = examples[first : first + _AT_ONCE]
            spots = np.array([_spot(np.random.default_rng(first), one.mask, crack=one.crack) for one in some])
            nowhere = torch.zeros(len(some), 1, INPUT // _PLACE, INPUT // _PLACE)
            batch, _ = _smaller(prepared([one.pixels for one in some]), nowhere, spots, side)
            maps = folded.features(batch.to(dtype).contiguous(memory_format=torch.channels_last))
            parts.append(folded.head(maps.float()))
    return torch.cat(parts)
