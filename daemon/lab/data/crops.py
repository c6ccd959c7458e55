"""The command `linesentry crops`: crops of sheets with their truth, as a folder that the classifier trains on."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from config.schema import Recipe
from daemon.lab.data.pictures import Picture, Source, SourceError
from daemon.lab.data.sources import sources_of
from daemon.lab.data.strangers import is_family
from daemon.lab.orders import CutCrops, EvaluateDetector
from daemon.telemetry.printing import SafeConsole, say
from models.classifier.crops import SIDE, crop_at
from models.training.classifier.examples import CRACK, WITHOUT
from models.training.photographs import manifest_of

_RECIPE = Recipe(name="crops", polarity="both")
_APART = 24
"""Px from a crop without a crack to the nearest one."""
_LEAST_VISIBLE = 0.6
_LEAST_PIXELS = 30
_TRIES = 200


def crops_command(order: CutCrops) -> int:
    """Cut the crops and write them with their manifest.

    Returns:
        0; 2 with one line on stderr when something asked for cannot be used; 130 after Ctrl-C.
    """
    try:
        sources = _sources(order)
        if order.out.exists() and any(order.out.iterdir()):
            raise SourceError(f"{order.out} is not empty: name a folder of its own for the crops")  # noqa: TRY301
        for kind in (CRACK, WITHOUT):
            (order.out / kind).mkdir(parents=True, exist_ok=True)
        console = SafeConsole(stderr=True)
        words = TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn()
        with (
            Progress(*words, console=console, disable=not console.is_terminal, transient=True) as bar,
            (order.out / "manifest.csv").open("w", newline="") as file,
        ):
            task = bar.add_task("the first sheet", total=sum(source.count for source in sources))
            rows = csv.writer(file)
            rows.writerow(("image", "mask_or_label", "set", "group", "class"))
            number = short = 0
            for picture in (one for source in sources for one in source.pictures(_RECIPE)):
                before = number
                for crop, mask in _cut(picture, np.random.default_rng([order.seed or 0, number]), order.each):
                    rows.writerow(_written(order.out, picture, number, crop, mask))
                    number += 1
                short += number - before < order.each
                bar.update(task, advance=1, description=picture.name)
    except (SourceError, OSError) as error:
        say(f"linesentry crops: {error}")
        return 2
    except KeyboardInterrupt:
        say("linesentry crops: interrupted")
        return 130
    if short:
        say(
            f"linesentry crops: {short} sheets gave fewer than {order.each} crops: they have no crack, or no room for "
            "crops without one"
        )
    for source in sources:
        if source.passed:
            say(f"linesentry crops: not cut: {source.passed.words()}")
    print(order.out / "manifest.csv")  # noqa: T201 - the same
    return 0


def _sources(order: CutCrops) -> list[Source]:
    for path in order.data:
        named = path.is_dir() and not (path / "annotations.json").is_file()
        if named and (manifest := manifest_of(path)) is not None:
            # Their crops would bear other groups, of which others are for tests.
            raise SourceError(
                f"the photographs of {path} have groups of their own in {manifest}: train on them as they are, "
                "`linesentry train classifier --data`"
            )
    if yardsticks := [name for one in order.simulate for name in one.split(",") if is_family(name.strip())]:
        raise SourceError(f"{yardsticks[0].strip()} is a yardstick, which nothing is trained on: name a product")
    # All of them: which are for tests is decided by the crops' groups, which are those of the pictures.
    return sources_of(
        EvaluateDetector(
            data=order.data, simulate=order.simulate, plates=order.plates, seed=order.seed, all_groups=True
        )
    )


def _written(
    out: Path, picture: Picture, number: int, crop: NDArray[np.uint8], mask: NDArray[np.bool_]
) -> tuple[str, ...]:
    """Write one crop, and the mask of its crack; its row of the manifest."""
    kind = CRACK if mask.any() else WITHOUT
    image = Path(kind) / f"{number:06d}.png"
    label = Path(kind) / f"{number:06d}_mask.png"
    _store(out / image, crop)
    if mask.any():
        _store(out / label, mask.astype(np.uint8) * np.uint8(255))
    group = picture.group.removeprefix(f"{picture.kind}/")  # a reader of the manifest puts the set before it again
    return str(image), str(label) if mask.any() else "", picture.kind, group, kind


def _store(path: Path, picture: NDArray[np.uint8]) -> None:
    path.write_bytes(cv2.imencode(".png", picture)[1].tobytes())


def _cut(
    picture: Picture, rng: np.random.Generator, count: int
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.bool_]]]:
    """Crops with a crack and without one in turn, and where the crack lies; fewer where there is no such place."""
    rows, columns = picture.image.shape
    marks = np.zeros((rows, columns), np.uint8)
    for one in picture.truth:
        x, y, width, height = one.box
        marks[y : y + height, x : x + width] |= True if one.pixels is None else one.pixels
    judged = [one for one in picture.truth if one.counts and one.visible >= _LEAST_VISIBLE and one.pixels is not None]
    for index in range(count):
        if index % 2 == 0 and judged:
            one = judged[int(rng.integers(len(judged)))]
            assert one.pixels is not None
            ys, xs = np.nonzero(one.pixels)
            at = int(rng.integers(len(ys)))
            x, y = (int(v + rng.normal(0, 14)) for v in (one.box[0] + xs[at], one.box[1] + ys[at]))
            mask = crop_at(marks, x, y) > 0
            if mask.sum() >= _LEAST_PIXELS:
                yield crop_at(picture.image, x, y), mask
        elif index % 2:
            for _ in range(_TRIES):
                x, y = int(rng.integers(columns)), int(rng.integers(rows))
                left, top = max(0, min(x - SIDE // 2, columns - SIDE)), max(0, min(y - SIDE // 2, rows - SIDE))
                around = marks[max(0, top - _APART) : top + SIDE + _APART, max(0, left - _APART) : left + SIDE + _APART]
                if not around.any():
                    yield crop_at(picture.image, x, y), np.zeros((SIDE, SIDE), np.bool_)
                    break
