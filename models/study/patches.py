"""The paper's second level (M 141-143): patches of 64 x 64 px inside a window, each judged by itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.detector.regions import Criteria, find_regions
from models.measure.matching import Box

PATCH = 64
"""Side of a patch, px of the plate."""
Found = list[tuple[Box, float]]


def patch_boxes(values: NDArray[np.float32], stride: int, criteria: Criteria) -> Found:
    """Boxes found in a window patch by patch, px of the window: what two patches share is one box, no more is joined.

    Args:
        values: feature values (h, w) of the window, NaN where not judged.
        stride: px from one patch to the next; over 64 leaves gaps.
        criteria: what makes a region of a patch.
    """
    scale = criteria.scale
    side, step = PATCH // scale, stride // scale
    rows, columns = values.shape
    found: Found = []
    # The shape of a region adds less than 1 to its evidence: most patches are done with here.
    worth = np.where(np.isfinite(values), values, -np.inf)
    for y in range(0, rows, step):
        for x in range(0, columns, step):
            part = values[y : y + side, x : x + side]
            if float(worth[y : y + side, x : x + side].max()) + 1 < criteria.seed:
                continue
            regions, _ = find_regions(part, part.shape[1] * scale, part.shape[0] * scale, criteria)
            found += [
                ((region.x + x * scale, region.y + y * scale, region.width, region.height), region.score)
                for region in regions
            ]
    return joined(found)


def joined(found: Found) -> Found:
    """Boxes that share an area become one around them, until none do; its score is the highest of theirs."""
    boxes = np.array([(x, y, x + width, y + height) for (x, y, width, height), _ in found], np.int64).reshape(-1, 4)
    scores = np.array([score for _, score in found], np.float64)
    place = 0
    while place < len(boxes):
        own = boxes[place]
        shared = (np.minimum(boxes[:, 2:], own[2:]) > np.maximum(boxes[:, :2], own[:2])).all(1)
        if shared.sum() <= 1:
            place += 1
            continue
        whole = np.concatenate((boxes[shared, :2].min(0), boxes[shared, 2:].max(0)))
        best = scores[shared].max()
        boxes = np.concatenate((boxes[~shared], whole[None]))
        scores = np.append(scores[~shared], best)
        place = 0
    return [
        ((int(x0), int(y0), int(x1 - x0), int(y1 - y0)), float(score))
        for (x0, y0, x1, y1), score in zip(boxes, scores, strict=True)
    ]
