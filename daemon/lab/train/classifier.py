"""The commands `linesentry train classifier` and `export classifier`.

From photographs and simulated crops to weights with their model card, and from weights to files for other programs.
"""

from __future__ import annotations

import json
import pickle
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from sklearn.metrics import log_loss
from torch import Tensor

from daemon.lab.data.classifier import Told, met_in_use, training_examples
from daemon.lab.orders import ExportClassifier
from daemon.lab.orders import TrainClassifier as Order
from models.classifier import card, export
from models.classifier.assessment import Judged, calibration, figures, fold_table, threshold_of
from models.classifier.calibration import calibrated, expected_calibration_error, fit_temperature
from models.classifier.classifier import Classifier
from models.classifier.errors import ClassifierError
from models.classifier.networks import CLASSES, installed_weights
from models.detector.detector import WEIGHTS
from models.training.classifier.examples import (
    ANECDOTES,
    DataError,
    Example,
    Met,
    Parts,
    check_left_out,
    counts,
    fingerprint,
    folded,
    known,
    learnt,
    parted,
)
from models.training.classifier.train import Outcome, Plan, named, train
from models.training.classifier.train import Progress as Step

NETWORK = "efficientnet_lite0"
"""Trained unless another is asked for (docs/decisions/0023-transfer.md)."""
IMAGENET, SCRATCH = Path("imagenet"), Path("scratch")
"""Stand for the ImageNet weights that a package brings, and for fresh ones."""
FOLDS = "classifier-folds.json"
"""What a cross-validation leaves beside the weights."""
_OF_A_START = "sha256", "made", "weights", "started_from", "start", "seeds", "schedule", "command", "note"
"""What a card keeps of the card of the weights that the training started from."""
_VALIDATION_FOLDS = 5
"""One part in so many chooses the weights, the temperature and the threshold (C 34: 80/20)."""


def plan_of(order: Order) -> Plan:
    """Of one training of the order."""
    return Plan(network=order.network, seed=order.seed, minutes=order.minutes, pretrained=order.pretrained)


def train_classifier_command(order: Order) -> None:
    """Train, fit temperature and threshold on validation, export, and write it all.

    Raises:
        SystemExit: 2 when the data, the network or the checkpoint cannot be used, 130 after Ctrl-C; both with a line
            on stderr.
    """
    console = Console(stderr=True)
    try:
        order = replace(order, pretrained=_start(order))
        with told_on(console) as told:
            examples = training_examples(order.data, order.simulated, order.seed, told)
        if order.folds is None:
            _weights(console, order, examples)
        else:
            _cross_validated(console, order, examples, order.folds)
    except KeyboardInterrupt:
        kept = any(order.out.glob("*.ckpt"))
        words = "go on with the same command and --resume" if kept else "nothing was learnt yet"
        _say(f"interrupted; {words}")
        raise SystemExit(130) from None
    except (DataError, ClassifierError, OSError, RuntimeError) as error:
        _say(str(error))
        raise SystemExit(2) from error


def export_classifier_command(order: ExportClassifier) -> None:
    """Export weights without training them, compared on the parts of the data that they were chosen by.

    Raises:
        SystemExit: 2 with a line on stderr when weights or data cannot be used.
    """
    console = Console(stderr=True)
    path = WEIGHTS / card.NAME if order.weights is None else order.weights
    try:
        _, said = card.checked(path, path.with_suffix(".json"))
        met = _met(said)
        with told_on(console) as told:
            examples = training_examples(order.data, order.simulated, next(iter(said.get("seeds", ())), 0), told)
        validation = [one for one, chosen_by in zip(examples, known(examples, met.validated), strict=True) if chosen_by]
        if not validation:
            raise DataError(  # noqa: TRY301 - a command says what went wrong in one place
                f"none of these {len(examples)} pictures chose the weights {path}: give --data and --simulated as its "
                "training had them"
            )
        words = exported(console, path, order.out, validation)
    except (DataError, ClassifierError, OSError) as error:
        print(f"linesentry export: {error}", file=sys.stderr)  # noqa: T201 - a command speaks
        raise SystemExit(2) from error
    print(order.out / export.CARD)  # noqa: T201 - the command's answer
    print(f"linesentry export: {words}", file=sys.stderr)  # noqa: T201 - the same


def _start(order: Order) -> Path | None:
    """The file to start from; None for fresh weights."""
    start = order.pretrained
    if start is None and order.network == NETWORK:
        start = IMAGENET
    if start == IMAGENET:
        return installed_weights(order.network)
    return None if start == SCRATCH else start


def _card_of(start: Path | None) -> dict[str, Any]:
    """The model card of weights to start from; empty where there is none."""
    try:
        said = {} if start is None else json.loads(start.with_suffix(".json").read_text())
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def _met(said: dict[str, Any]) -> Met:
    """What weights have met, by their card."""
    groups, validated = (frozenset(str(said.get(name, "")).split()) for name in ("groups", "validation_groups"))
    return Met(groups - validated, validated)


def _say(words: str) -> None:
    print(f"linesentry train: {words}", file=sys.stderr)  # noqa: T201 - a command speaks


# --- weights -----------------------------------------------------------------------------------------------------


def _weights(console: Console, order: Order, examples: Sequence[Example]) -> None:
    start = _card_of(order.pretrained)
    parts = parted(examples, order.seed, left_out=order.leave_out, start=_met(start))
    checkpoint = order.out / "classifier.ckpt"
    if order.resume and not checkpoint.is_file():
        raise DataError(f"there is no {checkpoint} to go on from: train without --resume, or name another --out")
    resumed = _steps(checkpoint) if order.resume else None
    # Read now: weights that do not fit their card are told before the training, not after it.
    own = order.pretrained if start.get("network") == order.network else None
    before = None if own is None else card.read(own)[0].state_dict()
    outcome = _trained(console, parts, plan_of(order), checkpoint, resume=order.resume)
    with console.status("fitting temperature and threshold on validation"):
        states = {"end": outcome.state}
        if before is not None:
            states["mean of start and end"] = _between(before, outcome.state)
        path, _, _ = _calibrated(order.out, states, order, parts, _facts(order, parts, outcome, resumed, start))
    said = exported(console, path, order.out / "export", parts.validation)
    print(path)  # noqa: T201 - the command's answer
    print(f"card: {path.with_suffix('.json')}; {said}; checkpoint: {checkpoint}", file=sys.stderr)  # noqa: T201 - the same


def _between(start: dict[str, Tensor], end: dict[str, Tensor]) -> dict[str, Tensor]:
    """The mean of the weights that a training started from and those that it ended with.

    Either has learnt what the other has not, and faults that are chance differ (Wortsman et al., ICML 2022).
    """
    return {
        name: (start[name] + value.float()) / 2 if value.is_floating_point() else value for name, value in end.items()
    }


@dataclass(frozen=True, slots=True)
class _Chosen:
    """What validation says of trained weights."""

    before: Judged
    temperature: float
    after: Judged
    """The same with the temperature."""
    loss: float
    """Cross-entropy of those."""


def _asked(folder: Path, state: dict[str, Tensor], order: Order, met: Sequence[Example]) -> _Chosen:
    """What validation says of these weights as they would ship."""
    raw = card.write(folder, state, order.network, {})
    before = judged_of(met, Classifier.load(raw, device="cpu").uncalibrated([one.pixels for one in met]))
    temperature = fit_temperature(before.chance, before.crack)
    after = replace(before, chance=calibrated(before.chance, temperature))
    return _Chosen(before, temperature, after, loss=float(log_loss(after.crack, after.chance)))


def _calibrated(
    folder: Path, states: Mapping[str, dict[str, Tensor]], order: Order, parts: Parts, facts: dict[str, Any]
) -> tuple[Path, float, float]:
    """Write weights and card with the temperature and threshold that the packed weights ask for; both or neither.

    Of several weights those whose answers validation finds likeliest.

    Returns:
        The weights' path, their temperature and threshold.
    """
    folder.mkdir(parents=True, exist_ok=True)
    met = met_in_use(parts.validation)
    with TemporaryDirectory(prefix=".calibrated-", dir=folder) as aside:
        asked = {name: _asked(Path(aside), state, order, met) for name, state in states.items()}
        name, best = min(asked.items(), key=lambda one: one[1].loss)
        threshold = threshold_of(best.after, _even([one.simulated for one in met]))
        said = figures(best.after, threshold)
        validation = {
            "pictures": len(met),
            "loss": {state: round(one.loss, 5) for state, one in asked.items()},
            **{name: said[name] for name in ("accuracy", "likelier", "precision", "recall", "f1", "intervals")},
            "ece_before": calibration(best.before, resamples=0)["weighted"],
            "ece_after": calibration(best.after, resamples=0)["weighted"],
        }
        facts = {**facts, "weights": name, "validation": validation}
        made = card.write(
            Path(aside), states[name], order.network, facts, temperature=best.temperature, threshold=threshold
        )
        for path in (made, made.with_suffix(".json")):
            path.replace(folder / path.name)
    return folder / made.name, best.temperature, threshold


def _even(simulated: Sequence[bool]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Weights (n,) by which photographs and crops of sheets count the same in all, whatever their numbers."""
    kinds = Counter(simulated)
    return np.array([1 / kinds[one] for one in simulated])


def judged_of(examples: Sequence[Example], chance: np.ndarray[Any, np.dtype[np.float64]]) -> Judged:
    """Examples and the chances (n,) that were said of them."""
    return Judged(
        chance,
        np.array([one.crack for one in examples], np.bool_),
        tuple(one.group for one in examples),
        tuple(one.source for one in examples),
    )


def _steps(checkpoint: Path) -> int | None:
    """How far the training of a checkpoint had come; None for what is none, which `train` refuses by name."""
    try:
        return int(torch.load(checkpoint, weights_only=True, mmap=True)["step"])
    except (OSError, RuntimeError, KeyError, TypeError, ValueError, EOFError, pickle.UnpicklingError):
        return None


def _facts(order: Order, parts: Parts, outcome: Outcome, resumed: int | None, start: dict[str, Any]) -> dict[str, Any]:
    """What the model card says of the training, which was `resumed` at so many steps the last time.

    `start` is the card of the weights that it started from.
    """
    before = _met(start)
    trained = learnt(parts.training) | before.trained
    validated = (learnt(parts.validation) | before.validated) - trained
    return {
        "target": "a thin linear anomaly in metal; real scratches stand in for cracks",
        "started_from": named(order.pretrained),
        **({"start": {name: start[name] for name in _OF_A_START if name in start}} if start else {}),
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


def exported(console: Console, weights: Path, folder: Path, validation: Sequence[Example]) -> str:
    """Write the files for other programs, compared on all of validation; in words, what was written and what not.

    Raises:
        ClassifierError: as models.classifier.export.export.
    """
    with console.status("exporting, and comparing on all of validation"):
        missing = export.export(weights, folder, [one.pixels for one in validation])
    return "; ".join([f"exported: {folder}", *(f"without {name}: {why}" for name, why in missing.items())])


# --- folds -------------------------------------------------------------------------------------------------------


def _cross_validated(console: Console, order: Order, examples: Sequence[Example], folds: int) -> None:
    """Train once for each fold of what is not for tests, and measure each on the groups it has not seen."""
    start = _met(_card_of(order.pretrained))
    check_left_out(examples, order.leave_out, start)
    usable = [one for one in examples if not one.test and one.collection not in order.leave_out]
    photographs = [one for one in usable if not one.simulated]
    if count := sum(known(photographs, start.all)):
        raise DataError(
            f"{order.pretrained} was trained on {count} of these {len(photographs)} photographs, so no fold would be "
            "unseen: start from weights that were not (--pretrained)"
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
        outcome = _trained(console, parts_of[fold], plan, checkpoint, resume=order.resume, name=name)
        with console.status(f"measuring fold {fold + 1}"):
            made.append({"fold": fold + 1, **_measured(order, outcome, parts_of[fold])})
        result = {"command": " ".join(["linesentry", *sys.argv[1:]]), **same, "folds": made}
        path.write_text(json.dumps({**result, "table": fold_table(made)}, indent=2) + "\n")
    print(path)  # noqa: T201 - the command's answer


def _fold(usable: Sequence[Example], fold: int, folds: int, seed: int, start: Met) -> Parts:
    """One fold to measure, the rest to learn from and to choose by; what the start has met is learnt from alone.

    Raises:
        DataError: the fold has no picture, or the rest not both classes to learn from and to choose by.
    """
    met = known(usable, start.all)
    fresh = [one for one, before in zip(usable, met, strict=True) if not before]
    place = folded(fresh, folds, seed)
    seen = [one for one, at in zip(fresh, place, strict=True) if at != fold]
    inner = folded(seen, _VALIDATION_FOLDS, seed + 1 + fold)
    parts = Parts(
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


def _measured(order: Order, outcome: Outcome, parts: Parts) -> dict[str, Any]:
    """The figures of a fold, on photographs and on all."""
    with TemporaryDirectory(prefix=".fold-", dir=order.out) as folder:
        path, temperature, threshold = _calibrated(Path(folder), {"end": outcome.state}, order, parts, {})
        raw = Classifier.load(path, device="cpu").uncalibrated([one.pixels for one in parts.test])
    judged = judged_of(parts.test, calibrated(raw, temperature))
    photographs = judged.only(np.array([not one.simulated for one in parts.test], np.bool_))
    counted = photographs if len(photographs) else judged
    told = counted.without(ANECDOTES)
    return {
        **_short(counted, threshold),
        "likelier_without_anecdotes": figures(told if len(told) else counted, threshold, resamples=0)["likelier"],
        "all": _short(judged, threshold),
        "temperature": temperature,
        "threshold": threshold,
        "minutes": round(outcome.seconds / 60, 2),
        "steps": outcome.steps,
    }


def _short(judged: Judged, at: float) -> dict[str, Any]:
    found = figures(judged, at)
    error = expected_calibration_error(judged.chance, judged.crack)
    names = ("pictures", "groups", "cracks", "accuracy", "likelier", "precision", "recall", "f1", "intervals")
    return {**{name: found[name] for name in names}, "ece": error}


# --- progress ----------------------------------------------------------------------------------------------------


def _trained(
    console: Console, parts: Parts, plan: Plan, checkpoint: Path, *, resume: bool, name: str = "training"
) -> Outcome:
    """Train with a bar on stderr."""
    words = TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()
    with Progress(*words, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task(f"{name}: first batches", total=1.0)

        def show(step: Step) -> None:
            best = "" if step.best is None else f"  best accuracy {step.best.accuracy:.3f}"
            bar.update(task, completed=step.share, description=f"{name}: step {step.step}  loss {step.loss:.3f}{best}")

        return train(
            parts.training,
            parts.validation,
            plan,
            checkpoint=checkpoint,
            resume=checkpoint if resume and checkpoint.is_file() else None,
            on_progress=show,
        )


@contextmanager
def told_on(console: Console) -> Iterator[Told]:
    """A bar on stderr, where somebody watches."""
    words = TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()
    with Progress(*words, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("reading", total=None)

        def told(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total)

        yield told
