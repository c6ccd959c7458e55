"""Lines from edge to edge of a sheet: no crack does that, and what does comes again on the next sheet."""

from __future__ import annotations

from collections.abc import Iterable

from stages.plate import Defect

_WIDTH, _LONG = 64, 500
"""px: what is wider, or on a smaller plate, is no line through the sheet; and how near to both edges it comes."""


def through_lines(defects: Iterable[Defect], rows: int, columns: int) -> list[str]:
    """A warning for each defect that runs along or across a whole plate of that size."""
    if min(rows, columns) <= _LONG:
        return []
    words = []
    for defect in defects:
        if min(defect.width, defect.height) > _WIDTH:
            continue
        if defect.height >= rows - 2 * _WIDTH:
            words.append(f"a line along the whole sheet at x {defect.peak_x}: look at lens, die and grippers")
        elif defect.width >= columns - 2 * _WIDTH:
            words.append(f"a line across the whole sheet at y {defect.peak_y}: look at lens, die and grippers")
    return words
