"""How much of a plate its masks leave."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from config.schema import Rectangle

LEAST_UNMASKED = 0.05
"""Share of a plate that masks must leave: of less, nothing that is worth a verdict is looked at."""

DULL = -6.0
"""Weight of a zone, feature units, in which nothing is a defect: clear cracks stand less far above the floor."""


def unmasked(masks: Sequence[Rectangle], rows: int, columns: int) -> int:
    """Pixels of a plate that lie in no mask."""
    cuts = sorted({0, rows, *(min(edge, rows) for mask in masks for edge in (mask.y, mask.y + mask.height))})
    left = 0
    for top, bottom in pairwise(cuts):
        at = 0
        for mask in sorted(masks, key=lambda mask: mask.x):
            if mask.y <= top and mask.y + mask.height >= bottom:
                left += max(0, min(mask.x, columns) - at) * (bottom - top)
                at = max(at, min(mask.x + mask.width, columns))
        left += (columns - at) * (bottom - top)
    return left
