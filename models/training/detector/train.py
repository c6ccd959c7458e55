"""Training of the detector's feature network (docs/decisions/0012-training.md)."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from models.machine.allocator import keep_freed
from models.training.detector.batches import Batches
from models.training.detector.crops import CropSource, LabelledCrop
from models.training.detector.learner import Learner
from models.training.detector.plan import Plan
from models.training.detector.validation import Validation

_REPORT_S, _SAVE_S, _LOOK_S = 2.0, 60.0, 120.0


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a training stands."""

    step: int
    steps: int | None
    seconds: float
    loss: float
    """Running mean."""
    drawn: int
    """Crops that were made, those of photographs too."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a training has done."""

    state: dict[str, Tensor]
    state_step: int
    """Of which step they are: of the last, unless looks at validation crops were clearly better before."""
    steps: int
    seconds: float
    crops: int
    loss: float
    history: tuple[tuple[int, float], ...] = ()
    """Step and loss of each look at the validation crops."""
    started_from: tuple[dict[str, str], ...] = ()
    """`name` and `sha256` of each file that the training started from or was gone on with, the first one first."""

    def facts(self) -> dict[str, float | None]:
        """What the model card says of it; a training that was gone on with after its end has no loss to tell."""
        return {
            "minutes": round(self.seconds / 60, 2),
            "steps": self.steps,
            "weights_of_step": self.state_step,
            "crops": self.crops,
            "loss": None if math.isnan(self.loss) else round(self.loss, 4),
        }


def train(
    simulated: CropSource,
    plan: Plan,
    *,
    metal: CropSource | None = None,
    validation: Sequence[LabelledCrop] = (),
    checkpoint: Path | None = None,
    resume: Path | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Outcome:
    """Train the feature network.

    Args:
        simulated: draws crops; a plain function of a module, for it runs in a process of its own.
        plan: how long, on what, by which preset.
        metal: draws crops of photographs of real metal (models.training.detector.metal.RealMetal), in this process.
        validation: crops that tell how far it has come, of the size of the others; every two minutes.
        checkpoint: file that is written every minute, and at the end whatever ends the training.
        resume: a checkpoint to go on from, or weights to start from.
        on_progress: called about every two seconds.

    Raises:
        ValueError: what is to be gone on with is no checkpoint, or of another preset, resolution or templates.
    """
    keep_freed()
    torch.manual_seed(plan.seed)
    learner = Learner(plan, resume)
    learner.looks_at(len(validation))
    looks = Validation(validation, plan)
    batches = Batches(plan, simulated, metal, learner.step)
    last_report = last_save = last_look = time.monotonic()
    try:
        while (share := learner.share()) < 1:
            batches.learnt(learner.learn(batches.take(), share))
            now = time.monotonic()
            if now - last_look > _LOOK_S:
                last_look = now
                if looks.stalled(learner):
                    break
            if on_progress is not None and now - last_report > _REPORT_S:
                last_report = now
                drawn = learner.drawn + batches.drawn
                on_progress(Progress(learner.step, plan.steps, learner.seconds(), learner.loss, drawn))
            if checkpoint is not None and now - last_save > _SAVE_S:
                last_save = now
                learner.save(checkpoint, batches.drawn)
        looks.stalled(learner)
    finally:
        batches.close()
        if checkpoint is not None and learner.step:  # also of a training that was interrupted
            learner.save(checkpoint, batches.drawn)
    return _outcome(learner, looks, batches.drawn)


def _outcome(learner: Learner, looks: Validation, drawn: int) -> Outcome:
    state, state_step = looks.kept(learner)
    return Outcome(
        state=state,
        state_step=state_step,
        steps=learner.step,
        seconds=learner.seconds(),
        crops=learner.drawn + drawn,
        loss=learner.loss,
        history=tuple(learner.history),
        started_from=learner.started_from,
    )
