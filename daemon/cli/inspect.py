"""The command `linesentry inspect`: from the words of the command line to output and exit code."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from config.errors import ConfigError
from config.load import load_recipe
from config.schema import Pitch, Recipe, Workers
from daemon.offline.inspect import InspectResult, failure, inspect_files, load_classifier, shown, to_json
from stages.plate import Verdict, found_and_vetoed, worst_first

if TYPE_CHECKING:
    from models.detector.detector import Detector

INSPECTED, NOT_ALL, WRONG_USAGE = 0, 1, 2
SHOWN_DEFECTS = 10
_COLOURS = {Verdict.OK: "green", Verdict.NG: "red", Verdict.INCONCLUSIVE: "yellow"}

Device = Literal["auto", "cpu", "cuda"]


def inspect_command(
    images: list[Path],
    recipe: str = "general",
    *,
    json_lines: bool = False,
    pictures: Path | None = None,
    pitch: tuple[float, float] | None = None,
    bits: int | None = None,
    device: Device = "auto",
) -> int:
    """Inspect image files and write what was found to stdout; returns the exit code.

    Args:
        images: the files, inspected and reported in this order.
        recipe: name of a recipe that ships, or the path of one.
        json_lines: one JSON object a line and nothing else on stdout; else a table for each image.
        pictures: folder for an overview and crops of each image.
        pitch: mm from row to row and from column to column, in place of the recipe's.
        bits: significant bits of samples deeper than 8 bit.
        device: where the detector computes.

    Returns:
        0 when all were inspected, whatever their verdicts; 1 when some could not be; 2 for wrong usage.
    """
    try:
        chosen = _recipe(images, recipe, pitch, bits)
    except (ConfigError, ValueError) as error:
        print(f"linesentry inspect: {error}", file=sys.stderr)  # noqa: T201 - a command speaks
        return WRONG_USAGE
    say = _say_json if json_lines else _Tables().say
    code = INSPECTED
    try:
        for result in _results(images, chosen, pictures, bits, device):
            say(result)
            if result.failed:
                code = NOT_ALL
    except BrokenPipeError:
        # who read stdout has left; nothing more can be said there, not even when the interpreter flushes it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOT_ALL
    return code


def _recipe(images: list[Path], name: str, pitch: tuple[float, float] | None, bits: int | None) -> Recipe:
    if not images:
        raise ValueError("no image was named; name one or more image files")
    if bits is not None and not 1 <= bits <= 16:
        raise ValueError(f"--bits must be from 1 to 16, not {bits}")
    recipe = load_recipe(name)
    if pitch is None:
        return recipe
    row_mm, column_mm = pitch
    if not (0 < row_mm < float("inf") and 0 < column_mm < float("inf")):
        raise ValueError(f"--pitch must be two sizes in mm greater than 0, ROW,COLUMN, not {row_mm:g},{column_mm:g}")
    return recipe.model_copy(update={"pitch": Pitch(row_mm=row_mm, column_mm=column_mm)})


def _results(
    images: list[Path], recipe: Recipe, pictures: Path | None, bits: int | None, device: Device
) -> Iterator[InspectResult]:
    try:
        detectors = _detectors(recipe, device)
        classifier = load_classifier(recipe, device)
    except Exception as error:  # noqa: BLE001 - whatever stops the networks stops each image, and is said of each
        for path in images:
            yield failure(path, f"the networks cannot be loaded: {error}; run linesentry doctor")
        return
    bar = _Bar()
    found = inspect_files(
        bar.named(images),
        recipe,
        detectors,
        classifier=classifier,
        bits=bits,
        pictures=pictures,
        progress=bar.told,
    )
    for result in found:
        bar.take_away()
        yield result


def _detectors(recipe: Recipe, device: Device) -> list[Detector]:
    """One detector for each core, each computing on one thread as the workers of the service do; one for a GPU."""
    import torch  # noqa: PLC0415 - seconds to load: not for wrong usage or help

    from models.detector.detector import Detector  # noqa: PLC0415 - the same

    torch.set_num_threads(1)
    count = 1
    if device == "cpu" or (device == "auto" and not torch.cuda.is_available()):
        count = len(os.sched_getaffinity(0))
    return [Detector.load(recipe, device, batch=Workers().batch) for _ in range(count)]


def _say_json(result: InspectResult) -> None:
    sys.stdout.write(json.dumps(to_json(result), allow_nan=False) + "\n")
    sys.stdout.flush()


class _Tables:
    """A table for each image on stdout, for people."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)

    def say(self, result: InspectResult) -> None:
        plate = result.plate
        colour = _COLOURS[plate.verdict]
        table = Table(title=escape(shown(result.image)), title_justify="left", show_header=False, min_width=60)
        table.add_column(style="bold", no_wrap=True)
        table.add_column(overflow="fold")
        table.add_row("verdict", f"[bold {colour}]{plate.verdict.value}[/]")
        if plate.reason:
            table.add_row("reason", escape(plate.reason))
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
            table.add_row("warning", escape(shown(warning)))
        if result.evidence is not None and result.evidence.overview is not None:
            table.add_row("pictures", escape(shown(str(result.evidence.overview))))
        self._console.print(table)


def _defects(result: InspectResult) -> str:
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
            self._name, self._started = shown(path.name), time.monotonic()
            yield path

    def told(self, done: int, total: int) -> None:
        """Show or move the bar."""
        if not self._watched or (self._progress is None and time.monotonic() - self._started < self.patience_s):
            return
        if self._progress is None:
            words = TextColumn("{task.description}", markup=False)
            self._progress = Progress(
                words,
                BarColumn(),
                TaskProgressColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
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
