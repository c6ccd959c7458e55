"""The gates of picture quality: brightness, contrast, saturation and focus of each part of a plate."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

from config.schema import Gates, Limits
from models.detector.findings import Quality
from stages.plate import Cause

LIT_SHARE = 0.1
"""A band with a smaller share of lit pixels says nothing of contrast and focus; it counts as not judged. A dark one at
an end of the plate may lie beyond the sheet; between others it fails the gate of brightness."""


def failed_gates(bands: Sequence[Quality], blocks: Sequence[Quality], gates: Gates) -> dict[Cause, str]:
    """The gates that a plate failed, in words: those of its bands, and of its blocks of columns where no band did."""
    return dict(_failed(blocks, gates, "blocks of columns")) | dict(_failed(bands, gates, "bands"))


def _failed(bands: Sequence[Quality], gates: Gates, name: str) -> list[tuple[Cause, str]]:
    """Each quality gate that a band (or block of columns) failed, with the value of the worst and how many failed."""
    brightness: list[float] = []
    contrast: list[float] = []
    saturation: list[float] = []
    focus: list[float] = []
    for place, band in enumerate(bands):
        if band.unmasked <= 0:
            continue
        saturation.append(band.clipped / band.unmasked)
        if band.lit < LIT_SHARE * band.unmasked or band.lit <= 0:
            if 0 < place < len(bands) - 1 and 2 * band.clipped < band.unmasked:
                # Between bright bands the sheet has no end: the light was off.
                brightness.append(0.0)
            continue
        mean = band.total / band.lit
        brightness.append(mean)
        contrast.append(sqrt(max(band.squares / band.lit - mean * mean, 0.0)))
        focus.append(band.focus)
    failed = [
        (Cause.BRIGHTNESS, _words("brightness", "{:.1f} grey levels", brightness, gates.brightness, name)),
        (Cause.CONTRAST, _words("contrast", "{:.2f} grey levels", contrast, gates.contrast, name)),
        (Cause.SATURATION, _words("saturated share", "{:.1%}", saturation, gates.saturation, name)),
        (Cause.FOCUS, _words("focus", "{:.3f}", focus, gates.focus, name)),
    ]
    return [(cause, words) for cause, words in failed if words]


def _words(name: str, form: str, values: Sequence[float], limits: Limits, parts: str) -> str:
    """The words for the bands whose value is outside the limits, empty when all are within."""
    # Written so that a value that is not a number fails.
    low = [] if limits.least is None else [v for v in values if not v >= limits.least]
    high = [] if limits.most is None else [v for v in values if not v <= limits.most]
    words = []
    for outside, worst, bound, limit in ((low, min, "least", limits.least), (high, max, "most", limits.most)):
        if outside and limit is not None:
            where = f"in {len(outside)} of {len(values)} {parts}"
            words.append(f"{name} {form.format(worst(outside))} {where}, {bound} is {form.format(limit)}")
    return ", ".join(words)
