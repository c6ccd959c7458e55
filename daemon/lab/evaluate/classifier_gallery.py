"""Where the classifier saw its evidence: Grad-CAM overlays of cracks found, cracks missed, and false alarms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from daemon.offline.pages import png
from models.classifier.classifier import GRID, Classifier
from models.classifier.overlay import overlay
from models.training.classifier.examples import Example

MOST = 18
"""Pictures of a kind."""
_MEASURED = 120
"""Cracks found, with a known place, on which the maps are measured."""


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One picture beside its map."""

    name: str
    source: str
    chance: float
    image: str
    """PNG as a data URL: the crop, and the crop with its map."""


@dataclass(slots=True)
class Exhibits:
    """The gallery."""

    found: list[Exhibit] = field(default_factory=list)
    """Cracks called such, one source after the other."""
    missed: list[Exhibit] = field(default_factory=list)
    """The lowest chance first."""
    false: list[Exhibit] = field(default_factory=list)
    """The highest chance first."""
    evidence: dict[str, Any] | None = None
    """On cracks found whose place is known: mean share of the map's energy in the crack's cells, and of their area."""


def exhibits(classifier: Classifier, examples: Sequence[Example], chance: NDArray[np.float64], at: float) -> Exhibits:
    """Choose pictures and ask for their maps.

    Args:
        classifier: gives the maps.
        examples: all pictures.
        chance: (n,) calibrated, of a crack.
        at: threshold.
    """
    crack = np.array([one.crack for one in examples], np.bool_)
    called = chance >= at
    order = np.argsort(chance, kind="stable")
    missed = [int(index) for index in order if crack[index] and not called[index]][:MOST]
    false = [int(index) for index in order[::-1] if called[index] and not crack[index]][:MOST]
    found = _spread(examples, [int(index) for index in np.flatnonzero(crack & called)], MOST)
    placed = [index for index in np.flatnonzero(crack & called).tolist() if examples[index].mask is not None]
    measured = _spread(examples, placed, _MEASURED)
    wanted = sorted({*missed, *false, *found, *measured})
    answers = classifier.classify([examples[index].pixels for index in wanted])
    heats = {
        index: np.frombuffer(one.heat, np.uint8).reshape(GRID, GRID) for index, one in zip(wanted, answers, strict=True)
    }
    made = {index: _exhibit(examples[index], float(chance[index]), heats[index]) for index in (*missed, *false, *found)}
    return Exhibits(
        [made[index] for index in found],
        [made[index] for index in missed],
        [made[index] for index in false],
        _evidence([(examples[index], heats[index]) for index in measured]),
    )


def _spread(examples: Sequence[Example], indices: Sequence[int], most: int) -> list[int]:
    """So many of them, from each source in turn."""
    sources: dict[str, list[int]] = {}
    for index in indices:
        sources.setdefault(examples[index].source, []).append(index)
    chosen: list[int] = []
    depth = 0
    while len(chosen) < most and any(len(one) > depth for one in sources.values()):
        chosen += [one[depth] for one in sources.values() if len(one) > depth]
        depth += 1
    return chosen[:most]


def _exhibit(example: Example, chance: float, heat: NDArray[np.uint8]) -> Exhibit:
    grey = np.repeat(example.pixels[:, :, None], 3, 2)
    both = np.hstack([grey, overlay(example.pixels, heat)[:, :, ::-1]])
    return Exhibit(example.name, example.source, chance, png(np.ascontiguousarray(both)))


def _evidence(pairs: Sequence[tuple[Example, NDArray[np.uint8]]]) -> dict[str, Any] | None:
    inside, area = [], []
    for example, heat in pairs:
        if example.mask is None:
            continue
        # A cell counts where any of the crack lies in it.
        share = cv2.resize(example.mask.astype(np.float32), (GRID, GRID), interpolation=cv2.INTER_AREA)
        cells = np.asarray(share) > 0
        inside.append(float(heat[cells].sum() / max(1, heat.sum())))  # an empty map shows nothing of the crack
        area.append(float(cells.mean()))
    if not inside:
        return None
    return {"pictures": len(inside), "inside": float(np.mean(inside)), "area": float(np.mean(area))}
