"""The detect stage: windows of a plate, read in place, through the detector, swath by swath."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from config.schema import Windows
from models.detector.detector import Detector, WindowView
from models.detector.integrity import axes_of
from models.detector.swaths import cut, most_windows, own_area, rows_seen, swath_of
from stages.plate import Window, WindowResult, window_columns, windows_of


def score_windows(
    detector: Detector,
    pixels: NDArray[np.uint8],
    windows: Sequence[Window],
    settings: Windows,
    *,
    run: str,
    plate: int,
    top: int = 0,
    judging: Callable[[int], None] | None = None,
) -> list[WindowResult]:
    """Score windows of one plate, in their order; each is the same whichever others are asked for.

    Args:
        detector: of the recipe that `settings` are of.
        pixels: uint8 (rows, columns): the plate from its row `top` on, with all rows that are seen with the windows
            (models.detector.swaths.rows_seen). All of it may be looked at.
        windows: side by side as far as they are, for each change of swath costs a pass of the network.
        settings: how the plate is cut.
        run: for the results; likewise plate.
        plate: its number.
        top: row of the plate that comes first in `pixels`.
        judging: told a window's index when the network has seen its swath, and the window alone is worked on.
    """
    results: list[WindowResult] = []
    for asked, views in swaths(pixels, windows, settings, detector.recipe.resolution, top=top):
        started = time.monotonic()
        findings = detector.detect(views, judging and _by_index(judging, asked))
        seconds = (time.monotonic() - started) / len(asked)
        results += [
            WindowResult(
                run=run,
                plate=plate,
                window=window.index,
                regions=finding.regions,
                truncated=finding.truncated,
                quality=finding.quality,
                threshold=finding.threshold,
                seconds=seconds,
                scored=finding.scored,
                integrity=finding.integrity,
            )
            for window, finding in zip(asked, findings, strict=True)
        ]
    return results


def warm_up(detector: Detector, columns: int) -> None:
    """Compute what most swaths of plates of so many columns look like, for the first of a shape takes twice as long."""
    settings = detector.recipe.windows
    _, rows = rows_seen(settings.stride, settings.size)
    nothing = np.zeros((rows, columns), np.uint8)
    first_two = [one for one in windows_of(rows, columns, settings) if one.row < 2]
    for _, views in swaths(nothing, first_two, settings, detector.recipe.resolution):
        detector.features_of(views)


def _by_index(judging: Callable[[int], None], asked: Sequence[Window]) -> Callable[[int], None]:
    return lambda place: judging(asked[place].index)


def swaths(
    pixels: NDArray[np.uint8],
    windows: Sequence[Window],
    settings: Windows,
    resolution: Literal["half", "full"] = "half",
    *,
    top: int = 0,
) -> Iterator[tuple[list[Window], list[WindowView]]]:
    """Windows of a plate, in their order, by the swath that they are computed in, each with the plate around it.

    `pixels` and `top` are as for `score_windows`.
    """
    columns = pixels.shape[1]
    across, most = window_columns(columns, settings), most_windows(settings, resolution)

    def of(window: Window) -> tuple[int, range]:
        return window.row, swath_of(window.index % across, across, most)

    for (_, which), group in groupby(windows, of):
        asked = list(group)
        first = asked[0]
        left = which[0] * settings.stride
        right = min(columns, which[-1] * settings.stride + settings.size)
        swath = cut(pixels, left, first.y, right - left, first.height, size=settings.size, top=top)
        yield (
            asked,
            [
                WindowView(
                    pixels=pixels[one.y - top : one.y - top + one.height, one.x : one.x + one.width],
                    x=one.x,
                    y=one.y,
                    own=own_area(one.x, one.y, one.width, one.height, columns, settings.size, settings.stride),
                    swath=swath,
                    along=axes_of(one.row, one.index % across, across),
                )
                for one in asked
            ],
        )
