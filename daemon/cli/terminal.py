"""What a person at a terminal sees of a run: progress of each plate while it passes, and a table at the end."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from daemon.cameras.simulated import TRUTH_FILE
from daemon.service.supervisor import Supervisor
from daemon.store.pictures import plate_directory
from daemon.wire.messages import Decided
from daemon.wire.plate_memory import State
from models.measure.matching import match
from stages.plate import Verdict, found_and_vetoed, window_columns, window_rows

_STYLES = {Verdict.OK: "bold green", Verdict.NG: "bold red", Verdict.INCONCLUSIVE: "bold yellow"}
_REFRESH_S = 0.2
_BESIDE_BAR = 72
"""Characters of a plate's line beside its bar."""
_VISIBLE = 0.3
"""Cracks less visible than this are counted neither as found nor as missed."""


@dataclass(slots=True)
class _Passing:
    plate: int
    since: float
    rows: int = 0
    windows: int = 0
    regions: int = 0
    decided: Decided | None = None
    seconds: float = 0.0


@dataclass(slots=True)
class TerminalView:
    """Watches a supervisor and draws; the last table stays on the screen."""

    console: Console
    _plates: dict[int, _Passing] = field(default_factory=dict)
    _live: Live | None = None
    _drawn_at: float = 0.0
    _truth: list[list[dict[str, float]]] | None = None
    _first_plate: int = 1

    def __enter__(self) -> Self:
        self._live = Live(console=self.console, auto_refresh=False, transient=True)
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def seen(self, plate: int) -> None:
        """The switch saw a plate begin."""
        self._plates[plate] = _Passing(plate, time.monotonic())

    def final(self, decided: Decided) -> None:
        """A plate's verdict is committed."""
        passing = self._plates.setdefault(decided.result.plate, _Passing(decided.result.plate, time.monotonic()))
        passing.decided = decided
        passing.seconds = time.monotonic() - passing.since

    def pulse(self, supervisor: Supervisor) -> None:
        """Draw, a few times a second."""
        now = time.monotonic()
        if now - self._drawn_at < _REFRESH_S or self._live is None:
            return
        self._drawn_at = now
        self._first_plate = supervisor.first_plate
        truth = supervisor.sockets / TRUTH_FILE
        if self._truth is None and truth.is_file() and self._plates:
            self._truth = json.loads(truth.read_text(encoding="utf-8"))
        for facts in supervisor.memory.all_facts():
            if facts.state is not State.FREE and facts.plate in self._plates:
                self._plates[facts.plate].rows = max(self._plates[facts.plate].rows, facts.rows)
        for plate, (windows, regions) in supervisor.children.plates().items():
            if plate in self._plates:
                self._plates[plate].windows, self._plates[plate].regions = windows, regions
        self._live.update(self._picture(supervisor, now), refresh=True)

    def _picture(self, supervisor: Supervisor, now: float) -> RenderableType:
        recipe = supervisor.recipe
        assert recipe.length is not None
        assert recipe.columns is not None
        total_rows = recipe.length.nominal_rows
        total = window_rows(total_rows, recipe.windows) * window_columns(recipe.columns.count, recipe.windows)
        table = Table.grid(padding=(0, 1))
        bar = max(4, min(24, self.console.width - _BESIDE_BAR))
        for passing in list(self._plates.values())[-8:]:
            done = passing.decided
            seconds = passing.seconds if done else now - passing.since
            windows = done.result.windows_scored if done else passing.windows
            share = windows / total if not done else 1.0
            speed = share * total_rows * recipe.columns.count / 1e6 / max(seconds, 1e-6)
            verdict = Text(done.result.verdict, _STYLES[done.result.verdict]) if done else Text("running", "dim")
            found = found_and_vetoed(done.result.defects)[0] if done else passing.regions
            table.add_row(
                f"plate {passing.plate}",
                ProgressBar(total=total, completed=windows if not done else total, width=bar),
                f"{passing.rows if not done else done.result.rows:,} rows",
                f"{windows}/{total} windows",
                f"{found} defects",
                f"{speed:.0f} Mpx/s",
                verdict,
            )
        notes = [name for name in supervisor.children.down() if name != "line-0"]
        status = supervisor.children.note("line") or "starting"
        if notes:
            status += f"; waiting for {', '.join(notes)}"
        return Group(Text(f"linesentry {recipe.name}: {status}", "bold"), table)

    def summary(self, supervisor: Supervisor) -> None:
        """Print the table of all plates and the places of what was written."""
        done = [passing for passing in self._plates.values() if passing.decided is not None]
        table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
        table.add_column("plate", justify="right")
        table.add_column("verdict", no_wrap=True)
        known = () if self._truth is None else ("true", "false", "missed")
        vetoes = any(found_and_vetoed(p.decided.result.defects)[1] for p in done if p.decided is not None)
        for column in ("defects", *(["vetoed"] if vetoes else []), *known, "judged", "latency", "mm2/s", "Mpx/s"):
            table.add_column(column, justify="right", no_wrap=True)
        for passing in done:
            assert passing.decided is not None
            result, latency = passing.decided.result, passing.decided.latency_s
            table.add_row(
                str(result.plate),
                Text(result.verdict, _STYLES[result.verdict]),
                *map(str, found_and_vetoed(result.defects)[: 2 if vetoes else 1]),
                *self._compared(passing),
                "-" if result.coverage is None else f"{result.coverage:.1%}",
                "-" if latency is None else f"{latency:.2f} s",
                *self._speed(supervisor, result.rows * result.columns, passing.seconds),
            )
        self.console.print(table)
        if done:
            pixels = sum(p.decided.result.rows * p.decided.result.columns for p in done if p.decided)
            seconds = max(p.since + p.seconds for p in done) - min(p.since for p in done)
            area, mpx = self._speed(supervisor, pixels, seconds)
            workers = supervisor.workers
            text = f"together {seconds:.1f} s: {area} mm2/s, {mpx} Mpx/s, workers: {workers}"
            self.console.print(text, highlight=False)
        for passing in done:
            if passing.decided is not None and passing.decided.result.reason:
                self._say(f"plate {passing.plate}", passing.decided.result.reason)
        self._say("results", str(supervisor.state.path / "results.sqlite"))
        for passing in done:
            overview = plate_directory(supervisor.state.path, supervisor.run_id, passing.plate) / "overview.jpg"
            if overview.is_file():
                crops = len(list(overview.parent.glob("*defect-*[0-9].png")))
                self._say("pictures", f"{overview} and {crops} crops beside it")

    def _say(self, what: str, text: str) -> None:
        self.console.print(f"{what:<9} {text}", soft_wrap=True, highlight=False, markup=False)

    @staticmethod
    def _speed(supervisor: Supervisor, pixels: int, seconds: float) -> tuple[str, str]:
        """Throughput in mm2/s (where the recipe has a pitch) and in Mpx/s."""
        pitch = supervisor.recipe.pitch
        per_second = pixels / max(seconds, 1e-6)
        area = "-" if pitch is None else f"{per_second * pitch.row_mm * pitch.column_mm:,.0f}"
        return area, f"{per_second / 1e6:.1f}"

    def _compared(self, passing: _Passing) -> list[str]:
        """True, false and missed defects, where the truth is known."""
        if self._truth is None:
            return []
        assert passing.decided is not None
        cracks = self._truth[(passing.plate - self._first_plate) % len(self._truth)]
        found = [(d.x, d.y, d.width, d.height) for d in passing.decided.result.defects if not d.vetoed]
        seen = [_box(crack) for crack in cracks if crack["visible"] >= _VISIBLE]
        hidden = [_box(crack) for crack in cracks if crack["visible"] < _VISIBLE]
        compared = match(found, seen, hidden)
        return [str(compared.true), str(compared.false), str(compared.missed)]


def _box(crack: dict[str, float]) -> tuple[int, int, int, int]:
    return int(crack["x"]), int(crack["y"]), int(crack["width"]), int(crack["height"])
