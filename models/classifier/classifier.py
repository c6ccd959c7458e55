"""The classifier: crops in, the chance of a crack and where it was seen out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.classifier import card as cards
from models.classifier.calibration import calibrated
from models.classifier.errors import ClassifierError
from models.classifier.gradcam import evidence, scaled
from models.classifier.network import Network
from models.classifier.preprocess import INPUT, prepared
from models.classifier.views import DEFAULT_VIEWS, View, averaged, undone, viewed
from models.detector import WEIGHTS, bfloat16_is_fast, known_window

__all__ = ["GRID", "Classified", "Classifier", "ClassifierError", "known_values"]
GRID = 7
"""Rows and columns of a map of evidence."""
_AT_ONCE = 16
"""Crops computed together at most: with five views they take 50 MB."""


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
        self._known = card.get("known_answer")
        self._network = network.folded(dtype).to(device)

    @classmethod
    def load(
        cls,
        weights: Path | None = None,
        *,
        device: Literal["auto", "cpu", "cuda"] = "auto",
        dtype: Literal["auto", "float32", "bfloat16"] = "auto",
        views: Sequence[View] = DEFAULT_VIEWS,
    ) -> Classifier:
        """The classifier of a weights file, whose card lies beside it.

        Args:
            weights: those that ship where none are named.
            device: `auto` takes a GPU where there is one.
            dtype: `auto` takes bfloat16 on a GPU and on processors that multiply it themselves, else float32.
            views: of the test-time augmentation.

        Raises:
            ClassifierError: weights that are missing, do not fit, or differ from their card; no or unknown views; or a
                GPU asked for where there is none.
        """
        unknown = [view for view in views if view not in DEFAULT_VIEWS]
        if unknown or not views:
            raise ClassifierError(f"views are some of {', '.join(DEFAULT_VIEWS)}; found {list(views)}")
        if device == "cuda" and not torch.cuda.is_available():
            raise ClassifierError("the configuration asks for cuda, but torch sees no GPU: use `auto` or `cpu`")
        network, card = cards.read(WEIGHTS / cards.NAME if weights is None else weights)
        chosen = torch.device("cuda" if device != "cpu" and torch.cuda.is_available() else "cpu")
        if dtype == "auto":
            dtype = "bfloat16" if chosen.type == "cuda" or bfloat16_is_fast() else "float32"
        return cls(network, card, chosen, getattr(torch, dtype), views)

    def classify(self, crops: Sequence[NDArray[np.uint8]]) -> list[Classified]:
        """The answers, in the order of the crops; all views of all crops go through the network together.

        Args:
            crops: each (h, w) or (h, w, 3) uint8, any size; 224 x 224 at native scale from a plate (crops.crop_at).

        Raises:
            ValueError: a crop without pixels, or of another type.
        """
        answers: list[Classified] = []
        for first in range(0, len(crops), _AT_ONCE):
            raw, heats = self._compute(prepared(crops[first : first + _AT_ONCE]))
            chances = calibrated(raw, self.temperature)
            answers += [Classified(float(p), heat.tobytes()) for p, heat in zip(chances, heats, strict=True)]
        return answers

    def uncalibrated(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64]:
        """Mean probabilities (n,) of a crack over the views, before the temperature: what calibration is fitted to."""
        parts = [
            self._compute(prepared(crops[first : first + _AT_ONCE]))[0] for first in range(0, len(crops), _AT_ONCE)
        ]
        return np.concatenate(parts) if parts else np.zeros(0)

    def known_answer(self) -> None:
        """Compute two built-in crops and compare with what was recorded when the weights were made.

        Raises:
            ClassifierError: an answer differs by more than the number format explains.
        """
        if self._known is None:
            raise ClassifierError(f"{self.facts['model_card']} records no known answer: train the weights again")
        found = known_values(self)
        wrong = [
            f"{name}: {found.get(name, math.nan):.4f} instead of {value:.4f}"
            for name, value in self._known.items()
            if not abs(found.get(name, math.nan) - value) <= max(0.02, 0.05 * abs(value))
        ]
        if wrong:
            raise ClassifierError(f"the known crops give wrong values ({'; '.join(wrong)}): restart, check memory")

    def _compute(self, batch: Tensor) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
        """Mean probabilities (n,) and maps (n, GRID, GRID) of prepared crops."""
        count = len(self.views)
        maps = self._maps(viewed(batch.to(self.device), self.views))
        logits, found = evidence(self._network, maps)
        heats = scaled(undone(found.reshape(-1, count, *found.shape[1:]), self.views))
        packed = (heats * 255).round().to(torch.uint8).cpu().numpy()
        return averaged(logits, count).cpu().numpy(), np.asarray(packed, np.uint8)

    def _maps(self, batch: Tensor) -> Tensor:
        """Last convolutional maps, in float32."""
        with torch.no_grad():
            shaped = batch.to(self.dtype).contiguous(memory_format=torch.channels_last)
            return self._network.features(shaped).float()


def known_values(classifier: Classifier) -> dict[str, float]:
    """What the classifier says of built-in crops, in one view: to be recorded with the weights, and compared later."""
    crack = known_window(INPUT)
    maps = classifier._maps(prepared([crack, crack.T // 2 + 60]).to(classifier.device))  # noqa: SLF001 - the same module
    with torch.no_grad():
        chances = torch.softmax(classifier._network.head(maps), 1)[:, 1].tolist()  # noqa: SLF001 - the same module
    return {"crack": chances[0], "darker": chances[1], "map": float(maps.mean()), "spread": float(maps.std())}
