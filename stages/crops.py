"""What the classifier is asked about, and what it answers: the parts of two events (stages/events.py)."""

from __future__ import annotations

import msgspec


class Crop(msgspec.Struct, frozen=True):
    """The square around the peak of a region."""

    region: int
    """Index of the region in its window's result."""
    x: int
    """Plate pixel around which it lies; likewise y."""
    y: int
    faint: bool = False
    """It can wait: without an answer its region is no defect."""


class Answer(msgspec.Struct, frozen=True):
    """What the classifier says of one crop."""

    region: int
    """Index of the region in its window's result."""
    probability: float
    heat: bytes
