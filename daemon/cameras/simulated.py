"""What the simulated line replays: sheets rendered beforehand, or the images of a folder."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from config.schema import Config, Recipe
from daemon.cameras.rendering import Crack, Order, rendered
from simulator.line.replay import FolderLine, LineSettings, SheetLine
from simulator.sheets.products import PRODUCTS, Product
from stages.camera import LineSource

TRUTH_FILE = "truth.json"


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
    (directory / TRUTH_FILE).write_bytes(msgspec.json.encode(truths))
    return SheetLine(sheets, first, plates=plates, settings=settings)


def _read_grey(path: Path) -> NDArray[np.uint8]:
    from models.images import open_image  # noqa: PLC0415 - codecs are only loaded where images are replayed

    with open_image(path) as image:
        return image.rows(0, image.height)


def _render_all(
    config: Config, product: Product, count: int, progress: Callable[[str], None]
) -> tuple[list[NDArray[np.uint8]], list[list[Crack]]]:
    """Render sheets and their true boxes, telling how far it is."""
    settings = config.simulator
    started = time.monotonic()

    def report(share: float) -> None:
        progress(f"making {count} sheets: {share:.0%} after {time.monotonic() - started:.0f} s")

    order = Order(
        product=product,
        count=count,
        seed=settings.seed,
        density=settings.density,
        interference=settings.interference,
        strength=settings.strength,
    )
    return rendered(order, report)
