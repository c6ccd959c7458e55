"""`linesentry classify`: image files as crops, and what the classifier says of them."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from config.errors import file_text
from models.classifier.classifier import GRID, Classified, Classifier
from models.classifier.judgeable import doubts, unjudgeable
from models.classifier.overlay import overlay
from models.classifier.preprocess import resized
from models.images import ImageError, open_image

_AT_ONCE = 8
_MOST_PIXELS = 1 << 28
"""A larger picture is no crop, and no photograph either; a sheet has 188 million."""
_Read = tuple[NDArray[np.uint8], tuple[str, ...]]
"""A picture at the network's input size, and what speaks against an answer on it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one file."""

    path: Path
    chance: float | None = None
    crack: bool | None = None
    explained: Path | None = None
    """The picture with its map, a file of its own."""
    warnings: tuple[str, ...] = ()
    """What speaks against the answer."""
    error: str | None = None


def load(weights: Path | None, device: Literal["auto", "cpu", "cuda"] = "auto") -> Classifier:
    """The classifier, of weights (None: those that ship) that give their known answer on that device.

    Raises:
        ClassifierError: weights or device cannot be used, or the answer is wrong.
    """
    return Classifier.load(weights, device=device)


def answered(
    classifier: Classifier, images: Sequence[Path], explain: Path | None = None, bits: int | None = None
) -> Iterator[Answer]:
    """The answer for each file, in their order; files that cannot be read or judged have an error instead.

    `explain` is the folder for each picture with its Grad-CAM map laid over it, STEM-heat.png. Inputs are never
    written. `bits` are the significant bits of samples deeper than 8 bit; None: as each file says.
    """
    taken = {_real(path) for path in images}
    """What no map is written onto: the inputs, and the maps of others."""
    for first in range(0, len(images), _AT_ONCE):
        read = [_read(path, bits) for path in images[first : first + _AT_ONCE]]
        found = iter(classifier.classify([one[0] for one in read if not isinstance(one, str)]))
        for path, one in zip(images[first : first + _AT_ONCE], read, strict=True):
            if isinstance(one, str):
                yield Answer(path, error=one)
                continue
            pixels, warnings = one
            answer = next(found)
            if not math.isfinite(answer.probability):
                yield Answer(path, error=f"the network gives it no probability (found {answer.probability})")
                continue
            try:
                drawn = None if explain is None else _explained(explain, path, pixels, answer, taken)
            except OSError as error:
                yield Answer(path, error=f"its map cannot be written: {error}")
                continue
            yield Answer(
                path,
                chance=answer.probability,
                crack=answer.probability >= classifier.facts["threshold"],
                explained=drawn,
                warnings=warnings,
            )


def _real(path: Path) -> str:
    """What the path leads to; the path itself where no file can have such a name."""
    try:
        return os.path.realpath(path)
    except ValueError:
        return str(path)


def _read(path: Path, bits: int | None) -> _Read | str:
    """The picture, or what is wrong with it."""
    try:
        with open_image(path, bits) as image:
            if image.width * image.height > _MOST_PIXELS:
                return f"{image.width:,} x {image.height:,} px are no crop: cut it, or use linesentry inspect"
            pixels, notes = image.rows(0, image.height), image.warnings
            if image.depth_doubt:
                return image.depth_doubt
            notes += (image.further_pages,) if image.further_pages else ()
    except ImageError as error:
        return str(error)
    return unjudgeable(pixels) or (resized(pixels), notes + doubts(pixels))


def _explained(folder: Path, path: Path, pixels: NDArray[np.uint8], answer: Classified, taken: set[str]) -> Path:
    """Write the picture with its map, STEM-heat.png, or STEM-2-heat.png and so on where that name is taken."""
    target = folder / f"{path.stem}-heat.png"
    number = 1
    while _real(target) in taken:
        number += 1
        target = folder / f"{path.stem}-{number}-heat.png"
    taken.add(_real(target))
    heat = np.frombuffer(answer.heat, np.uint8).reshape(GRID, GRID)
    picture = cv2.imencode(".png", overlay(pixels, heat)[:, :, ::-1])[1]
    target.write_bytes(picture.tobytes())
    return target


def plain(answer: Answer) -> dict[str, Any]:
    """The answer as values that JSON knows."""
    return {
        "image": file_text(str(answer.path)),
        "probability": None if answer.chance is None else round(answer.chance, 6),
        "crack": answer.crack,
        "explained": None if answer.explained is None else file_text(str(answer.explained)),
        "warnings": list(answer.warnings),
        "error": answer.error,
    }
