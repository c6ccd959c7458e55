"""The simulated camera: sheets rendered beforehand roll past it, over and over."""

from __future__ import annotations

import time
from dataclasses import replace

import msgspec

from config.schema import Ageing, Recipe
from daemon.cameras.registry import TRUTH_FILE
from daemon.cameras.rendering import Order, RenderError, rendered
from daemon.cameras.replay import ReplayCamera
from simulator.line.replay import LineSettings, Optics, Replay, SheetLine
from simulator.sheets.products import PRODUCTS, Product
from stages.camera import CameraError, Progress


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


class SimulatedCamera(ReplayCamera):
    """Sheets made by the simulator before the line starts; their truth goes to the run's directory (TRUTH_FILE)."""

    def make_line(self, settings: LineSettings, progress: Progress) -> Replay:
        """Have the sheets rendered, telling how far it is, and say their truth."""
        order, simulator = self.order, self.order.config.simulator
        count = simulator.sheets if order.plates is None else min(simulator.sheets, order.plates)
        started = time.monotonic()

        def report(share: float) -> None:
            progress(f"making {count} sheets: {share:.0%} after {time.monotonic() - started:.0f} s")

        rendering = Order(
            product=product_of(order.recipe),
            count=count,
            seed=simulator.seed,
            density=simulator.density,
            interference=simulator.interference,
            strength=simulator.strength,
        )
        try:
            sheets, truths = rendered(rendering, report)
        except RenderError as error:
            raise CameraError(str(error)) from error
        (order.directory / TRUTH_FILE).write_bytes(msgspec.json.encode(truths))
        first = order.recipe.columns.first if order.recipe.columns else 0
        settings = replace(settings, optics=_optics(simulator.ageing, settings.width))
        return SheetLine(sheets, first, plates=order.plates, settings=settings)


def _optics(ageing: Ageing, width: int) -> Optics | None:
    """The faults that are asked for; None where none are."""
    if not (ageing.light or ageing.uneven or ageing.defocus or ageing.dust_column is not None):
        return None
    from simulator.line.optics import AgeingOptics  # noqa: PLC0415 - OpenCV, which a line does without

    return AgeingOptics(
        width,
        after=ageing.after,
        light_a_sheet=ageing.light,
        uneven=ageing.uneven,
        dust_column=ageing.dust_column,
        dust_share=ageing.dust,
        defocus_a_sheet=ageing.defocus,
    )
