"""What the detector reports at a low floor, on cracks and beside them: all that a line asks the classifier about.

Pictures of every family that the detector learns from, those of the families with the cracks painted on them. What the
detector takes for a crack there is not what a crop's brightest line is: it has learnt those, and these are its faults.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from config.schema import Recipe
from models.classifier.crops import SIDE, crop_at, left_and_top
from models.detector.detector import Detector, WindowView
from models.detector.findings import Region
from simulator.crops import embossed
from simulator.crops.classifier import WINDOWS, Cut
from simulator.crops.cut import SheetCrops, sheet_crop
from simulator.crops.labelled import LabelledCrop

ALARM_ON_CRACK, FALSE_ALARM = "alarm on a crack", "false alarm"
"""Classes of these crops."""
_FAMILIES = (
    ("sheets", 0.2),
    ("otherwise", 0.08),
    ("pressed", 0.2),
    ("samples", 0.14),
    ("reflected", 0.12),
    ("strung", 0.12),
    ("embossed", 0.14),
)
"""Shares about as in the detector's training."""
_SIZE = 768
"""Rows and columns of a picture: three times as far as a crop sees, and the detector sees them all at once."""
_FLOOR = 1.0
"""Evidence from which on regions are reported, feature units: a unit less than a line that vetoes reports."""
_MOST = 4
"""Crops of a picture with a crack, and without: they are of one group."""
_OVERLAP, _LEAST_PIXELS = 0.5, 120
"""An alarm is on a crack where so much of its region is, and its crop shows so many px of cracks. It is a false one
where the crop shows none, not even one too faint to be judged. Others are neither."""
_STREAM = 5
"""Of draws."""


def alarms(seed: int, count: int) -> Iterator[Cut]:
    """So many crops of the detector's alarms, half of them on cracks, by their seed alone.

    Raises:
        DetectorError: the shipped weights cannot be used.
    """
    if not count:
        return
    detector = _detector()
    rng = np.random.default_rng([seed, _STREAM])
    sheets = SheetCrops()
    left = {True: count // 2, False: count - count // 2}
    number = 0
    while sum(left.values()):
        family = str(rng.choice([name for name, _ in _FAMILIES], p=[share for _, share in _FAMILIES]))
        picture = _picture(rng, family, sheets)
        for cut in _crops(rng, detector, picture, family, f"{family}/alarms-{seed}-{number}"):
            if left[cut.crack]:
                left[cut.crack] -= 1
                yield cut
        number += 1


def _detector() -> Detector:
    """The shipped one with a low floor, that sees a whole picture as one window."""
    asked: dict[str, Any] = {
        "name": "alarms",
        "windows": {"size": _SIZE, "stride": _SIZE - 2},
        "threshold": {"floor": _FLOOR},
        "classifier": {"mode": "off"},
    }
    return Detector.load(Recipe.model_validate(asked), device="cpu")


def _picture(rng: np.random.Generator, family: str, sheets: SheetCrops) -> LabelledCrop:
    if family == "sheets":
        return sheet_crop(rng, _SIZE, sheets)
    # Scratches stand in for cracks: none may be called a false alarm.
    window = embossed.training_window if family == "embossed" else WINDOWS[family]
    return window(rng, _SIZE, other_lines=False)


def _crops(
    rng: np.random.Generator, detector: Detector, picture: LabelledCrop, family: str, group: str
) -> Iterator[Cut]:
    """Those of one picture whose class is sure, at most _MOST of each class, in an order of their own."""
    image, mask, unsure = picture
    (finding,) = detector.detect([WindowView(image, 0, 0, (0, 0, _SIZE, _SIZE))])
    told = {True: 0, False: 0}
    for index in rng.permutation(len(finding.regions)).tolist():
        region = finding.regions[index]
        left, top = left_and_top(image.shape, region.peak_x, region.peak_y)
        part = slice(top, top + SIDE), slice(left, left + SIDE)
        crack = _on(region, mask, unsure) and int(mask[part].sum()) >= _LEAST_PIXELS
        if not crack and (mask[part].any() or unsure[part].any()):
            continue
        if told[crack] < _MOST:
            told[crack] += 1
            kind = ALARM_ON_CRACK if crack else FALSE_ALARM
            yield Cut(crop_at(image, region.peak_x, region.peak_y), mask[part].copy(), family, kind, group)


def _on(region: Region, mask: NDArray[np.bool_], unsure: NDArray[np.bool_]) -> bool:
    """Whether a region lies on cracks: most of it, the ring around them and their faint parts counted in."""
    near = both = 0
    for y, first, last in np.frombuffer(region.runs, "<i4").reshape(-1, 3).tolist():
        near += int((mask[y, first:last] | unsure[y, first:last]).sum())
        both += int(mask[y, first:last].sum())
    return both > 0 and near >= _OVERLAP * region.area
