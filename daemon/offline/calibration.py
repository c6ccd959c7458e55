"""Calibration from image files: the flat field of a camera's columns, and the size of a pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from config.schema import Recipe
from models.images import ImageError, open_image
from models.machine.files import whole
from models.optics.flat_field import Correction, FlatField, FlatFieldError, from_references
from models.optics.scale import Scale, ScaleError, measure_scale

MOST_ROWS = 4000
"""Rows of a reference that are looked at: more say no more."""

MOST_TARGET_ROWS = 20_000
"""Rows of a target that are looked at."""


class CalibrationError(Exception):
    """What was given cannot be used; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Evened:
    """What a flat field does to the white reference that it was made from."""

    flat: FlatField
    before: float
    """How much brighter the brightest column is than the darkest, as a share of the mean; likewise after it."""
    after: float


def make_flat_field(white: Sequence[Path], dark: Sequence[Path], out: Path) -> Evened:
    """Make the flat field of the references in these image files, and write it whole.

    Raises:
        CalibrationError: a file cannot be read or written, or the references say nothing.
    """
    bright, black = _rows(white), _rows(dark)
    try:
        flat = from_references(bright, black, datetime.now(UTC).isoformat(timespec="seconds"))
        out.parent.mkdir(parents=True, exist_ok=True)
        with whole(out) as part:
            part.write_bytes(msgspec.json.encode(flat))
    except FlatFieldError as error:
        raise CalibrationError(str(error)) from error
    except OSError as error:
        raise CalibrationError(f"{out} cannot be written: {error.strerror}; choose another with --out") from error
    covered = bright[:, flat.first : flat.last]
    even = np.empty_like(covered)
    Correction(flat, (flat.first, flat.last)).copy(covered, even)
    return Evened(flat, _spread(covered), _spread(even))


@dataclass(frozen=True, slots=True)
class Scaled:
    """What a target says of a recipe's pitches and length."""

    scale: Scale
    nominal_mm: float | None
    """Length of a sheet by the recipe's rows and pitch; None where it has neither."""
    nominal_rows: int | None
    """Rows of such a sheet by the pitch that was measured."""


def scale_from(image: Path, across_mm: float, along_mm: float, recipe: Recipe | None) -> Scaled:
    """The scale of the target in an image file.

    Raises:
        CalibrationError: the file cannot be read, or shows no such target.
    """
    try:
        scale = measure_scale(_rows([image], most=MOST_TARGET_ROWS), across_mm, along_mm)
    except ScaleError as error:
        raise CalibrationError(f"{image}: {error}") from error
    if recipe is None or recipe.length is None or recipe.pitch is None:
        return Scaled(scale, None, None)
    length = recipe.length.nominal_rows * recipe.pitch.row_mm
    return Scaled(scale, length, round(length / scale.row_mm))


def _spread(rows: NDArray[np.uint8]) -> float:
    means = rows.mean(axis=0)
    return float((means.max() - means.min()) / means.mean())


def _rows(paths: Sequence[Path], most: int = MOST_ROWS) -> NDArray[np.uint8]:
    """The rows of all files, one below the other."""
    parts: list[NDArray[np.uint8]] = []
    for path in paths:
        try:
            with open_image(path) as source:
                source.load()
                parts.append(source.rows(0, min(source.height, most)))
        except ImageError as error:
            raise CalibrationError(f"{path}: {error}") from error
        if parts[-1].shape[1] != parts[0].shape[1]:
            raise CalibrationError(
                f"{path} has {parts[-1].shape[1]} columns, {paths[0]} has {parts[0].shape[1]}: take both anew"
            )
    return np.concatenate(parts)[:most]
