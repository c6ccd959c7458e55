"""`linesentry camera`: look at a camera before it inspects."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.options import ConfigOption, JsonOption, SetOption, configured, console, fail
from daemon.telemetry.printing import say

if TYPE_CHECKING:
    from daemon.offline.camera import Sharpness

camera = typer.Typer(
    name="camera", no_args_is_help=True, help="Look at the camera: which there are, their features, their rows, focus."
)
_BLOCKS = " ▁▂▃▄▅▆▇█"
_EVERY_S = 0.25


@camera.command("list")
def list_(config: ConfigOption = None, set_: SetOption = None, json_: JsonOption = False) -> None:
    """List the devices of camera.producer: id, maker, model, serial number, name."""
    from daemon.cameras.choice import NONE_THERE  # noqa: PLC0415 - commands load what they need
    from daemon.offline.camera import devices  # noqa: PLC0415

    settings, recipe = configured(config, set_, None)
    with _errors():
        found = devices(settings, recipe)
    if json_:
        typer.echo(json.dumps(found))
        return
    if not found:
        fail(NONE_THERE)
    _table(["id", "vendor", "model", "serial", "name"], [list(one.values()) for one in found])


@camera.command()
def show(
    all_: Annotated[bool, typer.Option("--all", help="every feature, not only those that a line needs")] = False,
    config: ConfigOption = None,
    set_: SetOption = None,
    json_: JsonOption = False,
) -> None:
    """Show a camera's features, what each can be, and where the configuration asks for another. Nothing is set."""
    from daemon.offline.camera import features  # noqa: PLC0415 - commands load what they need

    settings, recipe = configured(config, set_, None)
    with _errors():
        serial, shown, lacking = features(settings, recipe, everything=all_)
    if json_:
        fields = [(one.feature.name, one.feature.value, one.feature.allowed, one.asked) for one in shown]
        told = [dict(zip(("feature", "value", "allowed", "asked"), values, strict=True)) for values in fields]
        typer.echo(json.dumps({"serial": serial, "features": told}))
    else:
        rows = [
            [one.feature.name, one.feature.value or "", one.asked or "" if one.differs else "", one.feature.allowed]
            for one in shown
        ]
        typer.echo(f"camera {serial}")
        _table(["feature", "value", "the configuration asks for", "allowed"], rows)
    if lacking:
        fail(f"camera.features: {'; '.join(lacking)}", 2)


@camera.command()
def grab(
    out: Annotated[Path, typer.Argument(help="TIFF to write")],
    rows: Annotated[int, typer.Option(min=1, help="rows to write")],
    config: ConfigOption = None,
    set_: SetOption = None,
) -> None:
    """Write the next rows of the camera into a TIFF. The switch is not waited for."""
    from daemon.offline.camera import grab as grabbed  # noqa: PLC0415 - commands load what they need

    settings, recipe = configured(config, set_, None)
    with _errors():
        done = grabbed(settings, recipe, rows, out, _Progress())
    rate = done.rows / max(done.seconds, 1e-9)
    typer.echo(f"{done.rows} rows of {settings.camera.width} px in {done.seconds:.1f} s ({rate:.0f} rows/s): {out}")
    if done.lost:
        causes = ", ".join(f"{cause} {count}" for cause, count in done.losses.items()) or "cause unknown"
        fail(f"{done.lost} of these rows were lost ({causes}) and are black")


@camera.command()
def focus(
    seconds: Annotated[float | None, typer.Option(min=0, help="end after so long; default: at Ctrl-C")] = None,
    config: ConfigOption = None,
    set_: SetOption = None,
) -> None:
    """Show how sharp the picture is, live, for who turns the lens; and how bright the columns are."""
    from daemon.offline.camera import sharpness, started, strips  # noqa: PLC0415 - commands load what they need

    settings, recipe = configured(config, set_, None)
    progress, best, said_at, began = _Progress(), 0.0, 0.0, None
    try:
        with _errors(), started(settings, recipe, progress) as one:
            for _, pixels in strips(one, settings, progress):
                now = time.monotonic()
                began = now if began is None else began
                if now - said_at < _EVERY_S:
                    continue
                said_at, found = now, sharpness(pixels)
                best = max(best, found.focus)
                _say_sharpness(found, best)
                if seconds is not None and now - began >= seconds:
                    break
    except KeyboardInterrupt:
        pass
    if sys.stdout.isatty():
        typer.echo("")


def _say_sharpness(found: Sharpness, best: float) -> None:
    thirds = " ".join(f"{value:5.3f}" for value in found.thirds)
    steps = len(_BLOCKS) - 1
    profile = "".join(_BLOCKS[min(steps, int(level / 256 * (steps + 1)))] for level in found.profile)
    text = f"focus {found.focus:5.3f}  best {best:5.3f}  left, middle, right {thirds}  columns {profile}"
    if sys.stdout.isatty():
        sys.stdout.write(f"\r\x1b[2K{text}")
        sys.stdout.flush()
    else:
        typer.echo(text)


class _Progress:
    """Says on a terminal's stderr what is done, once a second."""

    def __init__(self) -> None:
        self._at = time.monotonic()

    def __call__(self, text: str) -> None:
        now = time.monotonic()
        if sys.stderr.isatty() and now - self._at >= 1:
            self._at = now
            say(text)


def _table(head: list[str], rows: list[list[str]]) -> None:
    from rich.table import Table  # noqa: PLC0415 - commands load what they need

    table = Table(box=None, pad_edge=False)
    for name in head:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*row)
    console().print(table)


@contextmanager
def _errors() -> Iterator[None]:
    """A camera that does not work ends the command with its reason, one that is asked wrongly with code 2."""
    import structlog  # noqa: PLC0415 - commands load what they need

    from stages.camera import CameraError, CameraSetupError  # noqa: PLC0415

    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(30), logger_factory=structlog.PrintLoggerFactory(sys.stderr)
    )
    try:
        yield
    except CameraSetupError as error:
        fail(str(error), 2)
    except CameraError as error:
        fail(str(error))
