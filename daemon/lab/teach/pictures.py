"""The pictures of a teaching's report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from daemon.lab.evaluate.detector_gallery import COLOURS
from daemon.lab.teach.floor import Floor
from daemon.lab.teach.look import Looked
from daemon.lab.teach.parts import Parts
from daemon.lab.teach.places import Place
from daemon.offline.pages import png
from daemon.store.evidence import crop_at
from models.measure.matching import Box
from models.training.detector.crops import LabelledCrop
from models.training.detector.ground import ProductGround

_SIDE = 224
"""Px of a picture."""
_CROP = 352
_RED = (48, 48, 255)
_LEARNT = 8
_MOST = 12
"""Pictures of a kind."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of the page, and what it shows."""

    image: str
    """As a data URL."""
    title: str
    words: str


def of(
    parts: Parts, floor: Floor, marks: Sequence[Place], ground: ProductGround, seed: int
) -> dict[str, list[Picture]]:
    """Odd sheets, marks of the die, places of its relief, and crops as they were learnt.

    Raises:
        TeachError: a sheet cannot be read any more.
    """
    odd = []
    by_name = {one.sheet.name: one for one in parts.looked}
    for one in parts.odd:
        words = one.why if one.left_out else f"{one.why} It was used: too many are odd."
        pixels = one.looked.sheet.read()
        name = one.looked.sheet.name
        box = None if one.alarm is None else (one.alarm.x, one.alarm.y, one.alarm.width, one.alarm.height)
        odd.append(_middle(pixels, name, words) if box is None else _around(pixels, box, name, words))
    for name, alarm in floor.odd:
        words = "held apart; after teaching something on it stands out as a crack does: an overlooked one?"
        box = (alarm.x, alarm.y, alarm.width, alarm.height)
        odd.append(_around(by_name[name].sheet.read(), box, name, words))
    relief = [place for place in (*parts.marks, *parts.relief) if place not in marks]
    rng = np.random.default_rng(seed)
    return {
        "odd": odd[:_MOST],
        "marks": _places(parts.looked[0], marks),
        "relief": _places(parts.looked[0], relief),
        "learnt": [_learnt(ground.fresh(rng, _CROP), f"crop {number + 1}") for number in range(_LEARNT)],
    }


def _places(first: Looked, places: Sequence[Place]) -> list[Picture]:
    if not places:
        return []
    pixels = first.sheet.read()
    return [
        _around(pixels, one.box, f"x {one.x}, y {one.y}", f"on {len(one.sheets)} of {one.of} sheets")
        for one in places[:_MOST]
    ]


def _around(pixels: NDArray[np.uint8], box: Box, title: str, words: str) -> Picture:
    """A place of a sheet at 1:1, boxed."""
    x, y = box[0] + box[2] // 2, box[1] + box[3] // 2
    side = min(2 * _SIDE, max(_SIDE, max(box[2:]) + 40))
    crop = np.asarray(cv2.cvtColor(crop_at(pixels, x, y, side), cv2.COLOR_GRAY2BGR), np.uint8)
    left, top = box[0] - x + side // 2, box[1] - y + side // 2
    cv2.rectangle(crop, (left - 1, top - 1), (left + box[2], top + box[3]), _RED, 1)
    return Picture(png(crop), title, words)


def _middle(pixels: NDArray[np.uint8], title: str, words: str) -> Picture:
    """The middle of a sheet at 1:1."""
    return Picture(png(crop_at(pixels, pixels.shape[1] // 2, pixels.shape[0] // 2, _SIDE)), title, words)


def _learnt(crop: LabelledCrop, title: str) -> Picture:
    """A crop as the network learns from it; what is painted is outlined."""
    image, mask, _ = crop
    shown = np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR), np.uint8)
    outlines, _ = cv2.findContours(
        cv2.dilate(mask.view(np.uint8), np.ones((9, 9), np.uint8)), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    cv2.drawContours(shown, outlines, -1, COLOURS["true"], 1)
    return Picture(png(shown), title, "painted" if mask.any() else "as it is")
