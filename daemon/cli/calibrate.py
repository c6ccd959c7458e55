"""`linesentry calibrate`: the light of a camera's columns, and its scale."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from daemon.cli.options import fail

calibrate = typer.Typer(name="calibrate", no_args_is_help=True, help="Calibrate the camera: light by column, scale.")


@calibrate.command("flat-field")
def flat_field(
    white: Annotated[list[Path], typer.Option(help="image of an even white target; may be repeated")],
    dark: Annotated[list[Path], typer.Option(help="image without light; may be repeated")],
    out: Annotated[Path, typer.Option(help="file to write, for camera.flat_field")] = Path("flat-field.json"),
) -> None:
    """Even out the columns: from a dark and a white reference to a file that the configuration names."""
    from daemon.offline.calibration import CalibrationError, make_flat_field  # noqa: PLC0415 - load what they need

    try:
        made = make_flat_field(white, dark, out)
    except CalibrationError as error:
        fail(str(error))
    gains = made.flat.gains
    typer.echo(f"columns {made.flat.first} to {made.flat.last - 1} of {made.flat.width} are covered")
    typer.echo(f"gains {gains.min():.2f} to {gains.max():.2f}")
    typer.echo(f"spread of the columns of the white reference: {made.before:.1%}, after it {made.after:.1%}")
    typer.echo(f"written: {out}; name it in the configuration as camera.flat_field, and restart the service")
