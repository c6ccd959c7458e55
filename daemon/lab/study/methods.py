"""The ways to find cracks on a whole sheet that the study compares, behind one interface.

A method does its costly part once a sheet; a level then turns it into boxes. Where a method has several levels the
best one by F1 is chosen on sheets of the training products, never on those that it is measured on.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from typing import Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from config.schema import Recipe, Threshold, Windows
from config.weights import shipped_weights
from daemon.lab.study.sheets import Plate
from models.detector.card import Weights
from models.detector.detector import Detector, WindowView, without_borders
from models.detector.features import FeatureNetwork
from models.detector.findings import Quality
from models.detector.regions import Criteria, find_regions
from models.detector.threshold import LearntThreshold, threshold_levels
from models.machine.cpu import bfloat16_is_fast
from models.measure.assessment import Found, Scored
from models.measure.matching import Box, Match, match
from models.study import classical
from models.study.boxes import nms
from models.study.patches import joined, patch_boxes
from models.study.predict import window_boxes
from stages.defects import defects_of
from stages.detect import swaths
from stages.plate import Window, WindowResult, windows_of

Level = tuple[float, ...]
"""What a method is set to; () for the setting that it came with."""
Values = list[tuple[Window, NDArray[np.float32]]]
FLOORS = tuple(-1.0 + 0.5 * step for step in range(19))
"""Floors that are tried for networks trained here."""


class Method(Protocol):
    """A way to find cracks."""

    @property
    def levels(self) -> Sequence[Level]:
        """Settings to choose from."""

    def prepare(self, image: NDArray[np.uint8]) -> Any:  # noqa: ANN401 - each method's own
        """The costly part, once a sheet (rows, columns)."""

    def find(self, prepared: Any, level: Level) -> list[Found]:  # noqa: ANN401
        """The defects at one of the levels; px of the sheet."""


# --- networks that give a value a pixel ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rule:
    """How feature values become defects."""

    mode: Literal["adaptive", "mu_3sigma", "top_fraction", "top_fraction_foreground"] = "adaptive"
    fraction: float = 0.003
    line_like: bool = True
    """Only the adaptive mode looks at a region's shape."""
    window_stride: int = 600
    patch_stride: int | None = None
    """Judge patches of 64 x 64 px one by one, so many px apart, instead of whole windows."""


class PixelMethod:
    """A feature network with a rule; the detector's own windows, borders, regions and merger."""

    def __init__(self, detector: Detector, learnt: LearntThreshold, rule: Rule, floors: Sequence[float] = ()) -> None:
        self.detector = detector
        self.learnt = learnt
        self.rule = rule
        self._floors = tuple(floors)
        # A stride as long as the window is no setting of a recipe, but one of the study's.
        self._scale = 2 if detector.recipe.resolution == "half" else 1
        windows = Windows().model_copy(update={"stride": rule.window_stride})
        threshold = Threshold(mode=rule.mode, fraction=rule.fraction)
        self.recipe = detector.recipe.model_copy(update={"windows": windows, "threshold": threshold})

    @property
    def levels(self) -> Sequence[Level]:
        """The floors, or the learnt one."""
        return [(floor,) for floor in self._floors] or [()]

    def prepare(self, image: NDArray[np.uint8]) -> tuple[tuple[int, ...], Values]:
        """The sheet's shape, and each window's feature values, NaN along borders that a neighbour sees better."""
        windows = windows_of(image.shape[0], image.shape[1], self.recipe.windows)
        found: Values = []
        for asked, views in swaths(image, windows, self.recipe.windows):
            # The paper's patches are judged by themselves.
            alone = self.rule.patch_stride is not None
            seen = [[view._replace(swath=None)] for view in views] if alone else [views]
            found += zip(asked, (values for part in seen for values in self._values(part)), strict=True)
        return image.shape, found

    def find(self, prepared: tuple[tuple[int, ...], Values], level: Level) -> list[Found]:
        """The merged defects, or what the patches give."""
        (rows, columns), values = prepared
        learnt = replace(self.learnt, floor=level[0]) if level else self.learnt
        if self.rule.patch_stride is not None:
            # What two windows see of one crack is one defect, as what two patches of a window see of it.
            every = [found for window, part in values for found in self._patches(window, part, learnt)]
            return [Found(box, score) for box, score in joined(every)]
        results = [self._result(window, part, learnt) for window, part in values]
        return [
            Found((defect.x, defect.y, defect.width, defect.height), defect.score)
            for defect in defects_of(results, rows, columns, self.recipe)
        ]

    def _values(self, views: Sequence[WindowView]) -> list[NDArray[np.float32]]:
        found = self.detector.features_of(views)
        return [without_borders(*one, self.recipe.windows, self._scale) for one in zip(views, found, strict=True)]

    def _result(self, window: Window, values: NDArray[np.float32], learnt: LearntThreshold) -> WindowResult:
        criteria = self._criteria(values, learnt)
        regions, truncated = find_regions(values, window.width, window.height, criteria)
        return WindowResult("", 0, window.index, regions, truncated, _NO_QUALITY, criteria.seed, 0.0)

    def _patches(
        self, window: Window, values: NDArray[np.float32], learnt: LearntThreshold
    ) -> Iterator[tuple[Box, float]]:
        found = patch_boxes(values, self.rule.patch_stride or 0, self._criteria(values, learnt))
        for (x, y, width, height), score in found:
            yield (x + window.x, y + window.y, width, height), score

    def _criteria(self, values: NDArray[np.float32], learnt: LearntThreshold) -> Criteria:
        levels = threshold_levels(values, self.recipe.threshold, learnt)
        published = self.rule.mode != "adaptive"
        return Criteria(
            scale=self._scale,
            seed=levels.seed,
            grow=levels.grow,
            floor=learnt.floor + levels.rise,
            least_area=self.recipe.post.least_area,
            opening=published,
            line_like=self.rule.line_like and not published,
        )


_NO_QUALITY = Quality()


@lru_cache(maxsize=1)
def shipped() -> Detector:
    """The detector with the weights that ship."""
    return Detector.load(Recipe(name="study"), device="cpu")


def shipped_learnt() -> LearntThreshold:
    """The threshold learnt with the weights that ship."""
    card = json.loads(shipped_weights("detector-half.json").read_text())
    return LearntThreshold(**card["threshold"])


def detector_of(network: FeatureNetwork) -> Detector:
    """A detector of a network that was trained here."""
    card = {"sha256": "", "path": "", "threshold": {"floor": 0.0, "grow": 0.0, "spread": 0.0}}
    dtype = torch.bfloat16 if bfloat16_is_fast() else torch.float32
    recipe = Recipe(name="study", resolution=network.resolution)
    return Detector(recipe, Weights(network, card), torch.device("cpu"), dtype)


# --- general detectors -----------------------------------------------------------------------------------------------


class BoxMethod:
    """A general detector in the same windows; boxes of all windows are merged by suppression of repeated ones."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.levels: Sequence[Level] = tuple(
            product((0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9), (0.1, 0.3, 0.5))
        )
        """Least score, and the overlap from which the lower of two boxes goes."""

    def prepare(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Boxes of all windows in px of the sheet, and their scores."""
        boxes, scores = [], []
        for window in windows_of(image.shape[0], image.shape[1], Windows()):
            pixels = image[window.y : window.y + window.height, window.x : window.x + window.width]
            found, sure = window_boxes(self.network, pixels)
            boxes.append(found + np.array((window.x, window.y, window.x, window.y), np.float32))
            scores.append(sure)
        return np.concatenate(boxes), np.concatenate(scores)

    def find(self, prepared: tuple[NDArray[np.float32], NDArray[np.float32]], level: Level) -> list[Found]:
        """The boxes that stay."""
        boxes, scores = prepared
        least, most = level
        boxes, scores = boxes[scores >= least], scores[scores >= least]
        found = []
        for index in nms(boxes, scores, most):
            x0, y0, x1, y1 = (round(float(side)) for side in boxes[index])
            found.append(Found((x0, y0, max(1, x1 - x0), max(1, y1 - y0)), float(scores[index])))
        return found


# --- classical methods -----------------------------------------------------------------------------------------------


class ClassicalMethod:
    """One of the classical methods, on the whole sheet at once."""

    def __init__(self, name: str) -> None:
        self._method = classical.METHODS[name]
        self.levels: Sequence[Level] = tuple(product(self._method.levels, classical.LENGTHS))
        """Least value, and least length of a group, px."""

    def prepare(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.float32], dict[float, classical.Components]]:
        """The map, and room for the groups of each level."""
        return self._method.map(image), {}

    def find(
        self, prepared: tuple[NDArray[np.float32], dict[float, classical.Components]], level: Level
    ) -> list[Found]:
        """The groups that are long enough."""
        found, known = prepared
        least, length = level
        if least not in known:
            known[least] = classical.components(found, least)
        return [Found(box, score) for box, score in classical.boxes_of(known[least], length)]


# --- measuring -----------------------------------------------------------------------------------------------------


def choose(method: Method, plates: Iterable[Plate]) -> tuple[Level, Match]:
    """The level of the best F1 on these plates, the first of equals, and what it gives there."""
    if len(method.levels) == 1:
        return method.levels[0], Match()
    totals = dict.fromkeys(method.levels, Match())
    for plate in plates:
        prepared = method.prepare(plate.image)
        for level in method.levels:
            totals[level] += _match(plate, method.find(prepared, level))
    best = max(method.levels, key=lambda level: totals[level].f1)
    return best, totals[best]


def score(method: Method, level: Level, plate: Plate, interference: str = "none") -> Scored:
    """What the method finds on a plate."""
    rows, columns = plate.image.shape
    found = tuple(method.find(method.prepare(plate.image), level))
    return Scored(plate.name, plate.name, plate.truth, found, interference=interference, rows=rows, columns=columns)


def _match(plate: Plate, found: Sequence[Found]) -> Match:
    truth = [one.box for one in plate.truth if one.counts]
    ignored = [one.box for one in plate.truth if not one.counts]
    return match([one.box for one in found], truth, ignored)
