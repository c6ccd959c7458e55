"""Regions: connected groups of candidate pixels after the post-processing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Region:
    """A connected group of candidates, in px of its window (origin top left, half-open)."""

    x: int
    y: int
    width: int
    height: int
    area: int
    """Pixels of the region."""
    score: float
    """In [0, 1], higher is worse."""
    peak_x: int
    peak_y: int
    """Where the feature value is highest."""
    runs: bytes
    """Little-endian int32 of shape (n, 3): y, first x, x after the last; sorted by y then x; every pixel once."""
