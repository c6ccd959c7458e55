"""From trained weights to those that ship: packed, with the temperature and threshold that validation asks for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from sklearn.metrics import log_loss
from torch import Tensor

from daemon.lab.data.classifier import calibration_examples
from models.classifier.assessment import Predictions, calibration, figures, threshold_of
from models.classifier.calibration import calibrated, fit_temperature
from models.classifier.classifier import Classifier
from models.training.classifier.card import write_weights
from models.training.classifier.examples import Example


@dataclass(frozen=True, slots=True)
class _Calibration:
    """What validation says of trained weights."""

    before: Predictions
    temperature: float
    after: Predictions
    """The same with the temperature."""
    loss: float
    """Cross-entropy of those."""


def _validated(folder: Path, state: dict[str, Tensor], network: str, met: Sequence[Example]) -> _Calibration:
    """What validation says of these weights as they would ship."""
    raw = write_weights(folder, state, network, {})
    before = predictions_of(met, Classifier.load(raw, device="cpu").uncalibrated([one.pixels for one in met]))
    temperature = fit_temperature(before.chance, before.crack)
    after = replace(before, chance=calibrated(before.chance, temperature))
    return _Calibration(before, temperature, after, loss=float(log_loss(after.crack, after.chance)))


def write_calibrated(
    folder: Path,
    states: Mapping[str, dict[str, Tensor]],
    network: str,
    validation: Sequence[Example],
    facts: dict[str, Any],
) -> tuple[Path, float, float]:
    """Write weights and card with the temperature and threshold that the packed weights ask for; both or neither.

    Of several weights those whose answers validation finds likeliest.

    Returns:
        The weights' path, their temperature and threshold.
    """
    folder.mkdir(parents=True, exist_ok=True)
    met = calibration_examples(validation)
    with TemporaryDirectory(prefix=".calibrated-", dir=folder) as aside:
        asked = {name: _validated(Path(aside), state, network, met) for name, state in states.items()}
        name, best = min(asked.items(), key=lambda one: one[1].loss)
        threshold = threshold_of(best.after, _even([one.simulated for one in met]))
        measured = figures(best.after, threshold)
        by_validation = {
            "pictures": len(met),
            "loss": {state: round(one.loss, 5) for state, one in asked.items()},
            **{name: measured[name] for name in ("accuracy", "likelier", "precision", "recall", "f1", "intervals")},
            "ece_before": calibration(best.before, resamples=0)["weighted"],
            "ece_after": calibration(best.after, resamples=0)["weighted"],
        }
        facts = {**facts, "weights": name, "validation": by_validation}
        made = write_weights(
            Path(aside), states[name], network, facts, temperature=best.temperature, threshold=threshold
        )
        for path in (made, made.with_suffix(".json")):
            path.replace(folder / path.name)
    return folder / made.name, best.temperature, threshold


def _even(simulated: Sequence[bool]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Weights (n,) by which photographs and crops of sheets count the same in all, whatever their numbers."""
    kinds = Counter(simulated)
    return np.array([1 / kinds[one] for one in simulated])


def predictions_of(examples: Sequence[Example], chance: np.ndarray[Any, np.dtype[np.float64]]) -> Predictions:
    """Examples and the chances (n,) that were said of them."""
    return Predictions(
        chance,
        np.array([one.crack for one in examples], np.bool_),
        tuple(one.group for one in examples),
        tuple(one.source for one in examples),
    )
