"""What trained weights do on crops: the threshold that defect-free ones allow, and the figures for the card."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from config.schema import Recipe
from models.detector.card import Weights
from models.detector.detector import Detector, WindowView
from models.detector.features import FEATURE, Architecture
from models.detector.findings import Region
from models.detector.regions import Criteria, find_regions
from models.detector.swaths import Swath, shape_of
from models.detector.threshold import LearntThreshold, threshold_levels
from models.machine.cpu import bfloat16_is_fast
from models.measure.matching import Box, Match, match
from models.training.detector.card import PLAIN
from models.training.detector.crops import LabelledCrop

GROW, SPREAD = 3.5, 0.2
_LEAST_AREA = 60
"""Px of a crack that must lie in a crop for it to be asked for; a smaller rest was cut off by the crop's border."""


@dataclass(frozen=True, slots=True)
class Clean:
    """Groups of crops without any crack, and in what share of them a region may remain."""

    name: str
    groups: Iterable[Iterable[LabelledCrop]]
    """Of one sheet each, or single crops."""
    most: float


def learn_threshold(
    state: Mapping[str, Tensor],
    clean: Iterable[Clean],
    *,
    least: float = 0.0,
    grow: float = GROW,
    spread: float = SPREAD,
    recipe: Recipe = PLAIN,
    architecture: Architecture = FEATURE,
) -> tuple[LearntThreshold, dict[str, dict[str, float]]]:
    """The least floor at which each kind of defect-free crops raises a false alarm in as few groups as it may.

    Args:
        state: of a trained network.
        clean: kinds of crops. One with a crack is passed over.
        least: no lower floor is learnt, however clean the crops.
        grow: how far below the floor the pixels of a region may lie.
        spread: by how much the floor rises with a window's background (models.detector.threshold).
        recipe: whose resolution, templates and pitch the network was trained with.
        architecture: of the network.

    Returns:
        The threshold, and the share of groups with a region by kind and floor, for the card.
    """
    floors = [least + 0.25 * step for step in range(29)]
    detector = _detector(state, recipe, architecture)
    chosen, rates = floors[0], {}
    for kind in clean:
        by_floor = _shares(detector, kind.groups, [LearntThreshold(floor, grow, spread) for floor in floors])
        rates[kind.name] = {f"{floor:.2f}": round(share, 4) for floor, share in zip(floors, by_floor, strict=True)}
        allowed = (floor for floor, share in zip(floors, by_floor, strict=True) if share <= kind.most)
        chosen = max(chosen, next(allowed, floors[-1]))
    return LearntThreshold(chosen, grow, spread), rates


def _shares(
    detector: Detector, groups: Iterable[Iterable[LabelledCrop]], thresholds: Sequence[LearntThreshold]
) -> list[float]:
    """The share of groups with a region on crops without cracks, for each of the thresholds, whose floors rise."""
    alarms = np.zeros(len(thresholds))
    count = 0
    for group in groups:
        alarms += _alarms(detector, group, thresholds)
        count += 1
    return [float(share) for share in alarms / max(1, count)]


def _alarms(
    detector: Detector, crops: Iterable[LabelledCrop], thresholds: Sequence[LearntThreshold]
) -> NDArray[np.bool_]:
    """For which of the thresholds a region remains on crops without cracks."""
    found = np.zeros(len(thresholds), np.bool_)
    for image, mask, _ in crops:
        if mask.any():
            continue
        view = _view(image)
        values = detector.features(view)
        for index, threshold in enumerate(thresholds):
            if values.max() < threshold.floor - 2:
                break
            found[index] = found[index] or bool(_regions(detector, values, view.pixels.shape, threshold))
    return found


def evaluate(
    state: Mapping[str, Tensor],
    threshold: LearntThreshold,
    crops: Iterable[LabelledCrop],
    recipe: Recipe = PLAIN,
    architecture: Architecture = FEATURE,
) -> dict[str, float]:
    """Recall and precision on crops that were not trained on, in the middle 650 px of each, for the card.

    A crack is what is connected in a crop's mask; those that overlap count as one. Cracks and stretches that are not
    judged count neither way.
    """
    detector = _detector(state, recipe, architecture)
    total = Match()
    count = 0
    for image, mask, ignored in crops:
        view = _view(image)
        found = _regions(detector, detector.features(view), view.pixels.shape, threshold)
        cracks, not_judged = _middle(mask, view), _middle(ignored, view)
        # What is not judged joins the stretches of one crack, and a ring of it lies around each.
        truth = [(box, seen) for box, seen in _components(cracks | not_judged, cracks)]
        total += match(
            [(region.x, region.y, region.width, region.height) for region in found],
            [box for box, seen in truth if seen >= _LEAST_AREA],
            [box for box, seen in truth if seen < _LEAST_AREA],
        )
        count += 1
    return {
        "crops": count,
        "cracks": total.true + total.missed,
        "recall": round(total.recall, 4),
        "precision": round(total.precision, 4),
        "false": total.false,
    }


def _detector(state: Mapping[str, Tensor], recipe: Recipe, architecture: Architecture) -> Detector:
    network = architecture.make(recipe)
    network.load_state_dict(dict(state))
    card = {"sha256": "", "path": "", "threshold": dataclasses.asdict(LearntThreshold(0, 0, 0))}
    dtype = torch.bfloat16 if bfloat16_is_fast() else torch.float32
    return Detector(recipe, Weights(network, card), torch.device("cpu"), dtype)


def _view(image: NDArray[np.uint8]) -> WindowView:
    """A crop as a window; of one larger than that the middle, seen with the rest around it."""
    size = PLAIN.windows.size
    height, width = (min(size, length) for length in image.shape)
    top, left = (max(0, length - size) // 4 * 2 for length in image.shape)
    inner = image[top : top + height, left : left + width]
    swath = Swath(image, 0, 0, (left, top, left + width, top + height), shape_of(image, size))
    return WindowView(inner, left, top, (0, 0, width, height), swath)


def _middle(part: NDArray[np.bool_], view: WindowView) -> NDArray[np.bool_]:
    """What of a crop's labels lies in its window."""
    height, width = view.pixels.shape
    return np.ascontiguousarray(part[view.y : view.y + height, view.x : view.x + width])


def _regions(
    detector: Detector, values: NDArray[np.float32], shape: tuple[int, ...], threshold: LearntThreshold
) -> tuple[Region, ...]:
    levels = threshold_levels(values, detector.recipe.threshold, threshold)
    criteria = Criteria(
        scale=2 if detector.recipe.resolution == "half" else 1,
        seed=levels.seed,
        grow=levels.grow,
        floor=threshold.floor + levels.rise,
        least_area=detector.recipe.post.least_area,
        opening=False,
    )
    found, _ = find_regions(values, shape[1], shape[0], criteria)
    return found


def _components(whole: NDArray[np.bool_], seen: NDArray[np.bool_]) -> list[tuple[Box, int]]:
    """Boxes of connected groups, and how many of their pixels are seen."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(whole.view(np.uint8), connectivity=8)
    pixels = np.bincount(labels[seen], minlength=count)
    boxes = [tuple(int(value) for value in stats[index, :4]) for index in range(count)]
    return [((box[0], box[1], box[2], box[3]), int(pixels[index])) for index, box in enumerate(boxes) if index > 0]
