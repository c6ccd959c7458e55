"""Cross-validation of the classifier's training: each fold measured on groups that its training has not seen."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from rich.console import Console

from daemon.lab.orders import TrainClassifier
from daemon.lab.train.calibrate import predictions_of, write_calibrated
from daemon.lab.train.start import met_before, plan_of
from daemon.lab.train.training_bar import train_with_bar
from models.classifier.assessment import Predictions, figures, fold_table
from models.classifier.calibration import calibrated, expected_calibration_error
from models.classifier.classifier import Classifier
from models.classifier.networks import CLASSES
from models.training.classifier.examples import ANECDOTES, DataError, Example
from models.training.classifier.groups import SeenGroups, Split, check_left_out, fingerprint, fold_numbers, in_groups
from models.training.classifier.train import Outcome

FOLDS = "classifier-folds.json"
"""What a cross-validation leaves beside the weights."""
_VALIDATION_FOLDS = 5
"""One part in so many chooses the weights, the temperature and the threshold (C 34: 80/20)."""


def cross_validate(console: Console, order: TrainClassifier, examples: Sequence[Example], folds: int) -> None:
    """Train once for each fold of what is not for tests, and measure each on the groups it has not seen."""
    start = met_before(order)
    check_left_out(examples, order.leave_out, start)
    usable = [one for one in examples if not one.test and one.collection not in order.leave_out]
    photographs = [one for one in usable if not one.simulated]
    if count := sum(in_groups(photographs, start.all)):
        named = " and ".join(str(one) for one in (order.pretrained, order.teacher) if one is not None)
        raise DataError(
            f"{named} learnt from {count} of these {len(photographs)} photographs, so no fold would be unseen: "
            "start from weights that have not (--pretrained), and take a teacher that has not (--teacher)"
        )
    parts_of = [_fold(usable, fold, folds, order.seed, start) for fold in range(folds)]
    path = order.out / FOLDS
    order.out.mkdir(parents=True, exist_ok=True)
    same = {**plan_of(order).same, "minutes": order.minutes, "of": folds, "groups_sha256": fingerprint(usable)}
    made = _made(path, same) if order.resume and path.is_file() else []
    for fold in range(len(made), folds):
        plan = replace(plan_of(order), seed=order.seed + fold)
        checkpoint = order.out / f"fold-{fold + 1}.ckpt"
        name = f"fold {fold + 1} of {folds}"
        outcome = train_with_bar(console, parts_of[fold], plan, checkpoint, resume=order.resume, name=name)
        with console.status(f"measuring fold {fold + 1}"):
            made.append({"fold": fold + 1, **_measured(order, outcome, parts_of[fold])})
        result = {"command": " ".join(["linesentry", *sys.argv[1:]]), **same, "folds": made}
        path.write_text(json.dumps({**result, "table": fold_table(made)}, indent=2) + "\n")
    print(path)  # noqa: T201 - the command's answer


def _fold(usable: Sequence[Example], fold: int, folds: int, seed: int, start: SeenGroups) -> Split:
    """One fold to measure, the rest to learn from and to choose by; what the start has met is learnt from alone.

    Raises:
        DataError: the fold has no picture, or the rest not both classes to learn from and to choose by.
    """
    met = in_groups(usable, start.all)
    fresh = [one for one, before in zip(usable, met, strict=True) if not before]
    place = fold_numbers(fresh, folds, seed)
    seen = [one for one, at in zip(fresh, place, strict=True) if at != fold]
    inner = fold_numbers(seen, _VALIDATION_FOLDS, seed + 1 + fold)
    parts = Split(
        (
            *(one for one, at in zip(seen, inner, strict=True) if at),
            *(one for one, before in zip(usable, met, strict=True) if before),
        ),
        tuple(one for one, at in zip(seen, inner, strict=True) if not at),
        tuple(one for one, at in zip(fresh, place, strict=True) if at == fold),
    )
    short = {"measured": bool(parts.test)} | {
        name: len({one.crack for one in part}) == len(CLASSES)
        for name, part in (("learnt from", parts.training), ("chosen by", parts.validation))
    }
    if lacking := [name for name, enough in short.items() if not enough]:
        raise DataError(
            f"in fold {fold + 1} of {folds} there are no pictures of both classes to be {' or '.join(lacking)}: found "
            f"{len({one.group for one in usable})} groups; ask for fewer folds (--folds), or give more groups"
        )
    return parts


def _made(path: Path, same: dict[str, Any]) -> list[dict[str, Any]]:
    """The folds that an interrupted cross-validation of the same groups has measured."""
    try:
        found = json.loads(path.read_text())
        folds: list[dict[str, Any]] = found["folds"]
        wrong = [
            f"{name}: {found.get(name)} instead of {value}" for name, value in same.items() if found.get(name) != value
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path} is not what --folds writes ({error}): take it away") from error
    if wrong:
        raise DataError(f"{path} is of another cross-validation ({'; '.join(wrong)}): name another --out")
    return folds


def _measured(order: TrainClassifier, outcome: Outcome, parts: Split) -> dict[str, Any]:
    """The figures of a fold, on photographs and on all."""
    with TemporaryDirectory(prefix=".fold-", dir=order.out) as folder:
        path, temperature, threshold = write_calibrated(
            Path(folder), {"end": outcome.state}, order.network, parts.validation, {}
        )
        raw = Classifier.load(path, device="cpu").uncalibrated([one.pixels for one in parts.test])
    judged = predictions_of(parts.test, calibrated(raw, temperature))
    photographs = judged.only(np.array([not one.simulated for one in parts.test], np.bool_))
    counted = photographs if len(photographs) else judged
    rest = counted.without(ANECDOTES)
    return {
        **_short(counted, threshold),
        "likelier_without_anecdotes": figures(rest if len(rest) else counted, threshold, resamples=0)["likelier"],
        "all": _short(judged, threshold),
        "temperature": temperature,
        "threshold": threshold,
        "minutes": round(outcome.seconds / 60, 2),
        "steps": outcome.steps,
    }


def _short(judged: Predictions, at: float) -> dict[str, Any]:
    found = figures(judged, at)
    error = expected_calibration_error(judged.chance, judged.crack)
    names = ("pictures", "groups", "cracks", "accuracy", "likelier", "precision", "recall", "f1", "intervals")
    return {**{name: found[name] for name in names}, "ece": error}
