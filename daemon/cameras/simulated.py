"""What the simulated line replays: sheets rendered beforehand, or the images of a folder."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from config.schema import Config, Recipe
from simulator.line.replay import FolderLine, LineSettings, SheetLine
from simulator.sheets.products import PRODUCTS, Product
from simulator.sheets.sheet import render
from stages.camera import LineSource

TRUTH_FILE = "truth.json"
_REPORT_S = 0.25


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
    from models.images import open_image  # noqa: PLC0415 - codecs are only loaded where images are replayed

    with open_image(path) as image:
        return image.rows(0, image.height)


Boxes = list[dict[str, float]]


def _render_all(
    config: Config, product: Product, count: int, progress: Callable[[str], None]
) -> tuple[list[NDArray[np.uint8]], list[Boxes]]:
    """Render sheets and their true boxes, telling how far it is."""
    settings = config.simulator
    started = reported = time.monotonic()
    images: list[NDArray[np.uint8]] = []
    truths: list[Boxes] = []

    def report(rows: int, total: int) -> None:
        nonlocal reported
        now = time.monotonic()
        if now - reported > _REPORT_S:
            reported = now
            share = (len(images) + rows / total) / count
            progress(f"making {count} sheets: {share:.0%} after {now - started:.0f} s")

    for index in range(count):
        sheet = render(
            product,
            settings.seed + index,
            settings.density,
            interference=settings.interference,
            strength=settings.strength,
            on_progress=report,
        )
        images.append(sheet.image)
        truths.append(
            [
                {"x": crack.x, "y": crack.y, "width": crack.width, "height": crack.height, "visible": crack.visible}
                for crack in sheet.truth.cracks
            ]
        )
    return images, truths
