"""The command `linesentry evaluate classifier`: held-out pictures through the classifier, and what it says of them."""

from __future__ import annotations

import datetime as dt
import json
import os
import shlex
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console

from config.weights import shipped_weights
from daemon.lab.data.classifier import Judged, test_examples
from daemon.lab.evaluate.classifier_gallery import Exhibits, exhibits
from daemon.lab.evaluate.classifier_report import page, tables
from daemon.lab.evaluate.report import answer
from daemon.lab.orders import EvaluateClassifier
from daemon.lab.progress import progress_on
from daemon.lab.train.calibrate import predictions_of
from daemon.lab.train.cross_validation import FOLDS
from daemon.store.state import code_sha256
from daemon.telemetry.printing import SafeConsole, say
from models.classifier.assessment import (
    BINS,
    Predictions,
    by_collection,
    by_source,
    calibration,
    draws,
    figures,
    fold_table,
    with_calibration,
)
from models.classifier.calibration import calibrated, reliability
from models.classifier.card import NAME, checked
from models.classifier.classifier import Classifier, is_sure
from models.classifier.errors import ClassifierError
from models.classifier.views import View
from models.machine.cpu import cpu_model
from models.training.classifier.examples import ANECDOTES, DataError, Example
from models.training.classifier.groups import fingerprint
from models.training.learnt_groups import LearntGroups

_AT_ONCE = 16
_TIMED, _WARM = 15, 3
"""Images that the latency is the median of, and those before."""
_UNSURE = (0.4, 0.6)
"""Between these the paper calls a probability intermediate (C 88)."""


def evaluate_classifier_command(options: EvaluateClassifier, console: Console) -> int:
    """Evaluate, and write what was asked for; the tables go to the console.

    Returns:
        0; 2 with one line on stderr when something asked for cannot be used; 130 after Ctrl-C.
    """
    return answer(
        lambda: evaluate(options),
        page,
        tables,
        (DataError, ClassifierError),
        console=console,
        html=options.report,
        figures=options.json,
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    """Weights that are evaluated."""

    weights: Path
    card: dict[str, Any]
    classifier: Classifier
    plain: Classifier
    """The same in one view."""
    folds: dict[str, Any] | None
    of_folds: str

    @classmethod
    def of(cls, weights: Path, options: EvaluateClassifier) -> _Asked:
        _, card = checked(weights, weights.with_suffix(".json"))
        views = _views(options.views)
        folds, of_folds = _folds(weights, str(card["network"]))
        classifier = Classifier.load(weights, device=options.device, views=views)
        if doubt := classifier.doubt():
            say(f"linesentry evaluate: {doubt}")
        plain = Classifier.load(weights, device=options.device, views=("identity",))
        return cls(weights, card, classifier, plain, folds, of_folds)

    @property
    def left_out(self) -> list[str]:
        return [str(name) for name in self.card.get("left_out", [])]


def evaluate(options: EvaluateClassifier) -> tuple[dict[str, Any], Exhibits]:
    """All figures, as values that JSON knows, and the pictures of the report; of several weights those of the first.

    `beside` holds the figures of the others, of the same pictures: those that none of the weights learnt from.

    Raises:
        DataError: data that cannot be used.
        ClassifierError: weights or views that cannot be used.
    """
    asked = [_Asked.of(weights, options) for weights in options.weights or (shipped_weights(NAME),)]
    with progress_on(SafeConsole(stderr=True)) as report:
        left_out = tuple(dict.fromkeys(name for one in asked for name in one.left_out))
        judged = Judged(tuple(LearntGroups.of_card(one.card) for one in asked), left_out, options.all_groups)
        examples, passed = test_examples(options.data, options.simulated, report, judged)
    (result, pictures), *others = (_evaluated(one, options, examples) for one in asked)
    return {**result, "passed_over": passed.values(), "beside": [other for other, _ in others]}, pictures


def _evaluated(
    asked: _Asked, options: EvaluateClassifier, examples: Sequence[Example]
) -> tuple[dict[str, Any], Exhibits]:
    """The figures of some weights, and the pictures of their report."""
    started = time.monotonic()
    card, classifier, plain = asked.card, asked.classifier, asked.plain
    console = SafeConsole(stderr=True)
    with progress_on(console) as report:
        learnt = sum(LearntGroups.of_card(card).holds(one.group) for one in examples)
        if learnt:
            say(f"linesentry evaluate: {learnt} of {len(examples)} pictures: the weights learnt from their groups")
        words = f"asking, {len(classifier.views)} views"
        raw = _chances(classifier, examples, lambda done: report(words, done, len(examples)))
        single = _chances(plain, examples, lambda done: report("asking, one view", done, len(examples)))
    with console.status("counting"):
        at, temperature = float(card["threshold"]), float(card["temperature"])
        pictures = exhibits(classifier, examples, calibrated(raw, temperature), at)
        result = {
            "facts": {
                "command": shlex.join(["linesentry", *sys.argv[1:]]),
                "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
                "data": [*(str(path) for path in options.data), f"{options.simulated} simulated crops"],
                "weights": str(asked.weights),
                "weights_sha256": card["sha256"],
                "network": card["network"],
                "started_from": str(card.get("started_from", "unknown")),
                "left_out": asked.left_out,
                "anecdotes": list(ANECDOTES),
                "folds": asked.of_folds,
                "groups": "all" if options.all_groups else "those that the weights did not learn from",
                "learnt_pictures": learnt,
                "test_groups_sha256": fingerprint([one for one in examples if one.test]),
                "temperature": temperature,
                "threshold": at,
                "views": list(classifier.views),
                "code_sha256": code_sha256(),
                "machine": f"{cpu_model() or os.uname().machine}, {torch.get_num_threads()} thread(s)",
                "device": classifier.facts["device"],
                "dtype": classifier.facts["dtype"],
            },
            **_figures(examples, raw, single, temperature, at, asked.left_out),
            "evidence": pictures.evidence,
            "folds": asked.folds,
            "latency_ms": {
                "images": _TIMED,
                "with_views": _latency(classifier, examples),
                "one_view": _latency(plain, examples),
            },
        }
    result["facts"]["seconds"] = round(time.monotonic() - started, 1)
    return result, pictures


def _views(asked: Sequence[str]) -> list[View]:
    """Each once and in their order; several may stand in one word, with commas between."""
    names = [part.strip() for one in asked for part in one.split(",") if part.strip()]
    if unknown := [name for name in names if name not in get_args(View)]:
        raise ClassifierError(f"unknown view {unknown[0]!r}: choose from {', '.join(get_args(View))}")
    return [view for view in get_args(View) if view in names]


def _chances(classifier: Classifier, examples: Sequence[Example], report: Callable[[int], None]) -> NDArray[np.float64]:
    """Of a crack, (n,), before the temperature."""
    parts = []
    for first in range(0, len(examples), _AT_ONCE):
        parts.append(classifier.uncalibrated([one.pixels for one in examples[first : first + _AT_ONCE]]))
        report(min(len(examples), first + _AT_ONCE))
    return np.concatenate(parts)


def _figures(
    examples: Sequence[Example],
    raw: NDArray[np.float64],
    single: NDArray[np.float64],
    temperature: float,
    at: float,
    left_out: Sequence[str],
) -> dict[str, Any]:
    """Of the raw chances with views and of those of one view."""
    every = predictions_of(examples, calibrated(raw, temperature))
    strange = np.array([one.collection in left_out for one in examples], np.bool_)
    if strange.all():
        raise DataError("every picture is of a set that was left out: give data of the others, or --simulated N, too")
    judged = every.only(~strange)
    before = replace(judged, chance=raw[~strange])
    alone = replace(judged, chance=calibrated(single, temperature)[~strange])
    photographs = np.array([not one.simulated for one in examples], np.bool_)[~strange]
    rest = judged.without(ANECDOTES)
    called, called_alone = judged.chance >= at, alone.chance >= at
    sure = is_sure(alone.chance)
    in_line = replace(judged, chance=np.where(sure, alone.chance, judged.chance))
    return {
        "all": figures(judged, at),
        "without_anecdotes": figures(rest, at) if 0 < len(rest) < len(judged) else None,
        "photographs": with_calibration(judged.only(photographs), at) if photographs.any() else None,
        "simulated": with_calibration(judged.only(~photographs), at) if not photographs.all() else None,
        "by_set": by_collection(judged, at),
        "by_source": by_source(judged, at),
        "one_view": {
            "all": figures(alone, at),
            "calibration": calibration(alone),
            "righted": int(((called == judged.crack) & (called_alone != judged.crack)).sum()),
            "wronged": int(((called != judged.crack) & (called_alone == judged.crack)).sum()),
        },
        "in_line": {
            "all": figures(in_line, at),
            "calibration": calibration(in_line),
            "all_views": float(1 - sure.mean()),
            "called_otherwise": int(((in_line.chance >= at) != called).sum()),
        },
        "calibration": {"before": calibration(before), "after": calibration(judged)},
        "reliability": {
            "before": [_bin(one) for one in reliability(before.chance, before.crack, BINS)],
            "after": [_bin(one) for one in reliability(judged.chance, judged.crack, BINS)],
        },
        "histogram": _histogram(judged),
        "unsure": float(((judged.chance > _UNSURE[0]) & (judged.chance < _UNSURE[1])).mean()),
        "counts": {"true": int(judged.crack.sum()), "called": int(called.sum()), "pictures": len(judged)},
        "draws": draws(judged, at),
        "draws_photographs": draws(judged.only(photographs), at),
        "left_out": {
            name: {"all": with_calibration(part, at), "by_source": by_source(part, at)}
            for name, part in _split(every, examples, left_out)
        },
        "pictures": [
            {"name": one.name, "source": one.source, "group": one.group, "crack": one.crack, "chance": round(chance, 5)}
            for one, chance in zip(examples, every.chance.tolist(), strict=True)
        ],
    }


def _split(judged: Predictions, examples: Sequence[Example], names: Sequence[str]) -> list[tuple[str, Predictions]]:
    sets = np.array([one.collection for one in examples], np.str_)
    return [(name, judged.only(sets == name)) for name in names if (sets == name).any()]


def _bin(one: Any) -> dict[str, float]:  # noqa: ANN401 - a Reliability
    return {"low": one.low, "high": one.high, "count": one.count, "said": one.said, "true": one.true}


def _histogram(judged: Predictions) -> dict[str, list[int]]:
    """Pictures of each class by the chance that was said, in 20 bins."""
    return {
        name: np.histogram(judged.chance[judged.crack == truth], bins=20, range=(0, 1))[0].tolist()
        for name, truth in (("crack", True), ("without_crack", False))
    }


def _folds(weights: Path, network: str) -> tuple[dict[str, Any] | None, str]:
    """What a cross-validation of that network left beside the weights, and what there is to say of it."""
    path = weights.with_name(FOLDS)
    if not path.is_file():
        return None, "none beside the weights"
    try:
        found = json.loads(path.read_text())
        if found["network"] != network:
            return None, f"{path} is of {found['network']}, and the weights are a {network}: not shown"
        made, of = _made(found)
        folds = {
            "network": network,
            "of": of,
            "started_from": found.get("started from"),
            "minutes": found.get("minutes"),
            "folds": found["folds"],
            "table": fold_table(found["folds"]),
        }
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is not what --folds writes ({error}): take it away, or train again") from error
    return folds, str(path) if made == of else f"{path}, unfinished: {made} of {of} folds"


def _made(found: dict[str, Any]) -> tuple[int, int]:
    """The number of folds that a cross-validation has measured, and of how many.

    Raises:
        ValueError: it has none, or more than all of them.
    """
    made, of = len(found["folds"]), int(found["of"])
    if not 0 < made <= of:
        raise ValueError(f"{made} of {of} folds")
    return made, of


def _latency(classifier: Classifier, examples: Sequence[Example]) -> float:
    """Median ms from one crop to its answer with its map, all views of it."""
    crops = [examples[index % len(examples)].pixels for index in range(_WARM + _TIMED)]
    times = []
    for crop in crops:
        began = time.perf_counter()
        classifier.uncalibrated([crop])
        times.append(1000 * (time.perf_counter() - began))
    return round(statistics.median(times[_WARM:]), 2)
