"""Training of the classifier: class-weighted cross-entropy, Adam, and the best weights on validation (C 22-24)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from models.classifier.networks import CLASSES
from models.classifier.preprocess import INPUT
from models.machine.allocator import keep_freed
from models.training.classifier.batches import Batches, Pool, Renewal, class_weights, draw_chances
from models.training.classifier.examples import DataError, Example
from models.training.classifier.groups import fingerprint
from models.training.classifier.learner import Learner
from models.training.classifier.plan import Plan
from models.training.classifier.validation import Look

_REPORT_S, _SAVE_S, _LOOK_S, _LOOK_SHARE = 2.0, 60.0, 45.0, 0.08
"""A look takes at most that share of the time."""


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
    renewal: Renewal | None = None,
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
        renewal: of examples that give way to new ones while the training goes on.
        on_progress: called about every two seconds.

    Raises:
        DataError: an example set without both classes, or a checkpoint that cannot be gone on with.
        ClassifierError: pretrained weights that do not fit.
    """
    _refuse_one_class(training=training, validation=validation)
    keep_freed()
    torch.manual_seed(plan.seed)
    groups = [*(fingerprint(_lasting(part, renewal)) for part in (training, validation)), fingerprint(validation)]
    learner = Learner(plan, groups, class_weights(training, draw_chances(training)), resume)
    batches = Batches(Pool(training, renewal), plan, learner.step)
    report = save = time.monotonic()
    due = report + _LOOK_S
    try:
        while (share := learner.share()) < 1:
            learner.learn(batches.take(), share)
            now = time.monotonic()
            if now > due:
                if learner.look(validation, learner.side(share)):
                    break
                took = time.monotonic() - now
                due = time.monotonic() + max(_LOOK_S, took / _LOOK_SHARE)
            if on_progress is not None and now - report > _REPORT_S:
                report = now
                on_progress(Progress(learner.step, share, learner.loss, learner.best_look))
            if checkpoint is not None and now - save > _SAVE_S:
                save = now
                learner.save(checkpoint)
        if learner.step and not learner.looked_at_full_size:
            learner.look(validation, INPUT)
    finally:
        batches.close()
        if checkpoint is not None and learner.step:  # also of a training that was interrupted
            learner.save(checkpoint)
    if learner.step == 0:
        raise DataError("the training ended before its first step: give it more time")
    return Outcome(learner.best, learner.step, learner.seconds(), learner.loss, tuple(learner.history))


def _lasting(part: Sequence[Example], renewal: Renewal | None) -> Sequence[Example]:
    """Those that must be the same when a training is gone on with: one of days outlives how crops are made."""
    return part if renewal is None else [one for one in part if not one.simulated]


def _refuse_one_class(**parts: Sequence[Example]) -> None:
    for name, part in parts.items():
        if len({one.crack for one in part}) < len(CLASSES):
            raise DataError(f"{name} needs pictures with and without a crack; found {len(part)}, all of one class")
