"""The classifier's network while it learns: its optimiser, its running mean, its best weights, and its checkpoint."""

from __future__ import annotations

import math
import pickle
import time
from collections.abc import Sequence
from dataclasses import astuple
from itertools import takewhile
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from models.classifier.networks import CLASSES, CRACK, load_pretrained, make
from models.classifier.preprocess import INPUT
from models.machine.cpu import bfloat16_is_fast
from models.training.checkpoints import Average, save_whole, warm_up_cosine
from models.training.classifier.batches import Batch
from models.training.classifier.depthwise import quicken
from models.training.classifier.distillation import Pupil, Teacher, mixed
from models.training.classifier.examples import DataError, Example
from models.training.classifier.localisation import LocalisationHead
from models.training.classifier.plan import Plan
from models.training.classifier.progressive import parts_of, side_at
from models.training.classifier.validation import Look, logits_of

_FRESH_RATE, _PRETRAINED_RATE = 1e-3, 3e-4
_WEIGHT_DECAY = 1e-4
_MEMORY, _TAUGHT_MEMORY, _RECENT = 0.99, 0.999, 10
"""Of the running mean of the weights: a training here has a few thousand steps, one with a teacher tens of them."""
_PATIENCE = 25
"""Looks at validation without progress, at the full size, after which a training ends early."""


class Learner:
    """The network, its optimiser, the best weights so far, and how far they have come."""

    def __init__(self, plan: Plan, groups: Sequence[str], class_weights: Tensor, resume: Path | None) -> None:
        self._plan, self._class_weights = plan, class_weights
        self.network = make(plan.network)
        if plan.pretrained is not None:
            load_pretrained(self.network, plan.pretrained)
        # Weights that have learnt from other groups may know those that are kept from this training.
        self._same = {**plan.same, "training groups": groups[0][:16], "validation groups": groups[1][:16]}
        self._validation = groups[2][:16]
        """All of it: looks at other crops cannot be compared with those that are to come."""
        self._localisation = LocalisationHead(self.network)
        self._teacher = None if plan.teacher is None else Teacher(plan.teacher)
        self._pupil = None if self._teacher is None else Pupil(self._teacher, self.network)
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        quicken(self.network)
        self._rate = _FRESH_RATE if plan.pretrained is None else _PRETRAINED_RATE
        beside = () if self._pupil is None else self._pupil.parameters()
        learnt = (*self.network.parameters(), *self._localisation.parameters(), *beside)
        self._optimiser = torch.optim.Adam(learnt, lr=self._rate, weight_decay=_WEIGHT_DECAY, fused=True)
        self._memory = _MEMORY if self._pupil is None else _TAUGHT_MEMORY
        self._average = Average(memory=self._memory, recent=_RECENT)
        self.step = 0
        self.loss = math.nan
        self.best: dict[str, Tensor] = {}
        self.best_look: Look | None = None
        """The one that `best` is of: with the lowest loss of those at the largest size so far."""
        self.history: list[Look] = []
        self._spent = 0.0
        if resume is not None:
            self._resume(resume)
        self._began = time.monotonic()

    def _resume(self, path: Path) -> None:
        try:
            saved = torch.load(path, weights_only=True)
            if saved["same"] != self._same:
                raise DataError(f"{path} is of another training ({saved['same']}; asked for: {self._same})")
            self.network.load_state_dict(saved["network"])
            self._localisation.load_state_dict(saved["where"])
            self._optimiser.load_state_dict(saved["optimiser"])
            if self._pupil is not None:
                self._pupil.load_state_dict(saved["pupil"])
            self._average = Average(saved["average"], memory=self._memory, recent=_RECENT)
            self.best = saved["best"]
            self.history = [Look(*look) for look in saved["history"]]
            kept = saved["best_look"] if saved.get("validation") == self._validation else None
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
                "where": self._localisation.state_dict(),  # its name in checkpoints that there are
                "pupil": None if self._pupil is None else self._pupil.state_dict(),
                "optimiser": self._optimiser.state_dict(),
                "average": self._average.state,
                "best": self.best,
                "best_look": None if self.best_look is None else astuple(self.best_look),
                "history": [astuple(look) for look in self.history],
                "step": self.step,
                "seconds": self.seconds(),
                "loss": self.loss,
                "validation": self._validation,
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

    @property
    def looked_at_full_size(self) -> bool:
        """Whether validation was asked about the last step, of crops at their full size."""
        return bool(self.history) and (self.history[-1].step, self.history[-1].side) == (self.step, INPUT)

    def side(self, share: float) -> int:
        """Px of the crops at that share of the training."""
        return side_at(share, taught=self._pupil is not None)

    def learn(self, batch: Batch, share: float) -> None:
        """One step."""
        for group in self._optimiser.param_groups:
            group["lr"] = self._rate * warm_up_cosine(share, self.step)
        self.network.train()
        loss, value = self._losses(batch, share)
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()
        self.step += 1
        self._average.follow(self.network.state_dict(), self.step)
        if not math.isfinite(loss.item()):
            raise DataError(f"the loss was {loss.item()} at step {self.step}: the training has come to nothing")
        self.loss = value if math.isnan(self.loss) else 0.98 * self.loss + 0.02 * value

    def _losses(self, batch: Batch, share: float) -> tuple[Tensor, float]:
        """What this step is to make smaller, and what is told of it: cross-entropy, or how far the teacher is."""
        unlabelled, taught = 0, None
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16_is_fast()):
            crops, places = parts_of(batch.crops, batch.places, batch.spots, self.side(share))
            if self._pupil is not None:
                crops, places, unlabelled = mixed(crops, places, (self._plan.seed, self.step), batch.taught)
            last = self.network.features(crops)
            logits = self.network.head(last)
            located = self._localisation.loss(places)
            if self._pupil is not None and batch.taught:
                asked = slice(batch.taught)
                taught = self._pupil.loss(crops[asked], logits[asked], self._localisation.maps[asked], last[asked])
        if taught is None:
            entropy = self._entropy(logits, batch, slice(0, None))
            return entropy + located, entropy.item()
        entropy = self._entropy(logits, batch, slice(unlabelled, batch.taught))
        untaught = len(crops) - batch.taught
        loss = taught.with_labels(entropy, share)
        if untaught:  # by as many as they are, so that each crop counts the same
            alone = self._entropy(logits, batch, slice(batch.taught, None))
            loss = (batch.taught * loss + untaught * alone) / len(crops)
        return loss + located, taught.answers.item()

    def _entropy(self, logits: Tensor, batch: Batch, part: slice) -> Tensor:
        """Cross-entropy of the labels of a part of a batch; nothing where it is empty."""
        if not len(batch.classes[part]):
            return logits.new_zeros(())
        return functional.cross_entropy(logits[part].float(), batch.classes[part], weight=self._class_weights)

    def look(self, validation: Sequence[Example], side: int) -> bool:
        """Ask validation, keep the best weights; whether there was no progress at the full size for long."""
        logits = logits_of(self._plan.network, self._average.state, validation, side)
        classes = torch.tensor([CRACK if one.crack else 1 - CRACK for one in validation])
        # Both classes count the same, as in training.
        even = len(classes) / (2 * torch.bincount(classes, minlength=len(CLASSES)))
        loss = functional.cross_entropy(logits, classes, weight=even).item()
        accuracy = (logits.argmax(1) == classes).float().mean().item()
        agreement = None
        if self._teacher is not None:
            said = self._teacher.of_validation(validation, side)
            agreement = round((logits.argmax(1) == said.argmax(1)).float().mean().item(), 5)
        now = Look(self.step, round(loss, 5), round(accuracy, 5), side, agreement)
        self.history.append(now)
        best = self.best_look
        if best is None or best.side < side or (best.side == side and now.loss < best.loss):
            self.best_look = now
            self.best = {name: value.clone() for name, value in self._average.state.items()}
        # A training that is gone on with for longer returns to smaller crops: only looks at the full size count.
        since = list(takewhile(lambda look: look.side == INPUT and look != self.best_look, reversed(self.history)))
        return side == INPUT and len(since) >= _PATIENCE
