"""What the simulated line replays: sheets rendered beforehand, in processes of their own, or the images of a folder."""

from __future__ import annotations

import json
import multiprocessing as mp
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.sharedctypes import SynchronizedArray
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from config.schema import Config, Recipe
from simulator.products import PRODUCTS, Product
from simulator.replay import FolderLine, LineSettings, SheetLine
from simulator.sheet import render
from stages.camera import LineSource

TRUTH_FILE = "truth.json"
_REPORT_S = 0.25
_progress: SynchronizedArray[float]


def product_of(recipe: Recipe) -> Product:
    """The simulator's product of that recipe: its name where it is known, and always the recipe's size."""
    known = PRODUCTS.get(recipe.name)
    if recipe.length is None or recipe.columns is None:
        raise ValueError(f"recipe {recipe.name} has no length or no columns: no sheet of it can be rendered")
    pitch = recipe.pitch
    return Product(
        name=recipe.name,
        rows=recipe.length.nominal_rows,
        columns=recipe.columns.count,
        row_mm=pitch.row_mm if pitch else known.row_mm if known else 0.05204,
        column_mm=pitch.column_mm if pitch else known.column_mm if known else 0.04163,
        first_column=recipe.columns.first,
    )


def make_line(
    config: Config, recipe: Recipe, directory: Path, plates: int | None, progress: Callable[[str], None]
) -> LineSource:
    """The line that the configuration asks for; the truth of its sheets is written to `directory`/truth.json."""
    camera = config.camera
    first = recipe.columns.first if recipe.columns else 0
    settings = LineSettings(
        width=camera.width,
        strip_rows=camera.strip_rows,
        gap_rows=camera.gap_rows,
        switch_offset_rows=recipe.switch.offset_rows,
    )
    if camera.source == "folder":
        assert camera.folder is not None
        return FolderLine(camera.folder, _read_grey, first, repeat=plates is not None, settings=settings)
    wanted = config.simulator.sheets if plates is None else min(config.simulator.sheets, plates)
    sheets, truths = _render_all(config, product_of(recipe), wanted, progress)
    (directory / TRUTH_FILE).write_text(json.dumps(truths), encoding="utf-8")
    return SheetLine(sheets, first, plates=plates, settings=settings)


def _read_grey(path: Path) -> NDArray[np.uint8]:
    from daemon.images import open_image  # noqa: PLC0415 - codecs are only loaded where images are replayed

    with open_image(path) as image:
        return image.rows(0, image.height)


Boxes = list[dict[str, float]]


def _render_all(
    config: Config, product: Product, count: int, progress: Callable[[str], None]
) -> tuple[Sequence[NDArray[np.uint8]], list[Boxes]]:
    """Render sheets in as many processes as there are cores, telling how far they are."""
    context = mp.get_context("spawn")
    done = context.Array("d", count)
    started = time.monotonic()
    jobs = min(count, len(os.sched_getaffinity(0)))
    with ProcessPoolExecutor(jobs, context, _share_progress, (done,)) as pool:
        futures = [pool.submit(_render, config, product, index) for index in range(count)]
        while not all(future.done() for future in futures):
            share = sum(done[:]) / count
            progress(f"making sheets: {share:.0%} of {count}, {time.monotonic() - started:.0f} s")
            time.sleep(_REPORT_S)
        made = [future.result() for future in futures]
    progress(f"{count} sheets made in {time.monotonic() - started:.0f} s")
    return [image for image, _ in made], [boxes for _, boxes in made]


def _share_progress(done: SynchronizedArray[float]) -> None:
    global _progress  # noqa: PLW0603 - the one way to hand a shared array to a pool's processes
    _progress = done


def _render(config: Config, product: Product, index: int) -> tuple[NDArray[np.uint8], Boxes]:
    def report(rows: int, total: int) -> None:
        _progress[index] = rows / total

    settings = config.simulator
    sheet = render(
        product,
        settings.seed + index,
        settings.density,
        interference=settings.interference,
        strength=settings.strength,
        on_progress=report,
    )
    boxes: Boxes = [
        {"x": crack.x, "y": crack.y, "width": crack.width, "height": crack.height, "visible": crack.visible}
        for crack in sheet.truth.cracks
    ]
    return sheet.image, boxes
