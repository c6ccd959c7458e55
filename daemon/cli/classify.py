"""The command `linesentry classify`: image files as crops, and what the classifier says of them."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from models.classifier.classifier import GRID, Classified, Classifier
from models.classifier.errors import ClassifierError
from models.classifier.overlay import overlay
from models.classifier.preprocess import resized
from models.images import ImageError, open_image

CLASSIFIED, NOT_ALL, WRONG_USAGE = 0, 1, 2
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one file."""

    path: Path
    chance: float | None = None
    crack: bool | None = None
    explained: Path | None = None
    """The picture with its map, a file of its own."""
    error: str | None = None


def classify_command(
    images: Sequence[Path],
    *,
    json_lines: bool = False,
    explain: Path | None = None,
    weights: Path | None = None,
    device: Literal["auto", "cpu", "cuda"] = "auto",
) -> int:
    """Classify image files, each as a whole, and write what was found to stdout.

    Args:
        images: the files, answered in this order.
        json_lines: one JSON object a line and nothing else on stdout; else a table.
        explain: folder for each picture with its Grad-CAM map laid over it, STEM-heat.png; inputs are never written.
        weights: in place of those that ship.
        device: where the classifier computes.

    Returns:
        0 when all were classified, 1 when some could not be, 2 when weights or folder cannot be used, or the weights
        do not give their known answer here.
    """
    try:
        if explain is not None:
            explain.mkdir(parents=True, exist_ok=True)
        classifier = Classifier.load(weights, device=device)
        classifier.known_answer()
    except (ClassifierError, OSError) as error:
        print(f"linesentry classify: {error}", file=sys.stderr)  # noqa: T201 - a command speaks
        return WRONG_USAGE
    if doubt := classifier.doubt():
        print(f"linesentry classify: {doubt}", file=sys.stderr)  # noqa: T201 - the same
    answers: list[Answer] = []
    try:
        for answer in answered(classifier, images, explain):
            answers.append(answer)
            if answer.error is not None:
                print(f"linesentry classify: {answer.path}: {answer.error}", file=sys.stderr)  # noqa: T201 - the same
            if json_lines:
                print(json.dumps(_plain(answer), allow_nan=False), flush=True)  # noqa: T201 - the same
        if not json_lines:
            Console().print(_table(answers, classifier))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOT_ALL
    return NOT_ALL if any(one.error is not None for one in answers) else CLASSIFIED


def answered(classifier: Classifier, images: Sequence[Path], explain: Path | None = None) -> Iterator[Answer]:
    """The answer for each file, in their order; files that cannot be read or judged have an error instead."""
    taken = {os.path.realpath(path) for path in images}
    """What no map is written onto: the inputs, and the maps of others."""
    for first in range(0, len(images), _AT_ONCE):
        read = [_read(path) for path in images[first : first + _AT_ONCE]]
        found = iter(classifier.classify([one for one in read if not isinstance(one, str)]))
        for path, pixels in zip(images[first : first + _AT_ONCE], read, strict=True):
            if isinstance(pixels, str):
                yield Answer(path, error=pixels)
                continue
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
            )


def _read(path: Path) -> NDArray[np.uint8] | str:
    """The picture at the network's input size, or what is wrong with it."""
    try:
        with open_image(path) as image:
            return resized(image.rows(0, image.height))
    except ImageError as error:
        return str(error)


def _explained(folder: Path, path: Path, pixels: NDArray[np.uint8], answer: Classified, taken: set[str]) -> Path:
    """Write the picture with its map, STEM-heat.png, or STEM-2-heat.png and so on where that name is taken."""
    target = folder / f"{path.stem}-heat.png"
    number = 1
    while os.path.realpath(target) in taken:
        number += 1
        target = folder / f"{path.stem}-{number}-heat.png"
    taken.add(os.path.realpath(target))
    heat = np.frombuffer(answer.heat, np.uint8).reshape(GRID, GRID)
    picture = cv2.imencode(".png", overlay(pixels, heat)[:, :, ::-1])[1]
    target.write_bytes(picture.tobytes())
    return target


def _plain(answer: Answer) -> dict[str, Any]:
    return {
        "image": str(answer.path),
        "probability": None if answer.chance is None else round(answer.chance, 6),
        "crack": answer.crack,
        "explained": None if answer.explained is None else str(answer.explained),
        "error": answer.error,
    }


def _table(answers: Sequence[Answer], classifier: Classifier) -> Table:
    table = Table(title=f"crack from {classifier.facts['threshold']:.3f} on", title_justify="left")
    table.add_column("image", overflow="fold")
    table.add_column("crack", justify="center")
    table.add_column("probability", justify="right")
    for one in answers:
        words = "-" if one.crack is None else "[red]yes[/]" if one.crack else "[green]no[/]"
        table.add_row(escape(str(one.path)), words, "-" if one.chance is None else f"{one.chance:.3f}")
    return table
