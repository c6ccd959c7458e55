"""The live screen of a run, drawn from plain data: it fits a terminal of 80 x 24, and less where there is less.

Words say everything; colours only repeat it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console, Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from config.schema import Recipe
from daemon.cli.plate_progress import Passing
from daemon.service.status import Status, Stop
from daemon.store.view import STYLE
from daemon.telemetry.rate import Rate
from daemon.wire.plate_memory import State

RATE_S = 10.0
"""Over how many seconds the throughput is taken, s."""
_LOW, _NARROW = 20, 40
"""Lines and characters below which the processes are told in one line."""
_WITH_BAR, _WITH_ROWS, _WITH_SPEED = 76, 60, 48
"""Characters from which a plate's line has a bar, its rows, its speed."""
_BESIDE_BAR = 62


class Screen:
    """Draws one run."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        """By which the plates to come are judged."""
        self._pixels = Rate(RATE_S)
        self._camera = Rate(RATE_S)

    def follow(self, status: Status, pixels: float) -> None:
        """Take in how many pixels of plates have been scored since the run began."""
        self._pixels.add(status.at, pixels)
        self._camera.add(status.at, status.camera_rows)

    def draw(self, status: Status, plates: Iterable[Passing], console: Console) -> RenderableType:
        """The picture of this moment; `plates` are the open ones and some that are final, by number."""
        parts: list[RenderableType] = [Text(f"linesentry {self.recipe.name}", "bold")]
        if status.stop is not None:
            parts.append(Text(stop_text(status.stop, len(status.open)), "bold yellow"))
        parts.append(self._summary(status))
        small = console.height < _LOW or console.width < _NARROW
        parts += [_roles_line(status)] if small else [Text(), _roles(status)]
        # The cursor has a line of its own.
        room = console.height - 1 - sum(len(console.render_lines(part, pad=False)) for part in parts)
        shown = _chosen(list(plates), room - 2)
        if shown:
            parts += [Text(), self._plates(shown, console.width)]
        return Group(*parts)

    def throughput(self) -> str:
        """Pixels, and area where the recipe has a pitch, that are scored a second now."""
        text = f"{self._pixels.per_s / 1e6:.1f} Mpx/s"
        pitch = self.recipe.pitch
        return text if pitch is None else f"{text}, {self._pixels.per_s * pitch.row_mm * pitch.column_mm:,.0f} mm2/s"

    def _summary(self, status: Status) -> Table:
        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        counts = ", ".join(f"{count} {verdict}" for verdict, count in status.verdicts.items())
        free = sum(slot.state is State.FREE for slot in status.slots)
        table.add_row("health", _health(status.reasons))
        table.add_row("plates", f"{status.seen} seen: {counts}, {len(status.open)} open")
        table.add_row(f"last {RATE_S:.0f} s", f"{self.throughput()}; camera {self._camera.per_s:,.0f} rows/s")
        table.add_row("slots", f"{free} of {len(status.slots)} free")
        return table

    def _plates(self, plates: Sequence[Passing], width: int) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        table.add_column("plate", justify="right", no_wrap=True)
        if width >= _WITH_BAR:
            table.add_column("", no_wrap=True)
        if width >= _WITH_ROWS:
            table.add_column("rows", justify="right", no_wrap=True)
        table.add_column("windows", justify="right", no_wrap=True)
        if width >= _WITH_SPEED:
            table.add_column("found", justify="right", no_wrap=True)
            table.add_column("Mpx/s", justify="right", no_wrap=True)
        table.add_column("state", no_wrap=True)
        for passing in plates:
            table.add_row(*self._plate(passing, width))
        return table

    def _plate(self, passing: Passing, width: int) -> list[RenderableType]:
        result, total = passing.result, passing.total_windows(self.recipe)
        cells: list[RenderableType] = [str(passing.plate)]
        if width >= _WITH_BAR:
            cells.append(
                ProgressBar(total=max(total, 1), completed=passing.windows, width=min(24, width - _BESIDE_BAR))
            )
        if width >= _WITH_ROWS:
            cells.append(f"{passing.rows if result is None else result.rows:,}")
        cells.append(f"{passing.windows}/{total}")
        if width >= _WITH_SPEED:
            speed = passing.speed(self.recipe)
            cells += [str(passing.found), "-" if speed is None else f"{speed / 1e6:.1f}"]
        cells.append(
            Text(passing.stage(self.recipe), "dim") if result is None else Text(result.verdict, STYLE[result.verdict])
        )
        return cells


def stop_text(stop: Stop, plates: int) -> str:
    """What the service does since it was told to stop, and what a further Ctrl-C does."""
    them = f"{plates} plate" if plates == 1 else f"{plates} plates"
    if stop.at_once:
        return f"ending at once: {them} in flight become{'s' if plates == 1 else ''} INCONCLUSIVE"
    if stop.given_up is not None:
        return f"stopping: {them} could not be finished and end{'s' if plates == 1 else ''} INCONCLUSIVE"
    if not plates:
        return "stopping: no plate is in flight; pictures are written and the processes end"
    those = "that plate becomes" if plates == 1 else "those plates become"
    return (
        f"stopping: finishing {them}, at most {stop.left_s:.0f} s; "
        f"press Ctrl-C again to end at once: {those} INCONCLUSIVE"
    )


def _health(reasons: Sequence[str]) -> Text:
    """As /healthz says; a start and a stop are no fault."""
    if not reasons:
        return Text("ok", "green")
    if set(reasons) <= {"starting", "stopping"}:
        return Text("; ".join(reasons), "bold yellow")
    return Text("NOT OK: " + "; ".join(reasons), "bold red")


def _roles(status: Status) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("process", no_wrap=True)
    table.add_column("up", justify="right", no_wrap=True)
    table.add_column("restarts", justify="right", no_wrap=True)
    table.add_column("doing", no_wrap=True, overflow="ellipsis")
    for role, state in status.roles.items():
        note = state.note if state.up else "is down" if state.restarts else "starts"
        up = Text(f"{state.up}/{state.wanted}", "" if state.up == state.wanted else "bold red")
        table.add_row(role, up, str(state.restarts), Text(note))
    return table


def _roles_line(status: Status) -> Text:
    up, wanted, restarts = (sum(column) for column in zip(*(s[:3] for s in status.roles.values()), strict=True))
    return Text(f"processes {up}/{wanted} up, {restarts} restarts")


def _chosen(plates: list[Passing], room: int) -> list[Passing]:
    """As many as there is room for: open ones before those that are final, the oldest open and the latest final."""
    if room <= 0:
        return []
    still_open = [passing for passing in plates if passing.decided is None][:room]
    final = [passing for passing in plates if passing.decided is not None]
    final = final[len(final) - min(len(final), room - len(still_open)) :]
    return sorted([*still_open, *final], key=lambda passing: passing.plate)
