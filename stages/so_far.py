"""How far an open plate is: what people who watch the line see of it before its verdict."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass

from config.schema import Recipe
from stages.collected import Collected
from stages.plate import found_and_vetoed, window_columns, worst_first

Box = tuple[int, int, int, int]
"""x, y, width, height, px in plate coordinates."""


@dataclass(frozen=True, slots=True)
class SoFar:
    """What is known of an open plate by now."""

    windows: int = 0
    """Windows scored, or given up."""
    regions: int = 0
    """Regions found; of a decided plate, its defects without those that were vetoed."""
    judged: bytes = b""
    """Which windows those are: a bit each, row-major, the lowest bit of a byte first. Empty where it is not asked."""
    boxes: tuple[Box, ...] = ()
    """Of the worst regions, or defects; those that only a classifier would take for one are left out."""


def so_far(state: Collected | None, recipe: Recipe, most_boxes: int) -> SoFar:
    """How far a plate is by what was collected; nothing where nothing was. `most_boxes` 0: in numbers alone."""
    if state is None:
        return SoFar()
    if state.decided is not None:
        result = state.decided.result
        count = result.windows_scored, found_and_vetoed(result.defects)[0]
        if not most_boxes:
            return SoFar(*count)
        counted = [one for one in worst_first(result.defects) if not one.vetoed]
        boxes = tuple((one.x, one.y, one.width, one.height) for one in counted[:most_boxes])
        return SoFar(*count, _bits(range(result.windows)), boxes)
    count = state.windows_done, sum(len(one.regions) for one in state.results.values())
    if not most_boxes:
        return SoFar(*count)
    return SoFar(*count, _bits({*state.results, *state.quarantined}), _boxes(state, recipe, most_boxes))


def _boxes(state: Collected, recipe: Recipe, most: int) -> tuple[Box, ...]:
    across, stride = window_columns(state.columns_by(recipe), recipe.windows), recipe.windows.stride
    if not across:
        return ()
    found = (
        (region.score, (window % across * stride + region.x, window // across * stride + region.y), region)
        for window, result in state.results.items()
        for region in result.regions
        if not region.faint
    )
    worst = heapq.nlargest(most, found, key=lambda one: (one[0], one[1]))
    return tuple((*place, region.width, region.height) for _, place, region in worst)


def _bits(windows: Iterable[int]) -> bytes:
    bits = bytearray()
    for window in windows:
        byte, bit = divmod(window, 8)
        if byte >= len(bits):
            bits.extend(bytes(byte + 1 - len(bits)))
        bits[byte] |= 1 << bit
    return bytes(bits)
