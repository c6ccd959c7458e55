"""The feature network while it learns: its optimiser, its running mean, its best weights, and its checkpoint."""

from __future__ import annotations

import hashlib
import io
import math
import time
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.detector.features import FEATURE, ValueNetwork
from models.detector.reference import Reference
from models.machine.cpu import bfloat16_is_fast
from models.training.checkpoints import Average, save_whole, warm_up_cosine
from models.training.detector.batches import Batch
from models.training.detector.loss import focal_overlap_loss
from models.training.detector.plan import Plan

_PAPER_EPOCHS = 250
_RATES = {"paper": 0.01, "default": 2e-3}
"""First learning rate of each preset, and"""
_START_RATE = 7e-4
"""that of a training that starts from weights."""


class Learner:
    """The network, its optimiser and how far they have come.

    Args:
        plan: the preset, the rate, the recipe.
        resume: a checkpoint to go on from, with its best weights and looks; or weights (a state dict) to start from,
            at a lower rate.

    Raises:
        ValueError: what is to be gone on with is no checkpoint, or of another preset, resolution or templates.
    """

    def __init__(self, plan: Plan, resume: Path | None) -> None:
        self.recipe = plan.recipe
        self._plan = plan
        self._rate = plan.rate if plan.rate is not None else _RATES[plan.preset]
        self.network = self.fresh()
        self.optimiser: torch.optim.Optimizer
        if plan.preset == "paper":
            self.optimiser = torch.optim.SGD(self.network.parameters(), lr=self._rate, momentum=0.9)
        else:
            self.optimiser = torch.optim.AdamW(self.network.parameters(), lr=self._rate, weight_decay=1e-4)
        self.step = 0
        self._average = Average()
        self.loss = math.nan
        self.drawn = 0
        """Crops that were made before a resume."""
        self.best: dict[str, Tensor] | None = None
        """Weights of the look with the lowest loss."""
        self.history: list[tuple[int, float]] = []
        """Step and loss of each look at the validation crops."""
        self._looked_at = 0
        self.started_from: tuple[dict[str, str], ...] = ()
        self._spent = 0.0
        if resume is not None:
            self._resume(resume)
        self._began = time.monotonic()
        self.network.train()

    def fresh(self) -> ValueNetwork:
        """A network of the same kind that has learnt nothing."""
        network = self._plan.architecture.make(self.recipe)
        return network.to(memory_format=torch.channels_last)  # type: ignore[no-any-return, call-overload]

    def _resume(self, path: Path) -> None:
        content = path.read_bytes()
        try:
            saved = torch.load(io.BytesIO(content), weights_only=True)
            if "network" not in saved:  # weights alone are a start, not a training to go on with
                saved = {"network": Reference.parted(saved)[0]}
                self._rate = self._plan.rate if self._plan.rate is not None else _START_RATE
            self._refuse_another(path, saved)
            self.network.load_state_dict(saved["network"])
            if "optimiser" in saved:
                self.optimiser.load_state_dict(saved["optimiser"])
                self.step, self._spent = saved["step"], saved["seconds"]
            self._average = Average(saved.get("average"))
        except (RuntimeError, KeyError, TypeError, AttributeError, EOFError, UnpicklingError) as error:
            raise ValueError(
                f"{path} is neither a checkpoint nor weights of `linesentry train detector`, or is damaged: name "
                "another, or train without --resume"
            ) from error
        self.drawn, self.best = saved.get("drawn", 0), saved.get("best")
        self.history = [(step, loss) for step, loss in saved.get("history", ())]
        self._looked_at = saved.get("looked_at", 0)
        named = {"name": path.name, "sha256": hashlib.sha256(content).hexdigest()}
        self.started_from = (*saved.get("started_from", ()), named)

    def _refuse_another(self, path: Path, saved: dict[str, Any]) -> None:
        asked = self._kind()
        # Weights, and older checkpoints, do not say what they are of, but the feature network's show it.
        found = {name: value for name, value in saved.items() if name in asked}
        if "learned" in (state := saved["network"]):
            found.setdefault("architecture", FEATURE.name)
            found.setdefault("resolution", "half" if state["learned"].shape[-1] == 11 else "full")
            if "optimiser" in saved:
                adam = "betas" in saved["optimiser"]["param_groups"][0]
                found.setdefault("preset", "default" if adam else "paper")
            if "templates" not in found:
                asked["templates"] = len(self.recipe.templates)
                found["templates"] = len(state["bank_norm.weight"]) // 4 - 1  # as many filters are learned
        wrong = [f"{name} {value} instead of {asked[name]}" for name, value in found.items() if value != asked[name]]
        if wrong:
            raise ValueError(
                f"{path} is of another training ({', '.join(wrong)}): ask for the same, or train without --resume"
            )

    def looks_at(self, crops: int) -> None:
        """So many validation crops are looked at; looks at another number of them, before a resume, are forgotten."""
        if crops != self._looked_at:
            self.best, self.history, self._looked_at = None, [], crops

    def seconds(self) -> float:
        """Spent on training, those before a resume included."""
        return self._spent + time.monotonic() - self._began

    def share(self) -> float:
        """How much of the training is done, 1 at its end."""
        minutes, steps = self._plan.minutes, self._plan.steps
        return self.seconds() / (60 * minutes) if minutes is not None else self.step / (steps or 1)

    def learn(self, batch: Batch, share: float) -> NDArray[np.float64]:
        """One step; how hard each crop was."""
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate * rate_share(self._plan.preset, share, self.step)
        image, target, weight = batch
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16_is_fast()):
            values = self.network(image)
        loss, hardness = focal_overlap_loss(values.float(), target, weight)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 2.0)
        self.optimiser.step()
        self.step += 1
        self._average.follow(self.network.state_dict(), self.step)
        value = loss.detach().item()
        self.loss = value if math.isnan(self.loss) else 0.98 * self.loss + 0.02 * value
        return hardness.double().numpy()

    def averaged(self) -> dict[str, Tensor]:
        """Running mean of the weights over the last thousand steps or so."""
        return self._average.state or self.network.state_dict()

    def _kind(self) -> dict[str, Any]:
        """What a training that is gone on with must have in common with what it was."""
        pitch = self.recipe.pitch
        return {
            "architecture": self._plan.architecture.name,
            "preset": self._plan.preset,
            "resolution": self.recipe.resolution,
            "templates": [(one.width, one.height, one.step) for one in self.recipe.templates],
            "pitch": None if pitch is None else (pitch.row_mm, pitch.column_mm),
        }

    def save(self, path: Path, drawn: int) -> None:
        """Write a checkpoint, whole or not at all; `drawn` crops were made since the last resume."""
        save_whole(
            path,
            {
                **self._kind(),
                "network": self.network.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "average": self.averaged(),
                "best": self.best,
                "history": self.history,
                "looked_at": self._looked_at,
                "step": self.step,
                "seconds": self.seconds(),
                "drawn": self.drawn + drawn,
                "started_from": self.started_from,
            },
        )


def rate_share(preset: str, share: float, step: int) -> float:
    """The share of the first learning rate that holds now."""
    if preset == "paper":
        return 1 / float(5 ** int(share * _PAPER_EPOCHS / 50))
    return warm_up_cosine(share, step)
