"""Sheets laid upon each other, and the places at which one after the other alarms.

What stands at the same place on sheet after sheet comes from the die: its relief, or a fault of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from daemon.lab.teach.look import REDUCED, Looked
from models.detector.findings import evidence_over
from models.measure.matching import Box
from models.measure.repeated import SLACK, slack_of

_LEAST_RESPONSE = 0.03
"""Height of the correlation's peak below which two sheets cannot be laid upon each other."""
_MOST_SHIFT = 0.08
"""Share of a side by which a sheet may lie elsewhere."""
_WIDE = 6.0
"""Sigma, px of the reduced picture: light and shade that are wider are taken off first."""
_SHARE = 0.5
"""Of the sheets on which a place must alarm."""
_LEAST = 3
"""Sheets."""


@dataclass(frozen=True, slots=True)
class Offset:
    """Where a sheet lies beside the first one, px: what is at (x, y) there is at (x + dx, y + dy) here."""

    dx: float
    dy: float
    known: bool = True
    """False where the two have too little in common; then it is taken to lie alike."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place that alarms on several sheets, in coordinates of the first."""

    box: Box
    sheets: tuple[int, ...]
    """Which of them, as they were given."""
    of: int
    """How many were looked at."""
    evidence: float
    """Of the strongest alarm, feature units above the floor."""
    slack: int = SLACK
    """Px by which it may lie elsewhere on a sheet."""

    @property
    def x(self) -> int:
        """Its middle, px."""
        return self.box[0] + self.box[2] // 2

    @property
    def y(self) -> int:
        """Likewise."""
        return self.box[1] + self.box[3] // 2


def offsets(reduced: Sequence[NDArray[np.float32]]) -> list[Offset]:
    """Where each sheet lies beside the first, from pictures at an eighth of their size."""
    rows, columns = (min(picture.shape[axis] for picture in reduced) for axis in (0, 1))
    hann = cv2.createHanningWindow((columns, rows), cv2.CV_32F)
    plain = [_relief(picture[:rows, :columns]) for picture in reduced]
    return [Offset(0.0, 0.0), *(_offset(plain[0], other, np.asarray(hann)) for other in plain[1:])]


def _relief(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(picture - cv2.GaussianBlur(picture, (0, 0), _WIDE), np.float32)


def _offset(first: NDArray[np.float32], other: NDArray[np.float32], hann: NDArray[np.float32]) -> Offset:
    (dx, dy), response = cv2.phaseCorrelate(first, other, hann)
    rows, columns = first.shape
    far = abs(dx) > _MOST_SHIFT * columns or abs(dy) > _MOST_SHIFT * rows
    if response < _LEAST_RESPONSE or far or not math.isfinite(dx + dy):
        return Offset(0.0, 0.0, known=False)
    return Offset(dx * REDUCED, dy * REDUCED)


def places(looked: Sequence[Looked], where: Sequence[Offset]) -> list[Place]:
    """The places that alarm on at least half of the sheets, those on most sheets first."""
    alarms = [
        (evidence_over(alarm.score), _moved((alarm.x, alarm.y, alarm.width, alarm.height), offset, -1), index)
        for index, (one, offset) in enumerate(zip(looked, where, strict=True))
        for alarm in one.alarms
    ]
    longest = max((max(one.sheet.rows, one.sheet.columns) for one in looked), default=0)
    return common_places(alarms, len(looked), slack_of(longest))


def common_places(alarms: Sequence[tuple[float, Box, int]], of: int, slack: int = SLACK) -> list[Place]:
    """The same of alarms: evidence, box in coordinates of the first sheet, and number of the sheet."""
    left, found = sorted(alarms, key=lambda alarm: -alarm[0]), list[Place]()
    least = max(_LEAST, math.ceil(_SHARE * of))
    while left:
        strongest = left[0]
        here = [alarm for alarm in left if _near(alarm[1], strongest[1], slack)]
        left = [alarm for alarm in left if not _near(alarm[1], strongest[1], slack)]
        sheets = tuple(sorted({alarm[2] for alarm in here}))
        if len(sheets) >= least:
            found.append(Place(strongest[1], sheets, of, strongest[0], slack))
    return sorted(found, key=lambda place: (-len(place.sheets), -place.evidence))


def on_sheet(place: Place, offset: Offset) -> Box:
    """Where a place lies on a sheet, with what may be missing to lie there exactly."""
    x, y, width, height = _moved(place.box, offset, 1)
    slack = place.slack
    return x - slack, y - slack, width + 2 * slack, height + 2 * slack


def _moved(box: Box, offset: Offset, sign: int) -> Box:
    return round(box[0] + sign * offset.dx), round(box[1] + sign * offset.dy), box[2], box[3]


def _near(one: Box, other: Box, slack: int) -> bool:
    return (
        one[0] < other[0] + other[2] + slack
        and other[0] < one[0] + one[2] + slack
        and one[1] < other[1] + other[3] + slack
        and other[1] < one[1] + one[3] + slack
    )
