"""How a training of the classifier goes: which network, how long, and from which weights."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BATCH, TAUGHT_BATCH = 24, 48
"""Crops of a step; more where a teacher lets them be small, and a step is mostly the weights' own cost."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a training goes; one that is gone on with must be the same in `same`, and in its groups.

    Raises:
        ValueError: neither or both of minutes and steps are given.
    """

    network: str
    seed: int = 0
    batch: int = BATCH
    minutes: float | None = None
    """When to stop, the time before a resume included; or"""
    steps: int | None = None
    """how many batches to learn from."""
    pretrained: Path | None = None
    """Weights to start from (models.classifier.networks.load_pretrained); None: from scratch."""
    teacher: Path | None = None
    """Weights with their card whose answers are learnt beside the labels (models.training.classifier.distillation)."""

    def __post_init__(self) -> None:
        if (self.minutes is None) == (self.steps is None):
            raise ValueError(f"give either minutes or steps; found minutes={self.minutes}, steps={self.steps}")

    @property
    def same(self) -> dict[str, Any]:
        """What must not change when the training is gone on with."""
        return {
            "network": self.network,
            "started from": start_name(self.pretrained),
            "seed": self.seed,
            "batch": self.batch,
            **({} if self.teacher is None else {"teacher": hashlib.sha256(self.teacher.read_bytes()).hexdigest()}),
        }


def start_name(start: Path | None) -> str:
    """Weights to start from by name and SHA-256; `scratch` where there are none.

    Raises:
        OSError: there is no such file.
    """
    return "scratch" if start is None else f"{start.name}, sha256 {hashlib.sha256(start.read_bytes()).hexdigest()}"
