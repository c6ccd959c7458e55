"""The classifier: crops in, the chance of a crack and where it was seen out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeGuard

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from config.weights import SHIPPED
from models.classifier import card as cards
from models.classifier.errors import ClassifierError
from models.classifier.gradcam import evidence, scaled
from models.classifier.network import CRACK, Network
from models.classifier.preprocess import INPUT, prepared
from models.classifier.temperature import calibrated
from models.classifier.views import DEFAULT_VIEWS, View, averaged, undone, viewed
from models.detector.known_window import known_window
from models.machine.allocator import keep_freed
from models.machine.cpu import bfloat16_is_fast

__all__ = ["GRID", "Classified", "Classifier", "ClassifierError", "is_sure", "known_values"]
GRID = 7
"""Rows and columns of a map of evidence."""
_AT_ONCE = {"cpu": 1, "cuda": 32}
"""Crops that go through the network together, at most. With its views one keeps a processor busy: more are no faster,
outgrow its caches, take 30 MB each, and would let an answer's last bit depend on its neighbours.
"""
_SURE = 0.001
"""Where the first view's chance of a crack, or of none, is less, the other views are not asked: far from all that a
recipe compares a chance with.
"""


class Classified(NamedTuple):
    """The answer for one crop."""

    probability: float
    """Calibrated chance of a crack, 0..1."""
    heat: bytes
    """GRID x GRID Grad-CAM map of the crack class, uint8, row by row; 255 at the strongest place of each crop."""


class Classifier:
    """One set of weights on one device. Not for several threads at once."""

    def __init__(
        self,
        network: Network,
        card: dict[str, Any],
        device: torch.device,
        dtype: torch.dtype,
        views: Sequence[View],
    ) -> None:
        self.device = device
        self.dtype = dtype
        self.views = tuple(views)
        self.temperature = float(card["temperature"])
        self.facts: dict[str, Any] = {
            "weights_sha256": card["sha256"],
            "model_card": card["path"],
            "network": card["network"],
            "dtype": str(dtype).removeprefix("torch."),
            "device": str(device) if device.type == "cpu" else torch.cuda.get_device_name(device),
            "parameters": sum(parameter.numel() for parameter in network.parameters()),
            "views": list(views),
            "temperature": self.temperature,
            "threshold": float(card["threshold"]),
        }
        self._known: object = card.get("known_answer")
        fitted = card.get("views")
        self._fitted = tuple(map(str, fitted)) if isinstance(fitted, list) else self.views
        self._network = network.folded(dtype).to(device)

    @classmethod
    def load(
        cls,
        weights: Path | None = None,
        *,
        device: Literal["auto", "cpu", "cuda"] = "auto",
        dtype: Literal["auto", "float32", "bfloat16"] = "auto",
        views: Sequence[View] = DEFAULT_VIEWS,
        prove: bool = True,
    ) -> Classifier:
        """The classifier of a weights file, whose card lies beside it, and which has given its known answer.

        Args:
            weights: those that ship where none are named.
            device: `auto` takes a GPU where there is one.
            dtype: `auto` takes bfloat16 on a GPU and on processors that multiply it themselves, else float32.
            views: of the test-time augmentation.
            prove: False only for weights whose known answer is still to be recorded.

        Raises:
            ClassifierError: weights that are missing, do not fit, differ from their card, or do not give their known
                answer; no or unknown views; or a GPU asked for where there is none.
        """
        keep_freed()
        unknown = [view for view in views if view not in DEFAULT_VIEWS]
        if unknown or not views:
            raise ClassifierError(f"views are some of {', '.join(DEFAULT_VIEWS)}; found {list(views)}")
        if device == "cuda" and not torch.cuda.is_available():
            raise ClassifierError("the configuration asks for cuda, but torch sees no GPU: use `auto` or `cpu`")
        network, card = cards.read(SHIPPED / cards.NAME if weights is None else weights)
        chosen = torch.device("cuda" if device != "cpu" and torch.cuda.is_available() else "cpu")
        if dtype == "auto":
            dtype = "bfloat16" if chosen.type == "cuda" or bfloat16_is_fast() else "float32"
        classifier = cls(network, card, chosen, getattr(torch, dtype), views)
        if prove:
            classifier.known_answer()
        return classifier

    def classify(self, crops: Sequence[NDArray[np.uint8]]) -> list[Classified]:
        """The answers, in the order of the crops: of the first view where it is sure, else of all views.

        Args:
            crops: each (h, w) or (h, w, 3) uint8, any size; 224 x 224 at native scale from a plate (crops.crop_at).

        Raises:
            ValueError: a crop without pixels, or of another type.
        """
        answers: list[Classified] = []
        for batch in self._batches(crops):
            chances, heats = self._answered(batch)
            answers += [Classified(float(p), heat.tobytes()) for p, heat in zip(chances, heats, strict=True)]
        return answers

    def uncalibrated(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64]:
        """Mean probabilities (n,) of a crack over the views, before the temperature: what calibration is fitted to."""
        said = (self._said(self._maps(batch, self.views), self.views) for batch in self._batches(crops))
        return np.concatenate([np.zeros(0), *(raw for raw, _ in said)])

    def known_answer(self) -> None:
        """Compute two built-in crops and compare with what was recorded when the weights were made.

        In float32 with what was recorded in it. Bfloat16 differs more from machine to machine, a GPU's above all: there
        the answer may lie between the formats, which differ more on the known crops than on metal.

        Raises:
            ClassifierError: an answer differs by more than the number format explains, or the network sees nothing in
                the crops.
        """
        found = known_values(self)
        by_format = self._known if isinstance(self._known, dict) else {}
        exact = "float32" if self.dtype == torch.float32 else None
        records = [record for name, record in by_format.items() if exact in {None, name}]
        if not records or not all(isinstance(one, dict) and one.keys() == found.keys() for one in records):
            raise ClassifierError(f"{self.facts['model_card']} records no known answer: train the weights again")
        if not all(_number(one["map_spread"]) and one["map_spread"] > 0 for one in records):
            raise ClassifierError(
                f"{self.facts['model_card']} records a known answer of a network that sees nothing: the training has "
                "come to nothing, train the weights again"
            )
        wrong = [
            f"{name}: {value:.3f} instead of {' or '.join(str(one[name]) for one in records)}"
            for name, value in found.items()
            if not _explained(name, value, [one[name] for one in records])
        ]
        if wrong:
            raise ClassifierError(f"the known crops give wrong values ({'; '.join(wrong)}): restart, check memory")

    def doubt(self) -> str | None:
        """What there is to say where the temperature was fitted for other views than those asked; None where not."""
        if set(self._fitted) == set(self.views):
            return None
        return (
            f"the temperature was fitted for the views {', '.join(self._fitted)}, and these are "
            f"{', '.join(self.views)}: probabilities may be too sure or too unsure"
        )

    def _batches(self, crops: Sequence[NDArray[np.uint8]]) -> Iterator[Tensor]:
        """The crops prepared, as many at once as go through the network together."""
        at_once = _AT_ONCE[self.device.type]
        for first in range(0, len(crops), at_once):
            yield prepared(crops[first : first + at_once]).to(self.device)

    def _answered(self, batch: Tensor) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
        """Calibrated chances (n,) and maps (n, GRID, GRID) of prepared crops."""
        first, others = self.views[:1], self.views[1:]
        maps = self._maps(batch, first)
        raw, heats = self._said(maps, first)
        chances = calibrated(raw, self.temperature)
        unsure = np.flatnonzero(~is_sure(chances))
        if others and len(unsure):
            more = self._maps(batch[unsure], others)
            both = torch.cat((maps[unsure, None], more.reshape(len(unsure), len(others), *more.shape[1:])), 1)
            raw, heats[unsure] = self._said(both.flatten(0, 1), self.views)
            chances[unsure] = calibrated(raw, self.temperature)
        return chances, heats

    def _said(self, maps: Tensor, views: Sequence[View]) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
        """Mean probabilities (n,) and maps of evidence (n, GRID, GRID), of last maps (n * v, c, h, w)."""
        count = len(views)
        logits, found = evidence(self._network, maps)
        heats = scaled(undone(found.reshape(-1, count, *found.shape[1:]), views))
        packed = (heats * 255).round().to(torch.uint8).cpu().numpy()
        return averaged(logits, count).cpu().numpy(), np.array(packed, np.uint8)

    def _maps(self, batch: Tensor, views: Sequence[View] = ("identity",)) -> Tensor:
        """Last convolutional maps (n * v, c, h, w) of prepared crops in these views, in float32."""
        with torch.no_grad():
            shaped = viewed(batch, views).to(self.dtype).contiguous(memory_format=torch.channels_last)
            return self._network.features(shaped).float()


def is_sure(chances: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Of each calibrated chance of the first view, whether no other view is asked."""
    return (chances < _SURE) | (chances > 1 - _SURE)


def known_values(classifier: Classifier) -> dict[str, float]:
    """What the classifier says of built-in crops, in one view: to be recorded with the weights, and compared later.

    The log-odds of a crack for two crops, and mean and spread of their last maps, in which damage shows even where it
    does not reach the answer.
    """
    crack = known_window(INPUT)
    maps = classifier._maps(prepared([crack, crack.T // 2 + 60]).to(classifier.device))  # noqa: SLF001 - the same module
    with torch.no_grad():
        logits = classifier._network.head(maps)  # noqa: SLF001 - the same module
    first, second = (logits[:, CRACK] - logits[:, 1 - CRACK]).tolist()
    return {
        "log_odds": first,
        "log_odds_darker": second,
        "map_mean": float(maps.mean()),
        "map_spread": float(maps.std()),
    }


def _number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and math.isfinite(value)


def _explained(name: str, value: float, recorded: Sequence[object]) -> bool:
    """Whether a known value lies between the recorded ones, give or take what bfloat16's eight bits a map explain."""
    numbers = [float(one) for one in recorded if _number(one)]
    if len(numbers) < len(recorded):
        return False
    allowed = [max(0.3, 0.1 * abs(one)) if name.startswith("log_odds") else 0.05 * abs(one) for one in numbers]
    low = min(one - much for one, much in zip(numbers, allowed, strict=True))
    high = max(one + much for one, much in zip(numbers, allowed, strict=True))
    return low <= value <= high
