"""What good sheets of a product show at each place, with the weights that were taught."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
from numpy.typing import NDArray

from daemon.lab.teach.look import Looked
from daemon.lab.teach.places import Offset, Place, on_sheet
from models.detector.detector import Detector
from models.detector.reference import CALM, SIDE, Reference, Shown, cells_of
from models.detector.strong_lines import CELL, standing
from models.detector.strong_lines import cells_of as cells_of_grey
from stages.detect import swaths
from stages.plate import windows_of


def reference_of(
    looked: Sequence[Looked],
    where: Sequence[Offset],
    marks: Sequence[Place],
    detectors: Sequence[Detector],
    step: Callable[[], None],
) -> Reference:
    """The reference of good sheets; a mark of the die is not in it, so that it alarms as before.

    Args:
        looked: the sheets.
        where: where each lies.
        marks: places that shall go on to count.
        detectors: with the taught weights, one for each thread that is to compute.
        step: hears of each sheet.

    Raises:
        TeachError: a sheet cannot be read.
        ValueError: too few sheets.
    """
    with ThreadPoolExecutor(len(detectors), thread_name_prefix="reference") as pool:
        parts = [
            pool.submit(
                lambda detector, own: [_told(detector, one, step) for one in own],
                detector,
                looked[index :: len(detectors)],
            )
            for index, detector in enumerate(detectors)
        ]
        found = [part.result() for part in parts]
    sheets = [found[index % len(found)][index // len(found)] for index in range(len(looked))]
    return Reference.of(sheets).without([on_sheet(mark, where[0]) for mark in marks])


def _told(detector: Detector, one: Looked, step: Callable[[], None]) -> Shown:
    shown = shown_by(detector, one.sheet.read())
    step()
    return shown


def shown_by(detector: Detector, pixels: NDArray[np.uint8]) -> Shown:
    """What a sheet shows in each of its cells, as the line's swaths give it.

    Args:
        detector: of the product.
        pixels: uint8 (rows, columns), the whole plate.
    """
    rows, columns = pixels.shape
    settings, scale = detector.recipe.windows, 1 if detector.recipe.resolution == "full" else 2
    plate = np.full((-(-rows // SIDE), -(-columns // SIDE)), CALM, np.float32)
    for _, views in swaths(pixels, windows_of(rows, columns, settings), settings, detector.recipe.resolution):
        for view, values in zip(views, detector.features_of(views), strict=True):
            cells = cells_of(values, scale)
            row, column = view.y // SIDE, view.x // SIDE
            there = plate[row : row + cells.shape[0], column : column + cells.shape[1]]
            np.maximum(there, cells[: there.shape[0], : there.shape[1]], out=there)
    seen = np.asarray(cv2.bitwise_not(pixels), np.uint8) if detector.recipe.polarity == "dark" else pixels
    small = cv2.dilate(standing(cells_of_grey(seen, 1)), np.ones((2, 2), np.uint8), anchor=(0, 0))
    half = np.asarray(small[:: SIDE // CELL, :: SIDE // CELL], np.uint8)
    bright = np.zeros(plate.shape, np.uint8)
    bright[: half.shape[0], : half.shape[1]] = half
    return Shown(plate, bright)
