"""The four products of the line, by the same optics (M 104; pitches derived from the P10B)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CAMERA_WIDTH = 16384


@dataclass(frozen=True, slots=True)
class Product:
    """A sheet as the camera sees it."""

    name: str
    rows: int
    columns: int
    row_mm: float = 0.05204
    """mm from one row to the next, along the travel."""
    column_mm: float = 0.04163
    """mm from one pixel to the next, across the sheet."""
    first_column: int = 0
    """Camera column of the image's column 0."""
    long_side: Literal["rows", "columns"] | None = None
    """Along which ridges fold; None: the longer one. A stretch of a product folds as the whole does."""
    end_share: float | None = None
    """Share of the rows that the zone at either end takes, at most a half; None: as drawn for a sheet longer than wide,
    0 for any other and so for a stretch."""

    @property
    def upright(self) -> bool:
        """Whether its long side lies along the travel."""
        return self.rows >= self.columns if self.long_side is None else self.long_side == "rows"


PRODUCTS: dict[str, Product] = {
    name: Product(
        name,
        rows,
        columns,
        first_column=(CAMERA_WIDTH - columns) // 2,
        long_side="rows" if rows >= columns else "columns",
    )
    for name, rows, columns in (
        ("P10B", 19214, 9777),
        ("02CG", 19080, 6006),
        ("EA10B", 19118, 8960),
        ("U20B", 3247, 14653),
    )
}
