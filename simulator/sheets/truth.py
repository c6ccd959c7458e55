"""What is known of a rendered sheet: its cracks, their pixels and how much of each can be seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Crack:
    """One crack in plate coordinates; the box (px, half-open) holds exactly the crack's pixels."""

    x: int
    y: int
    width: int
    height: int
    length_mm: float
    width_mm: float
    """W normal to the line."""
    width_px: float
    """W as px across the sheet."""
    height_grey: float
    """H, grey levels above the lower side."""
    step: float
    """dH, grey levels between the two sides."""
    angle: float
    """Degrees from the rows' direction, on the sheet (mm), in [0, 180)."""
    mirrored: bool
    cluster: int
    polyline: tuple[tuple[float, float], ...]
    """Points of the centre line, px."""
    pixels: NDArray[np.bool_] = field(compare=False, repr=False)
    """The crack's pixels inside its box, (height, width)."""
    visible: float = 1.0
    """Share of the pixels that no oil hides."""

    def seen(self, visible: float) -> Crack:
        """The same crack with that share visible."""
        return replace(self, visible=visible)


@dataclass(frozen=True, slots=True)
class Truth:
    """Everything known of one sheet."""

    product: str
    seed: int
    rows: int
    columns: int
    cracks: tuple[Crack, ...]
    interference: tuple[str, ...] = ()
    strength: float = 0.0

    @property
    def clusters(self) -> dict[int, tuple[int, ...]]:
        """Indices of the cracks of each cluster, by cluster id."""
        members: dict[int, list[int]] = {}
        for index, crack in enumerate(self.cracks):
            members.setdefault(crack.cluster, []).append(index)
        return {cluster: tuple(indices) for cluster, indices in members.items()}

    def mask(self) -> NDArray[np.uint16]:
        """Instance mask (rows, columns): 0 is the sheet, k + 1 the crack of index k."""
        mask = np.zeros((self.rows, self.columns), np.uint16)
        for index, crack in enumerate(self.cracks):
            box = mask[crack.y : crack.y + crack.height, crack.x : crack.x + crack.width]
            box[crack.pixels] = index + 1
        return mask

    def coco(self, file_name: str, image: int, first_annotation: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """This sheet as a COCO image entry and its annotations (category 1, run-length segmentation)."""
        entry = {
            "id": image,
            "file_name": file_name,
            "width": self.columns,
            "height": self.rows,
            "product": self.product,
            "seed": self.seed,
            "interference": list(self.interference),
            "strength": self.strength,
        }
        annotations = [
            {
                "id": first_annotation + index,
                "image_id": image,
                "category_id": 1,
                "iscrowd": 0,
                "bbox": [crack.x, crack.y, crack.width, crack.height],
                "area": int(crack.pixels.sum()),
                "segmentation": {
                    "size": [self.rows, self.columns],
                    "counts": list(column_runs(crack.pixels, crack.x, crack.y, self.rows, self.columns)),
                },
                "attributes": {
                    "instance": index + 1,
                    "cluster": crack.cluster,
                    "length_mm": round(crack.length_mm, 4),
                    "width_mm": round(crack.width_mm, 4),
                    "width_px": round(crack.width_px, 3),
                    "height_grey": round(crack.height_grey, 3),
                    "step_grey": round(crack.step, 3),
                    "angle_deg": round(crack.angle, 2),
                    "mirrored": crack.mirrored,
                    "visible_share": round(crack.visible, 4),
                    "polyline": [[round(x, 2), round(y, 2)] for x, y in crack.polyline],
                },
            }
            for index, crack in enumerate(self.cracks)
        ]
        return entry, annotations


def column_runs(pixels: NDArray[np.bool_], x: int, y: int, rows: int, columns: int) -> Iterator[int]:
    """COCO's uncompressed run lengths of pixels in a box at (x, y): column by column, starting with zeros."""
    edges = np.diff(np.pad(pixels.T.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    across, starts = np.nonzero(edges == 1)
    _, ends = np.nonzero(edges == -1)
    at = 0
    for column, start, end in zip(across.tolist(), starts.tolist(), ends.tolist(), strict=True):
        first = (x + column) * rows + y + start
        yield first - at
        yield end - start
        at = first + end - start
    yield rows * columns - at
