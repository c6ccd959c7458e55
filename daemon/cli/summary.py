"""What a person at a terminal reads when a run is over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from config.errors import printable
from config.schema import Recipe
from daemon.cli.plate_progress import Passing
from daemon.store.pictures import plate_directory
from daemon.store.results import store_path
from daemon.store.view import STYLE
from daemon.store.where import place_of
from models.measure.matching import match
from stages.plate import PlateResult, Verdict, found_and_vetoed

_VISIBLE = 0.3
"""Cracks less visible than this are counted neither as found nor as missed."""

Truth = Sequence[Sequence[Mapping[str, float]]]
"""The cracks of each sheet of a simulated line, which come round again."""


@dataclass(frozen=True, slots=True)
class Totals:
    """What a whole run came to."""

    seen: int
    verdicts: Mapping[Verdict, int]
    left: Sequence[int]
    """Plates without a verdict."""
    cut_short: Sequence[int]
    """Plates that were ended without their windows, because nobody was left to finish them."""
    pixels: float
    seconds: float
    """From the first leading edge to the last verdict."""
    workers: int


class Summary:
    """Prints the end of one run."""

    def __init__(self, console: Console, recipe: Recipe, state: Path, run: str) -> None:
        self._console = console
        self._recipe = recipe
        self._state = state
        self._run = run

    def show(self, totals: Totals, plates: Sequence[Passing], truth: Truth | None, first_plate: int) -> None:
        """Print a table of `plates`, the latest of the run, the totals, and where results and pictures are."""
        done = [(passing, passing.result) for passing in plates if passing.result is not None]
        if done:
            self._console.print(self._table(done, truth, first_plate))
        decided = sum(totals.verdicts.values())
        if decided > len(done):
            self._say("", f"the latest {len(done)} of {decided} plates; `linesentry results --limit {decided}` has all")
        self._totals(totals)
        for passing, result in done:
            if result.reason:
                self._say(f"plate {passing.plate}", printable(result.reason))
        self._say("results", place_of(store_path(self._state)))
        self._pictures([result.plate for _, result in done])

    def _pictures(self, plates: Sequence[int]) -> None:
        folders = [plate_directory(self._state, self._run, plate) for plate in plates]
        folders = [folder for folder in folders if (folder / "overview.jpg").is_file()]
        crops = sum(len(list(folder.glob("*defect-*[0-9].png"))) for folder in folders)
        if len(folders) == 1:
            self._say("pictures", f"{folders[0] / 'overview.jpg'} and {crops} crops beside it")
        elif folders:
            self._say("pictures", f"{folders[0].parent}, a folder a plate: {len(folders)} overviews, {crops} crops")

    def _table(self, done: Sequence[tuple[Passing, PlateResult]], truth: Truth | None, first_plate: int) -> Table:
        table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
        table.add_column("plate", justify="right")
        images = any(result.image for _, result in done)
        if images:
            table.add_column("image", overflow="fold")
        table.add_column("verdict", no_wrap=True)
        known = () if truth is None else ("true", "false", "missed")
        vetoes = any(found_and_vetoed(result.defects)[1] for _, result in done)
        for column in ("defects", *(["vetoed"] if vetoes else []), *known, "judged", "latency", "mm2/s", "Mpx/s"):
            table.add_column(column, justify="right", no_wrap=True)
        for passing, result in done:
            latency = passing.decided.latency_s if passing.decided else None
            table.add_row(
                str(result.plate),
                *([Text(printable(result.image or ""))] if images else []),
                Text(result.verdict, STYLE[result.verdict]),
                *map(str, found_and_vetoed(result.defects)[: 2 if vetoes else 1]),
                *([] if truth is None else _compared(result, truth[(passing.plate - first_plate) % len(truth)])),
                "-" if result.coverage is None else f"{result.coverage:.1%}",
                "-" if latency is None else f"{latency:.2f} s",
                *self._speed(passing.speed(self._recipe)),
            )
        return table

    def _totals(self, totals: Totals) -> None:
        counts = ", ".join(f"{count} {verdict}" for verdict, count in totals.verdicts.items())
        self._say("plates", f"{totals.seen} seen: {counts}")
        for plates, what in (
            (totals.cut_short, "ended at once, without all their windows: INCONCLUSIVE"),
            (totals.left, "without a verdict: the next start makes them INCONCLUSIVE"),
        ):
            if plates:
                self._say("", f"{', '.join(map(str, plates))} {what}")
        if totals.seconds > 0:
            area, mpx = self._speed(totals.pixels / totals.seconds)
            self._say("together", f"{totals.seconds:.1f} s: {area} mm2/s, {mpx} Mpx/s, workers: {totals.workers}")

    def _say(self, what: str, text: str) -> None:
        self._console.print(f"{what:<9} {text}", soft_wrap=True, highlight=False, markup=False)

    def _speed(self, per_second: float | None) -> tuple[str, str]:
        """Throughput in mm2/s (where the recipe has a pitch) and in Mpx/s."""
        if per_second is None:
            return "-", "-"
        pitch = self._recipe.pitch
        area = "-" if pitch is None else f"{per_second * pitch.row_mm * pitch.column_mm:,.0f}"
        return area, f"{per_second / 1e6:.1f}"


def _compared(result: PlateResult, cracks: Sequence[Mapping[str, float]]) -> list[str]:
    """True, false and missed defects."""
    found = [(d.x, d.y, d.width, d.height) for d in result.defects if not d.vetoed]
    seen = [_box(crack) for crack in cracks if crack["visible"] >= _VISIBLE]
    hidden = [_box(crack) for crack in cracks if crack["visible"] < _VISIBLE]
    compared = match(found, seen, hidden)
    return [str(compared.true), str(compared.false), str(compared.missed)]


def _box(crack: Mapping[str, float]) -> tuple[int, int, int, int]:
    return int(crack["x"]), int(crack["y"]), int(crack["width"]), int(crack["height"])
