"""`linesentry export`: what people marked, and weights, for other programs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.filters import Filters
from daemon.cli.options import configured, fail, takes_order
from daemon.cli.results import results_of
from daemon.lab.orders import ExportClassifier
from daemon.telemetry.printing import SafeConsole, say

if TYPE_CHECKING:
    from daemon.offline.marked import Lost, Marked
    from daemon.offline.review_export import Written
    from daemon.store.history import Selection
    from daemon.store.reading import Reader
    from daemon.store.rows import PlateRow

export = typer.Typer(name="export", no_args_is_help=True, help="Write marks and weights for other programs.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportMarks(Filters):
    """Write what people marked."""

    out: Annotated[Path, typer.Argument(help="new folder; of csv a file")]


@export.command("crops")
@takes_order
def export_crops(order: ExportMarks) -> None:
    """Write a crop of each mark, and the mask of each crack, as `train` and `teach` take them."""
    from daemon.offline.review_export import write_crops  # noqa: PLC0415 - commands load what they need

    _export(order, write_crops, "manifest.csv")


@export.command("coco")
@takes_order
def export_coco(order: ExportMarks) -> None:
    """Write a crop of each mark and the cracks in COCO's form."""
    from daemon.offline.review_export import write_coco  # noqa: PLC0415 - commands load what they need

    _export(order, write_coco, "annotations.json")


@export.command("csv")
@takes_order
def export_csv(order: ExportMarks) -> None:
    """Write a line for each defect with its mark, and for each missed crack."""
    from daemon.store.columns import DEFECT_COLUMNS, defect_rows  # noqa: PLC0415 - commands load what they need
    from daemon.store.tables import CsvTable  # noqa: PLC0415
    from models.machine.files import whole  # noqa: PLC0415

    lines = 0
    try:
        with (
            results_of(order) as (found, selection),
            whole(order.out) as part,
            part.open("w", encoding="utf-8", newline="") as file,
        ):
            table = CsvTable(file, DEFECT_COLUMNS)
            for row in _told_of(found, selection):
                for one in defect_rows(row):
                    table.add(one)
                    lines += 1
    except OSError as error:
        fail(f"{order.out} cannot be written: {error.strerror or error}")
    say(f"linesentry: {lines} defects in {order.out}", error=False)


@export.command("classifier")
@takes_order
def export_classifier(order: ExportClassifier) -> None:
    """Write the classifier as TorchScript, torch.export and ONNX, compared on what chose its weights."""
    from daemon.lab.export import export_classifier_command  # noqa: PLC0415 - commands load what they need

    export_classifier_command(order)


def _export(order: ExportMarks, write: Callable[[Path, Iterator[Marked | Lost]], Written], name: str) -> None:
    from daemon.offline.review_export import OutError  # noqa: PLC0415 - commands load what they need

    try:
        written = write(order.out, _marked(order))
    except OutError as error:
        fail(str(error), 2)
    except OSError as error:
        fail(f"{order.out} cannot be written: {error.strerror or error}")
    if written.lost:
        say(
            f"linesentry: {written.lost} marks have no picture any more: crops of the worst defects are kept, and "
            "whole sheets of a folder of images"
        )
    if not written.cracks + written.without:
        say("linesentry: nothing is marked there: `linesentry mark` marks defects")
    say(f"{order.out / name}: {written.cracks} with a crack, {written.without} without", error=False)


def _marked(order: ExportMarks) -> Iterator[Marked | Lost]:
    from dataclasses import replace  # noqa: PLC0415 - commands load what they need

    from daemon.offline.marked import marked  # noqa: PLC0415
    from daemon.offline.plate_pictures import PlatePictures  # noqa: PLC0415
    from daemon.store.state import state_path  # noqa: PLC0415

    settings, recipe = configured(order.config, None, order.state)
    with results_of(order) as (found, selection):
        for row in _told_of(found, replace(selection, marked=True)):
            yield from marked(row, PlatePictures(row, state_path(settings), settings, recipe))


def _told_of(found: Reader, selection: Selection) -> Iterator[PlateRow]:
    """The selection's plates; how many are done is told where they take long."""
    from daemon.lab.progress import Teller  # noqa: PLC0415 - commands load what they need

    with Teller("linesentry export", SafeConsole(stderr=True)) as teller:
        teller.part("plates", found.totals(selection).seen, at_once=False)
        for row in found.plates(selection):
            yield row
            teller.step(f"plate {row.plate}")
