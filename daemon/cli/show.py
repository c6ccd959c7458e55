"""`linesentry show`: the annotated picture of a plate, and in words what stands on it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Annotated

import typer

from daemon.cli.filters import Filters
from daemon.cli.options import ConfigOption, StateOption, configured, fail
from daemon.cli.results import results_of


def show(
    plate: Annotated[int, typer.Argument(min=1, help="number of the plate, as `linesentry results` shows it")],
    out: Annotated[Path | None, typer.Argument(help="picture to write; default: plate-NUMBER.jpg here")] = None,
    open_: Annotated[bool, typer.Option("--open", help="open the picture as the desktop does")] = False,
    config: ConfigOption = None,
    state: StateOption = None,
) -> None:
    """Write the picture of a plate with its defects, and say what stands on it."""
    from daemon.offline.plate_pictures import PlatePictures, write_picture  # noqa: PLC0415 - commands load what they need
    from daemon.store.history import Selection  # noqa: PLC0415
    from daemon.store.state import state_path  # noqa: PLC0415
    from daemon.store.view import words_of  # noqa: PLC0415

    settings, recipe = configured(config, None, state)
    with results_of(Filters(config=config, state=state)) as (found, _):
        row = next(found.plates(Selection(plate=plate)), None)
    if row is None:
        fail(f"the store has no plate {plate}: `linesentry results` lists those that it has", 2)
    path = Path(f"plate-{plate:06d}.jpg") if out is None else out
    try:
        what = write_picture(path, row, PlatePictures(row, state_path(settings), settings, recipe))
    except OSError as error:
        fail(f"{path} cannot be written: {error.strerror or error}")
    for line in words_of(row):
        typer.echo(line)
    if what is None:
        fail(f"of plate {plate} no picture is left")
    typer.echo(f"picture: {path}, {what}")
    if open_:
        _open(path)


def _open(path: Path) -> None:
    opener = shutil.which("xdg-open") or shutil.which("open")
    if opener is None:
        fail(f"there is no program that opens pictures here: look at {path} yourself")
    subprocess.run([opener, str(path.absolute())], check=False)  # noqa: S603 - the desktop's own program, and our file
