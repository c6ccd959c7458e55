"""What people marked, as pictures to learn from: a crop of each, and where in it the crack is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from daemon.offline.plate_pictures import PlatePictures
from daemon.store.evidence import CROP_SIZE, crop_at
from daemon.store.rows import PlateRow
from stages.mark import Mark, MarkKind, Place, Shape
from stages.plate import Defect

_LINE_PX = 5
"""Width of the mask of a crack that was marked by a line."""
_GROUND_PX = 21
"""Side of the square whose median is a pixel's ground; a crack is narrower than half of it."""
_AROUND = 32
"""px beyond a long crack that its crop shows at least."""


@dataclass(frozen=True, slots=True)
class Marked:
    """A crop of a plate around what was marked."""

    plate: PlateRow
    mark: Mark
    name: str
    """For files: of numbers alone, never of what a part or a file is called."""
    image: NDArray[np.uint8]
    """(side, side)"""
    mask: NDArray[np.bool_]
    """Where the crack is; nowhere on a false alarm."""

    @property
    def crack(self) -> bool:
        """Somebody says that there is one."""
        return self.mark.kind is not MarkKind.FALSE_ALARM


@dataclass(frozen=True, slots=True)
class Lost:
    """What was marked, and of which no picture is left."""

    plate: int
    mark: Mark


def marked(row: PlateRow, pictures: PlatePictures) -> Iterator[Marked | Lost]:
    """What of a plate was marked, in the order of its marks."""
    missed = 0
    for mark in row.marks:
        missed += mark.place is not None
        found = _missed(pictures, mark.place) if mark.place is not None else _found(row, pictures, mark)
        if found is None:
            yield Lost(row.plate, mark)
            continue
        what = f"missed-{missed:03d}" if mark.defect is None else f"defect-{mark.defect:03d}"
        yield Marked(row, mark, f"plate-{row.plate:06d}-{what}", *found)


def _found(row: PlateRow, pictures: PlatePictures, mark: Mark) -> tuple[NDArray[np.uint8], NDArray[np.bool_]] | None:
    assert mark.defect is not None
    if not 1 <= mark.defect <= len(row.defects):
        return None
    defect = row.defects[mark.defect - 1]
    crop = pictures.crop(mark.defect, defect.peak_x, defect.peak_y)
    if crop is None:
        return None
    left, top = defect.peak_x - CROP_SIZE // 2, defect.peak_y - CROP_SIZE // 2
    if mark.kind is MarkKind.FALSE_ALARM:
        return crop, np.zeros(crop.shape, np.bool_)
    return crop, _strongest(crop, _inside(crop, defect, left, top), defect.area)


def _missed(pictures: PlatePictures, place: Place) -> tuple[NDArray[np.uint8], NDArray[np.bool_]] | None:
    whole = pictures.whole()
    if whole is None:
        return None
    length = max(abs(place.x1 - place.x0), abs(place.y1 - place.y0))
    side = max(CROP_SIZE, 2 * ((length + 2 * _AROUND + 1) // 2))
    x, y = (place.x0 + place.x1) // 2, (place.y0 + place.y1) // 2
    crop = crop_at(whole, x, y, side)
    left, top = x - side // 2, y - side // 2
    drawn = np.zeros(crop.shape, np.uint8)
    if place.shape is Shape.LINE:
        cv2.line(drawn, (place.x0 - left, place.y0 - top), (place.x1 - left, place.y1 - top), 255, _LINE_PX)
        return crop, drawn > 0
    box = drawn > 0
    box[place.y0 - top : place.y1 - top, place.x0 - left : place.x1 - left] = True
    return crop, _strongest(crop, box, None)


def _inside(crop: NDArray[np.uint8], defect: Defect, left: int, top: int) -> NDArray[np.bool_]:
    """The defect's box in its crop, as far as it shows it."""
    box = np.zeros(crop.shape, np.bool_)
    box[
        max(0, defect.y - top) : max(0, defect.y + defect.height - top),
        max(0, defect.x - left) : max(0, defect.x + defect.width - left),
    ] = True
    return box


def _strongest(crop: NDArray[np.uint8], box: NDArray[np.bool_], area: int | None) -> NDArray[np.bool_]:
    """The pixels of a box that differ most from their ground: as many as the defect has, else by Otsu's threshold.

    A box is mostly ground: its crack runs across it. A crack is brighter than its ground or darker, and which of both
    is said by the strongest pixels.
    """
    if not box.any():
        return box
    ground = cv2.medianBlur(crop, _GROUND_PX).astype(np.int16)
    apart = crop.astype(np.int16) - ground
    values = apart[box]
    if -int(np.percentile(values, 1)) > int(np.percentile(values, 99)):
        apart, values = -apart, -values
    if area is None:
        scaled = np.clip(values, 0, 255).astype(np.uint8).reshape(1, -1)
        least = int(cv2.threshold(scaled, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[0]) + 1
    else:
        least = int(np.sort(values)[-min(area, len(values))])
    return np.asarray(box & (apart >= max(1, least)), np.bool_) if (values >= max(1, least)).any() else box
