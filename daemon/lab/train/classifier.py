"""The command `linesentry train classifier`: from photographs and simulated crops to weights with their model card."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import Tensor

from daemon.lab.data.classifier import renewal_of, say_what_is_not_learnt, training_examples
from daemon.lab.export import exported
from daemon.lab.orders import TrainClassifier
from daemon.lab.progress import progress_on
from daemon.lab.train.calibrate import write_calibrated
from daemon.lab.train.cross_validation import cross_validate
from daemon.lab.train.start import card_beside, met_before, plan_of, start_of
from daemon.lab.train.training_bar import train_with_bar
from daemon.telemetry.printing import SafeConsole, say
from models.classifier import card
from models.classifier.errors import ClassifierError
from models.training.classifier.examples import DataError, Example
from models.training.classifier.groups import Split, counts, fingerprint, group_keys, split
from models.training.classifier.plan import start_name
from models.training.classifier.train import Outcome

_START_FACTS = "sha256", "made", "weights", "started_from", "start", "seeds", "schedule", "command", "note"
"""What a card keeps of the card of the weights that the training started from."""


def train_classifier_command(order: TrainClassifier) -> None:
    """Train, fit temperature and threshold on validation, export, and write it all.

    Raises:
        SystemExit: 2 when the data, the network or the checkpoint cannot be used, 130 after Ctrl-C; both with a line
            on stderr.
    """
    console = SafeConsole(stderr=True)
    try:
        order = replace(order, pretrained=start_of(order))
        with progress_on(console) as report:
            examples = training_examples(order.data, order.simulated, order.seed, report)
        if order.folds is None:
            _train_weights(console, order, examples)
        else:
            cross_validate(console, order, examples, order.folds)
            say_what_is_not_learnt(order.data, examples)
    except KeyboardInterrupt:
        kept = any(order.out.glob("*.ckpt"))
        words = "go on with the same command and --resume" if kept else "nothing was learnt yet"
        _say(f"interrupted; {words}")
        raise SystemExit(130) from None
    except (DataError, ClassifierError, OSError, RuntimeError) as error:
        _say(str(error))
        raise SystemExit(2) from error


def _say(words: str) -> None:
    say(f"linesentry train: {words}")


def _train_weights(console: Console, order: TrainClassifier, examples: Sequence[Example]) -> None:
    start = card_beside(order.pretrained)
    # Read now: weights that do not fit their card are told before the training, not after it.
    if order.teacher is not None:
        card.read(order.teacher)
    parts = split(examples, order.seed, left_out=order.leave_out, start=met_before(order))
    checkpoint = order.out / "classifier.ckpt"
    if order.resume and not checkpoint.is_file():
        raise DataError(f"there is no {checkpoint} to go on from: train without --resume, or name another --out")
    say_what_is_not_learnt(order.data, examples)
    resumed = _steps(checkpoint) if order.resume else None
    own = order.pretrained if start.get("network") == order.network else None
    before = None if own is None else card.read(own)[0].state_dict()
    renewal = None if order.teacher is None else renewal_of(order.simulated, order.seed, parts.training)
    outcome = train_with_bar(console, parts, plan_of(order), checkpoint, resume=order.resume, renewal=renewal)
    with console.status("fitting temperature and threshold on validation"):
        states = {"end": outcome.state}
        if before is not None:
            states["mean of start and end"] = _mean_weights(before, outcome.state)
        path, _, _ = write_calibrated(
            order.out, states, order.network, parts.validation, _facts(order, parts, outcome, resumed, start)
        )
    said = exported(console, path, order.out / "export", parts.validation)
    print(path)  # noqa: T201 - the command's answer
    say(f"card: {path.with_suffix('.json')}; {said}; checkpoint: {checkpoint}")


def _mean_weights(start: dict[str, Tensor], end: dict[str, Tensor]) -> dict[str, Tensor]:
    """The mean of the weights that a training started from and those that it ended with.

    Either has learnt what the other has not, and faults that are chance differ (Wortsman et al., ICML 2022).
    """
    return {
        name: (start[name] + value.float()) / 2 if value.is_floating_point() else value for name, value in end.items()
    }


def _steps(checkpoint: Path) -> int | None:
    """How far the training of a checkpoint had come; None for what is none, which `train` refuses by name."""
    try:
        return int(torch.load(checkpoint, weights_only=True, mmap=True)["step"])
    except (OSError, RuntimeError, KeyError, TypeError, ValueError, EOFError, pickle.UnpicklingError):
        return None


def _teacher(path: Path) -> dict[str, Any]:
    """What a card says of the teacher, whose groups are among those that were learnt from."""
    said = card_beside(path)
    return {name: said[name] for name in ("name", "sha256", "network", "made") if name in said}


def _facts(
    order: TrainClassifier, parts: Split, outcome: Outcome, resumed: int | None, start: dict[str, Any]
) -> dict[str, Any]:
    """What the model card says of the training, which was `resumed` at so many steps the last time.

    `start` is the card of the weights that it started from.
    """
    before = met_before(order)
    trained = group_keys(parts.training) | before.trained
    validated = (group_keys(parts.validation) | before.validated) - trained
    return {
        "target": "a thin linear anomaly in metal; real scratches stand in for cracks",
        "started_from": start_name(order.pretrained),
        **({"start": {name: start[name] for name in _START_FACTS if name in start}} if start else {}),
        **({} if order.teacher is None else {"teacher": _teacher(order.teacher)}),
        "trained_on": counts(parts.training),
        "chosen_on": counts(parts.validation),
        "left_out": list(order.leave_out),
        "test": "groups by their hash (models.training.photographs.held_out), "
        "and the products that crops are never cut of",
        "groups_sha256": fingerprint(parts.training),
        "groups": " ".join(sorted(trained | validated)),
        "validation_groups": " ".join(sorted(validated)),
        "seeds": [order.seed],
        "schedule": {
            "minutes": round(outcome.seconds / 60, 2),
            "steps": outcome.steps,
            "resumed_at_step": resumed,
            "pictures": outcome.steps * plan_of(order).batch,
            "batch": plan_of(order).batch,
            "loss": round(outcome.loss, 4),
            "looks": [list(asdict(look).values()) for look in outcome.history],
            "torch": str(torch.__version__),
        },
        "command": " ".join(["linesentry", *sys.argv[1:]]),
    }
