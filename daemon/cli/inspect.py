"""`linesentry inspect`: image files through the stages of the line, and what is shown of each."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from config.errors import printable
from daemon.cli.options import BitsOption, Device, JsonOption, console, fail
from daemon.telemetry.printing import SafeConsole

if TYPE_CHECKING:
    from rich.progress import Progress

    from config.schema import Recipe
    from daemon.offline.inspect import InspectResult

INSPECTED, NOT_ALL, WRONG_USAGE = 0, 1, 2
SHOWN_DEFECTS = 10
_COLOURS = {"OK": "green", "NG": "red", "INCONCLUSIVE": "yellow"}


def _pitch(text: str) -> tuple[float, float]:
    try:
        row, column = (float(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(
            f"found {text!r}; give two numbers in mm, a row's and a pixel's: 0.052,0.0416"
        ) from None
    if not (0 < row < 1000 and 0 < column < 1000):
        raise typer.BadParameter(f"found {text!r}; both must be greater than 0 mm")
    return row, column


def inspect(
    images: Annotated[
        list[Path],
        typer.Argument(help="image files, or folders of them: PNG, TIFF, BMP, JPEG; 8 or 16 bit; grey or colour"),
    ],
    recipe: Annotated[str, typer.Option(help="recipe name or file")] = "general",
    json_: JsonOption = False,
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="write a line for each image, as CSV")] = None,
    pictures: Annotated[Path | None, typer.Option(help="write an overview and the defects' crops there")] = None,
    pitch: Annotated[str | None, typer.Option(help="mm a row and mm a pixel across: 0.052,0.0416")] = None,
    bits: BitsOption = None,
    device: Annotated[Device, typer.Option(help="where the detector runs")] = "auto",
) -> None:
    """Inspect image files with the stages of the line, in one process."""
    from config.errors import ConfigError  # noqa: PLC0415 - commands load what they need
    from config.load import load_recipe  # noqa: PLC0415
    from config.schema import Pitch  # noqa: PLC0415
    from daemon.offline.inspect import load_and_inspect  # noqa: PLC0415

    try:
        chosen = load_recipe(recipe)
    except ConfigError as error:
        fail(str(error), WRONG_USAGE)
    if pitch is not None:
        row_mm, column_mm = _pitch(pitch)
        chosen = chosen.model_copy(update={"pitch": Pitch(row_mm=row_mm, column_mm=column_mm)})
    say = _say_json if json_ else _Tables().say
    bar, totals = _Bar(), _Totals()
    files = _files(images)
    with _csv(csv, chosen) as write:
        for result in load_and_inspect(
            bar.named(files), chosen, device, bits=bits, pictures=pictures, progress=bar.told
        ):
            bar.take_away()
            say(result)
            write(result)
            totals.add(result)
    if len(files) > 1 and not json_:
        typer.echo(totals.words())
    raise typer.Exit(NOT_ALL if totals.failed else INSPECTED)


def _files(given: list[Path]) -> list[Path]:
    """The files that are named, and those of folders in natural order; ends the command for a folder without images."""
    from daemon.cameras.folder_files import listed  # noqa: PLC0415 - commands load what they need

    try:
        return [file for path in given for file in (listed(path).images if path.is_dir() else (path,))]
    except (OSError, ValueError) as error:
        fail(str(error), WRONG_USAGE)


@contextmanager
def _csv(path: Path | None, recipe: Recipe) -> Iterator[Callable[[InspectResult], None]]:
    """What writes the line of each image, at once: what was inspected stays, whatever ends the command."""
    if path is None:
        yield lambda _: None
        return
    from daemon.offline.inspect_table import row_of  # noqa: PLC0415 - commands load what they need
    from daemon.store.columns import PLATE_COLUMNS  # noqa: PLC0415
    from daemon.store.tables import CsvTable  # noqa: PLC0415

    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            table, numbers = CsvTable(file, PLATE_COLUMNS), count(1)

            def write(result: InspectResult) -> None:
                table.add(row_of(next(numbers), result, recipe, datetime.now(UTC)))
                file.flush()

            yield write
    except OSError as error:
        fail(f"{path} cannot be written: {error.strerror or error}", WRONG_USAGE)


@dataclass
class _Totals:
    """All images of one command, counted."""

    verdicts: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    defects: int = 0
    seconds: float = 0.0
    pixels: int = 0

    def add(self, result: InspectResult) -> None:
        from stages.plate import found_and_vetoed  # noqa: PLC0415 - commands load what they need

        self.verdicts[result.plate.verdict.value] += 1
        self.failed += result.failed
        self.defects += found_and_vetoed(result.plate.defects)[0]
        self.seconds += result.seconds
        self.pixels += 0 if result.failed else (result.width or 0) * (result.height or 0)

    def words(self) -> str:
        """In one line."""
        counts = " + ".join(f"{self.verdicts[verdict]} {verdict}" for verdict in _COLOURS)
        failed = f", {self.failed} could not be inspected" if self.failed else ""
        speed = self.pixels / 1e6 / max(self.seconds, 1e-9)
        return (
            f"{self.verdicts.total()} images = {counts}; {self.defects} defects{failed}; "
            f"{self.seconds:.1f} s, {speed:.1f} Mpx/s"
        )


def _say_json(result: InspectResult) -> None:
    from daemon.offline.inspect import to_json  # noqa: PLC0415 - commands load what they need

    sys.stdout.write(json.dumps(to_json(result), allow_nan=False) + "\n")
    sys.stdout.flush()


class _Tables:
    """A table for each image on stdout, for people."""

    def __init__(self) -> None:
        self._console = console()

    def say(self, result: InspectResult) -> None:
        from rich.markup import escape  # noqa: PLC0415 - commands load what they need
        from rich.table import Table  # noqa: PLC0415

        plate = result.plate
        colour = _COLOURS[plate.verdict]
        table = Table(title=escape(printable(result.image)), title_justify="left", show_header=False, min_width=60)
        table.add_column(style="bold", no_wrap=True)
        table.add_column(overflow="fold")
        table.add_row("verdict", f"[bold {colour}]{plate.verdict.value}[/]")
        if plate.reason:
            table.add_row("reason", escape(printable(plate.reason)))
        if result.width is not None and result.height is not None:
            table.add_row("size", f"{result.width:,} x {result.height:,} px, {plate.windows} windows")
        if not result.failed:
            table.add_row("judged", "nothing" if plate.coverage is None else f"{plate.coverage:.1%}")
            speed = (result.width or 0) * (result.height or 0) / 1e6 / max(result.seconds, 1e-9)
            table.add_row("time", f"{result.seconds:.2f} s, {speed:.1f} Mpx/s")
            table.add_row("defects", _defects(result))
            if plate.classifier != "off":
                table.add_row("classifier", escape(plate.classifier))
        for warning in result.warnings:
            table.add_row("warning", escape(printable(warning)))
        if result.evidence is not None and result.evidence.overview is not None:
            table.add_row("pictures", escape(printable(str(result.evidence.overview))))
        self._console.print(table)


def _defects(result: InspectResult) -> str:
    from stages.plate import found_and_vetoed, worst_first  # noqa: PLC0415 - commands load what they need

    defects = worst_first(result.plate.defects)
    found, vetoed = found_and_vetoed(defects)
    lines = [f"{found or 'none'}" + (f", and {vetoed} vetoed" if vetoed else "")]
    for defect in defects[:SHOWN_DEFECTS]:
        line = f"score {defect.score:.2f}  x {defect.x}  y {defect.y}  {defect.width} x {defect.height} px"
        if defect.width_mm is not None and defect.height_mm is not None:
            line += f"  {defect.width_mm:.2f} x {defect.height_mm:.2f} mm"
        if defect.probability is not None:
            line += f"  crack {defect.probability:.0%}" + (" (vetoed)" if defect.vetoed else "")
        lines.append(line + ("  at the edge" if defect.edge else ""))
    if len(defects) > SHOWN_DEFECTS:
        lines.append(f"and {len(defects) - SHOWN_DEFECTS} more")
    return "\n".join(lines)


class _Bar:
    """A progress bar on stderr for an image that takes over two seconds, where a person is watching."""

    patience_s = 2.0

    def __init__(self) -> None:
        self._watched = sys.stderr.isatty()
        self._name = ""
        self._started = 0.0
        self._progress: Progress | None = None

    def named(self, paths: list[Path]) -> Iterator[Path]:
        """The paths, each noted as it is taken."""
        for path in paths:
            self._name, self._started = printable(path.name), time.monotonic()
            yield path

    def told(self, done: int, total: int) -> None:
        """Show or move the bar."""
        if not self._watched or (self._progress is None and time.monotonic() - self._started < self.patience_s):
            return
        if self._progress is None:
            from rich.progress import (  # noqa: PLC0415
                BarColumn,
                Progress,
                TaskProgressColumn,
                TextColumn,
                TimeRemainingColumn,
            )

            words = TextColumn("{task.description}", markup=False)
            self._progress = Progress(
                words,
                BarColumn(),
                TaskProgressColumn(),
                TimeRemainingColumn(),
                console=SafeConsole(stderr=True),
                transient=True,
            )
            self._progress.add_task(self._name, total=total)
            self._progress.start()
        self._progress.update(self._progress.task_ids[0], completed=done)

    def take_away(self) -> None:
        """End the bar, if there is one."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
