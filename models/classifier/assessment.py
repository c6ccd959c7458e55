"""How good a classifier is: table 1's figures, in all and by source, with intervals by group (C 34-82).

Pure: takes probabilities and truth, and counts.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.classifier.calibration import binned, calibration_errors, expected_calibration_error
from models.classifier.networks import CLASSES, CRACK
from models.measure.assessment import RESAMPLES, Interval, Share, middle, middles, resampled

RECALL, PRECISION = 0.98, 0.90
"""That a threshold is to reach."""
DRAWS, EACH = 100, 40
"""Random test sets of so many pictures of each class, as the paper has one (C 35)."""
BINS = 10
_HALF = 0.5
_NEVER = 1.0
"""Precision of none called, recall of none there."""


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """Pictures and what was said of them."""

    chance: NDArray[np.float64]
    """(n,) of a crack."""
    crack: NDArray[np.bool_]
    """(n,) the truth."""
    groups: tuple[str, ...]
    sources: tuple[str, ...]
    """Set and class: `mt/MT_Free`."""

    def __len__(self) -> int:
        return len(self.groups)

    def only(self, kept: NDArray[np.bool_] | NDArray[np.intp]) -> Predictions:
        """Those of a mask, or of indices."""
        places = np.arange(len(self))[kept].tolist()
        return Predictions(
            self.chance[places],
            self.crack[places],
            tuple(self.groups[place] for place in places),
            tuple(self.sources[place] for place in places),
        )

    def without(self, sources: Collection[str]) -> Predictions:
        """Those of all other sources."""
        return self.only(np.array([source not in sources for source in self.sources], np.bool_))


def threshold_of(judged: Predictions, weights: NDArray[np.float64] | None = None) -> float:
    """The threshold in the midst of those that reach RECALL and PRECISION, or of those that come nearest.

    In the midst by log-odds: at either end other pictures, less known, would miss one of the two half of the time.

    Nearest by the share of what is asked for that is reached, the lesser of the two: where a few cracks cannot be told
    from their surroundings, recall alone would have nearly everything called a crack.

    Args:
        judged: pictures of both classes.
        weights: (n,) more than 0, what each picture counts; None: all the same.

    Raises:
        ValueError: not both classes are there.
    """
    if judged.crack.all() or not judged.crack.any():
        raise ValueError(f"a threshold needs pictures with and without a crack; found {len(judged)} of one class")
    weights = np.ones(len(judged)) if weights is None else weights
    # Between any two neighbouring values, on the scale on which a step means the same everywhere: that of log-odds.
    values = np.unique(np.clip(judged.chance, 1e-6, 1 - 1e-6))
    odds = np.log(values / (1 - values))
    between = np.concatenate([[odds[0] - 1], (odds[1:] + odds[:-1]) / 2, [odds[-1] + 1]])
    cuts = 1 / (1 + np.exp(-between))
    falling = np.argsort(-judged.chance, kind="stable")
    count = np.searchsorted(-judged.chance[falling], -cuts, side="right")  # that are called cracks
    called, true = (
        np.concatenate([[0.0], np.cumsum(counted[falling])])[count] for counted in (weights, weights * judged.crack)
    )
    recall = true / weights[judged.crack].sum()
    precision = true / np.maximum(called, weights.min())
    reached = np.minimum(1.0, np.minimum(recall / RECALL, precision / PRECISION))
    best = np.flatnonzero(reached == reached.max())
    midst = (between[best[0]] + between[best[-1]]) / 2
    return float(cuts[best[np.argmin(np.abs(between[best] - midst))]])


def figures(judged: Predictions, at: float, *, resamples: int = RESAMPLES) -> dict[str, Any]:
    """Table 1's figures at a threshold, as values that JSON knows, with 95 % intervals by resampling groups.

    `likelier` is the accuracy where the likelier class is said, as the paper has it: a threshold that is chosen for
    recall costs accuracy. `recall_at_precision` needs no threshold: the most recall of all that reach PRECISION.

    Args:
        judged: at least one picture.
        at: calibrated probability from which a picture is called a crack.
        resamples: how often the groups are drawn.
    """
    called, likelier = judged.chance >= at, judged.chance >= _HALF
    outcome = np.stack(
        [
            called & judged.crack,
            called & ~judged.crack,
            ~called & ~judged.crack,
            ~called & judged.crack,
            likelier == judged.crack,
        ],
        1,
    )
    at_each = judged.chance[:, None] >= np.unique(judged.chance[judged.crack])  # where recall changes
    crack = judged.crack[:, None]
    outcome = np.concatenate([outcome, at_each & crack, at_each & ~crack], 1).astype(np.float64)
    total = outcome.sum(0)
    drawn = resampled(judged.groups, outcome, resamples)
    intervals = {} if drawn is None else {name: list(one) for name, one in middles(_rates(drawn)).items()}
    named = {name: float(np.nan_to_num(values[0], nan=_NEVER)) for name, values in _rates(total[None]).items()}
    true, false, right, missed = (int(value) for value in total[:4])
    cracks, others = true + missed, false + right
    classes = {
        CLASSES[CRACK]: _class(named["precision"], named["recall"], cracks),
        CLASSES[1 - CRACK]: _class(
            right / (right + missed) if right + missed else _NEVER, named["specificity"], others
        ),
    }
    return {
        "pictures": len(judged),
        "groups": len(set(judged.groups)),
        "cracks": cracks,
        "true": true,
        "false": false,
        "right": right,
        "missed": missed,
        **named,
        "exact": _bounds(Share(true + right, len(judged))),
        "intervals": {name: one for name, one in intervals.items() if _said(name, cracks, others)},
        "classes": classes,
        "macro": _mean(classes, weighted=False),
        "weighted": _mean(classes, weighted=True),
    }


def _rates(counted: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Of counts (n, 5 + 2 k), NaN for a share of nothing.

    The counts are true, false, right and missed ones, those whose likelier class is right, and, at each of k
    thresholds, true ones, then false ones.
    """
    true, false, right, missed, likelier = counted.T[:5]
    pictures = true + false + right + missed
    found, mistaken = np.hsplit(counted[:, 5:], 2)  # at each threshold
    with np.errstate(invalid="ignore"):
        precise = found / (found + mistaken) >= PRECISION
        most = np.where(precise, found, 0).max(1, initial=0)
        return {
            "accuracy": (true + right) / pictures,
            "likelier": likelier / pictures,
            "precision": true / (true + false),
            "recall": true / (true + missed),
            "f1": 2 * true / (2 * true + false + missed),
            "specificity": right / (right + false),
            "recall_at_precision": most / (true + missed),
        }


def _said(name: str, cracks: int, others: int) -> bool:
    """Whether pictures of these classes say anything of a figure."""
    needs = {"accuracy": (0, 0), "likelier": (0, 0), "recall": (1, 0), "specificity": (0, 1)}.get(name, (1, 1))
    return cracks >= needs[0] and others >= needs[1]


def _class(precision: float, recall: float, count: int) -> dict[str, float]:
    total = precision + recall
    return {
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / total if total else 0.0,
        "pictures": count,
    }


def _mean(classes: dict[str, dict[str, float]], *, weighted: bool) -> dict[str, float]:
    weights = [one["pictures"] if weighted else 1 for one in classes.values()]
    return {
        name: float(np.average([one[name] for one in classes.values()], weights=weights))
        for name in ("precision", "recall", "f1")
    }


def _bounds(share: Share) -> list[float]:
    return [share.lower, share.upper]


def by_source(judged: Predictions, at: float) -> dict[str, dict[str, Any]]:
    """Of each source, which is of one class: how many, and the share that was called right; the worst first."""
    found = {}
    for source in sorted(set(judged.sources)):
        part = judged.only(np.array([one == source for one in judged.sources]))
        named = figures(part, at)
        interval: Interval | None = named["intervals"].get("accuracy")
        found[source] = {
            "pictures": len(part),
            "groups": named["groups"],
            "cracks": named["cracks"],
            "called": named["true"] + named["false"],
            "right": named["accuracy"],
            "exact": named["exact"],
            "interval": interval,
            "mean": float(part.chance.mean()),
        }
    return dict(sorted(found.items(), key=lambda item: float(item[1]["right"])))


def by_collection(judged: Predictions, at: float) -> dict[str, dict[str, Any]]:
    """The figures of each set, and its calibration; the worst first."""
    sets = np.array([source.split("/", 1)[0] for source in judged.sources])
    found = {str(name): with_calibration(judged.only(sets == name), at) for name in np.unique(sets)}
    return dict(sorted(found.items(), key=lambda item: float(item[1]["accuracy"])))


def with_calibration(judged: Predictions, at: float) -> dict[str, Any]:
    """The figures at a threshold, and the calibration beside them."""
    return {**figures(judged, at), "calibration": calibration(judged)}


def calibration(judged: Predictions, *, resamples: int = RESAMPLES) -> dict[str, Any]:
    """Weighted and unweighted calibration error, with intervals by group."""
    sums = binned(judged.chance, judged.crack, BINS)
    drawn = resampled(judged.groups, sums, resamples)
    found: dict[str, Any] = {}
    for name, weighted in (("weighted", True), ("unweighted", False)):
        found[name] = float(calibration_errors(sums.sum(0)[None], weighted=weighted)[0])
        interval = None if drawn is None else list(middle(calibration_errors(drawn, weighted=weighted)))
        found[f"{name}_interval"] = interval
    return found


def draws(
    judged: Predictions, at: float, *, count: int = DRAWS, each: int = EACH, seed: int = 0
) -> dict[str, Any] | None:
    """Mean and spread of the figures over random test sets of `each` pictures a class, without replacement (C 35).

    None where there are too few pictures of a class.
    """
    places = [np.flatnonzero(judged.crack == truth) for truth in (True, False)]
    if min(len(one) for one in places) < each:
        return None
    rng = np.random.default_rng(seed)
    found: dict[str, list[float]] = {}
    for _ in range(count):
        part = judged.only(np.concatenate([rng.choice(one, each, replace=False) for one in places]))
        named = figures(part, at, resamples=0)
        for name in ("accuracy", "likelier", "precision", "recall", "f1"):
            found.setdefault(name, []).append(named[name])
        for name, weighted in (("ece", True), ("ece_unweighted", False)):
            error = expected_calibration_error(part.chance, part.crack, BINS, weighted=weighted)
            found.setdefault(name, []).append(error)
    return {
        "draws": count,
        "each": each,
        **{name: {"mean": float(np.mean(one)), "sd": float(np.std(one, ddof=1))} for name, one in found.items()},
    }


def fold_table(folds: Sequence[dict[str, float]]) -> dict[str, dict[str, float | None]]:
    """Mean and spread of the figures of at least one fold; one alone has no spread (None)."""
    return {
        name: {
            "mean": float(np.mean([one[name] for one in folds])),
            "sd": float(np.std([one[name] for one in folds], ddof=1)) if len(folds) > 1 else None,
        }
        for name in ("accuracy", "likelier", "likelier_without_anecdotes", "precision", "recall", "f1", "ece")
    }
