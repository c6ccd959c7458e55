"""The ground that is learnt: pieces of the good sheets, as many as memory should hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from config.schema import Recipe
from daemon.lab.teach.look import Looked
from daemon.lab.teach.places import Offset, Place, on_sheet
from models.measure.matching import Box
from models.training.detector.ground import Ground, holes_of
from models.training.photographs import group_key, photographs, read

_PIECE = 704
"""Side of a piece, px."""
MOST_PIXELS = 400_000_000
"""Of all pieces together; of larger sheets pieces are chosen by chance."""


def ground_of(
    looked: Sequence[Looked],
    where: Sequence[Offset],
    marks: Sequence[Place],
    recipe: Recipe,
    rng: np.random.Generator,
) -> list[Ground]:
    """Pieces of the sheets; what the recipe masks and what is a mark of the die is not learnt from.

    Raises:
        TeachError: a sheet cannot be read.
    """
    every = sum(one.sheet.rows * one.sheet.columns for one in looked)
    share = min(1.0, MOST_PIXELS / max(1, every))
    pieces: list[Ground] = []
    for one, offset in zip(looked, where, strict=True):
        pixels = one.sheet.read()
        holes = holes_of(pixels)
        covered = [(mask.x, mask.y, mask.width, mask.height) for mask in recipe.masks]
        covered += [on_sheet(mark, offset) for mark in marks]
        hard = [(alarm.peak_x, alarm.peak_y) for alarm in one.alarms]
        hard = [(x, y) for x, y in hard if not any(_holds(box, x, y) for box in covered)]
        for y in _starts(one.sheet.rows):
            for x in _starts(one.sheet.columns):
                here = tuple((px - x, py - y) for px, py in hard if _holds((x, y, _PIECE, _PIECE), px, py))
                if rng.random() >= share and not here:
                    continue
                part = pixels[y : y + _PIECE, x : x + _PIECE]
                ignored = _ignored(part.shape, covered, x, y)
                if ignored is None or not ignored.all():
                    hole = holes[y : y + _PIECE, x : x + _PIECE]
                    pieces.append(Ground(part.copy(), ignored, hole.copy() if hole.any() else None, here))
    return pieces


def marked_ground(folders: Sequence[Path]) -> tuple[list[Ground], frozenset[str]]:
    """What people marked (`linesentry export crops`), as pieces of the product, and their groups' keys for a card.

    A false alarm is good metal, to be looked at as often as what the base takes for a crack; a crack is one.

    Raises:
        ValueError: a folder holds no such pictures, or one of them cannot be used.
    """
    pieces, groups = list[Ground](), set[str]()
    for folder in folders:
        for one in photographs(folder):
            if one.unusable is not None:
                raise ValueError(f"{one.image}: {one.unusable}")
            image, crack, _ = read(one)
            ys, xs = np.nonzero(crack) if crack.any() else ([image.shape[0] // 2], [image.shape[1] // 2])
            middle = len(xs) // 2
            pieces.append(
                Ground(image, cracks=crack if crack.any() else None, hard=((int(xs[middle]), int(ys[middle])),))
            )
            groups.add(group_key(one.group))
    return pieces, frozenset(groups)


def _starts(length: int) -> list[int]:
    """Where pieces begin; the last reaches to the end, for a sheet's edges are learnt too."""
    return [*range(0, length - _PIECE, _PIECE), max(0, length - _PIECE)]


def _holds(box: Box, x: int, y: int) -> bool:
    return box[0] <= x < box[0] + box[2] and box[1] <= y < box[1] + box[3]


def _ignored(shape: tuple[int, ...], covered: Sequence[Box], x: int, y: int) -> NDArray[np.bool_] | None:
    """Which pixels of a piece at (x, y) are covered; None where none is."""
    ignored = np.zeros(shape, np.bool_)
    for left, top, width, height in covered:
        ignored[max(0, top - y) : max(0, top + height - y), max(0, left - x) : max(0, left + width - x)] = True
    return ignored if ignored.any() else None
