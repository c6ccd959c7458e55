"""The weights that a training of the classifier starts from, and what they have met before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from daemon.lab.orders import TrainClassifier
from models.classifier.networks import installed_weights
from models.training.classifier.groups import SeenGroups
from models.training.classifier.plan import BATCH, TAUGHT_BATCH, Plan

NETWORK = "efficientnet_lite0"
"""Trained unless another is asked for (docs/decisions/0023-transfer.md)."""
IMAGENET, SCRATCH = Path("imagenet"), Path("scratch")
"""Stand for the ImageNet weights that a package brings, and for fresh ones."""


def plan_of(order: TrainClassifier) -> Plan:
    """Of one training of the order."""
    return Plan(
        network=order.network,
        seed=order.seed,
        batch=BATCH if order.teacher is None else TAUGHT_BATCH,
        minutes=order.minutes,
        pretrained=order.pretrained,
        teacher=order.teacher,
    )


def start_of(order: TrainClassifier) -> Path | None:
    """The file to start from; None for fresh weights."""
    start = order.pretrained
    if start is None and order.network == NETWORK:
        start = IMAGENET
    if start == IMAGENET:
        return installed_weights(order.network)
    return None if start == SCRATCH else start


def card_beside(start: Path | None) -> dict[str, Any]:
    """The model card of weights to start from; empty where there is none."""
    try:
        said = {} if start is None else json.loads(start.with_suffix(".json").read_text())
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def met_before(order: TrainClassifier) -> SeenGroups:
    """What the weights to start from have met, and the teacher: what either has learnt from is learnt from."""
    start, teacher = (SeenGroups.of_card(card_beside(path)) for path in (order.pretrained, order.teacher))
    trained = start.trained | teacher.trained
    return SeenGroups(trained, (start.validated | teacher.validated) - trained)
