"""What a recipe says of a product's sheets, and at which floor it would no longer say so."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from config.schema import Recipe
from daemon.lab.chain import Chain
from daemon.lab.teach.sheets import Sheet
from models.detector.findings import evidence_over, score_of
from stages.plate import Defect, PlateResult
from stages.verdict import makes_ng

REDUCED = 8
"""Px of a sheet for one of the picture by which sheets are laid upon each other."""
_FAR = 60.0
"""Feature units from the floor beyond which no evidence lies."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What the base recipe says of a sheet."""

    sheet: Sheet
    plate: PlateResult
    alarms: tuple[Defect, ...]
    """What makes it NG, the worst first."""
    reduced: NDArray[np.float32]
    """The sheet at an eighth of its size."""
    seconds: float


def look_at(sheets: Sequence[Sheet], chain: Chain, told: Callable[[int], None] = lambda _: None) -> list[Looked]:
    """Inspect the sheets; `told` hears how many are done.

    Raises:
        TeachError: a sheet cannot be read.
    """
    looked = []
    for number, sheet in enumerate(sheets, start=1):
        started = time.monotonic()
        pixels = sheet.read()
        plate = chain.inspect(pixels)
        small = cv2.resize(pixels, None, fx=1 / REDUCED, fy=1 / REDUCED, interpolation=cv2.INTER_AREA)
        alarms = alarms_of(plate, chain.recipe)
        looked.append(Looked(sheet, plate, alarms, np.asarray(small, np.float32), time.monotonic() - started))
        told(number)
    return looked


def alarms_of(plate: PlateResult, recipe: Recipe) -> tuple[Defect, ...]:
    """The defects that make a plate NG, the strongest first."""
    alarms = [defect for defect in plate.defects if makes_ng(defect, recipe)]
    return tuple(sorted(alarms, key=lambda defect: -defect.score))


def needed_floor(defect: Defect, recipe: Recipe, floor: float) -> float:
    """The highest floor with which a defect would still make its plate NG, feature units.

    Args:
        defect: found with `floor` as the learnt one.
        recipe: its rules of decision and classifier.
        floor: feature units.
    """
    evidence = evidence_over(defect.score)
    low, high = -_FAR, _FAR  # by how much the floor rises
    if not makes_ng(_with_evidence(defect, evidence - low), recipe):
        return -np.inf
    while high - low > 0.01:
        middle = (low + high) / 2
        if makes_ng(_with_evidence(defect, evidence - middle), recipe):
            low = middle
        else:
            high = middle
    return floor + low


def _with_evidence(defect: Defect, evidence: float) -> Defect:
    return replace(defect, score=score_of(evidence, 0.0), faint=evidence < 0, vetoed=False)
