"""The detect stage: windows of a plate, read in place, through the detector."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from config.schema import Windows
from models.detector.detector import Detector, WindowView
from models.detector.halo import around, own_area
from models.detector.integrity import axes_of
from stages.plate import Window, WindowResult, window_columns


def score_windows(
    detector: Detector,
    pixels: NDArray[np.uint8],
    windows: Sequence[Window],
    settings: Windows,
    *,
    run: str,
    plate: int,
    top: int = 0,
) -> list[WindowResult]:
    """Score windows of one plate, at most the detector's batch of them.

    `pixels` is uint8 (rows, columns): the plate from its row `top` on, HALO rows above the windows or the plate's
    first, to HALO rows below them or the plate's last: all of it may be looked at.
    """
    started = time.monotonic()
    columns = pixels.shape[1]
    across = window_columns(columns, settings)
    views = [
        WindowView(
            pixels=pixels[window.y - top : window.y - top + window.height, window.x : window.x + window.width],
            x=window.x,
            y=window.y,
            own=own_area(window.x, window.y, window.width, window.height, columns, settings.size, settings.stride),
            along=axes_of(window.row, window.x // settings.stride, across),
            around=around(pixels, window.x, window.y - top, window.width, window.height),
        )
        for window in windows
    ]
    findings = detector.detect(views)
    seconds = (time.monotonic() - started) / max(1, len(windows))
    return [
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
        for window, finding in zip(windows, findings, strict=True)
    ]
