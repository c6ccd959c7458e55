"""The sheets of a product that were called good: which files they are, and whether they go together."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from config.errors import file_text
from config.schema import Recipe
from daemon.offline.inspect import CAMERA_WIDTH
from models.images import ImageError, open_image
from stages.image_sheet import doubts_of, plate_columns

LEAST_SHEETS = 8
"""Fewer say too little of what all sheets of a product have."""
_LEAST_SIDE = 352
"""Px; a crop that is learnt from."""
_ALIKE = 0.05
"""Share by which a side may differ from that of most sheets."""
_MOST_SAID = 5


class TeachError(Exception):
    """Nothing can be learnt from what was given; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One image file, and the part of it that is the plate."""

    path: Path
    name: str
    rows: int
    columns: int
    first: int
    """Column of the image at which the plate begins."""
    bits: int | None = None

    def read(self) -> NDArray[np.uint8]:
        """The plate, grey levels (rows, columns).

        Raises:
            TeachError: the file is damaged, or the bits of its samples are in doubt.
        """
        try:
            with open_image(self.path, self.bits) as source:
                pixels = source.rows(0, source.height)
                doubts = "; ".join(words for _, words in doubts_of(source))
        except ImageError as error:
            raise TeachError(f"{self.name}: {error}") from error
        if doubts:
            raise TeachError(f"{self.name}: {doubts}")
        return np.ascontiguousarray(pixels[:, self.first : self.first + self.columns])


def sheets_of(paths: Sequence[Path], recipe: Recipe, bits: int | None = None) -> list[Sheet]:
    """The files as sheets of one product, in their order; only their headers are read.

    Raises:
        TeachError: too few, one that is no image of the recipe's width, or sheets of different sizes.
    """
    # A file that is named twice is one sheet.
    paths = list({os.path.realpath(path): path for path in paths}.values())
    if len(paths) < LEAST_SHEETS:
        raise TeachError(
            f"found {len(paths)} {'sheet' if len(paths) == 1 else 'different sheets'}; give {LEAST_SHEETS} to 30 that "
            "were called good: of fewer nobody knows what they have in common"
        )
    sheets, faults = list[Sheet](), list[str]()
    names = [file_text(path.name) for path in paths]
    for path, name in zip(paths, names, strict=True):
        shown = name if names.count(name) == 1 else file_text(str(path))
        try:
            with open_image(path, bits) as source:
                first, last = plate_columns(source.width, recipe, CAMERA_WIDTH)
                sheets.append(Sheet(path, shown, source.height, last - first, first, bits))
        except ImageError as error:
            faults.append(f"{shown}: {error}")
    if faults:
        raise TeachError(_listed("cannot be used; leave out or mend", faults))
    _refuse_others(sheets)
    return sheets


def _refuse_others(sheets: Sequence[Sheet]) -> None:
    rows, columns = median(sheet.rows for sheet in sheets), median(sheet.columns for sheet in sheets)
    if min(rows, columns) < _LEAST_SIDE:
        raise TeachError(
            f"the sheets are {columns:.0f} x {rows:.0f} px; {_LEAST_SIDE} px a side is the least: give whole sheets"
        )
    others = [
        f"{sheet.name}: {sheet.columns} x {sheet.rows} px"
        for sheet in sheets
        if abs(sheet.rows - rows) > _ALIKE * rows or abs(sheet.columns - columns) > _ALIKE * columns
    ]
    if others:
        raise TeachError(
            _listed(
                f"most sheets are {columns:.0f} x {rows:.0f} px, so these are of another product or cut off; teach one "
                "product at a time, from whole sheets",
                others,
            )
        )


def _listed(what: str, each: Iterable[str]) -> str:
    lines = list(each)
    more = [f"and {len(lines) - _MOST_SAID} more"] if len(lines) > _MOST_SAID else []
    return "\n  ".join([what, *lines[:_MOST_SAID], *more])
