"""`linesentry calibrate`: the light of a camera's columns, and its scale."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from daemon.cli.options import ConfigOption, SetOption, StateOption, configured, fail

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


@calibrate.command()
def scale(
    image: Annotated[Path, typer.Argument(help="image of the target: dots in rows and columns")],
    across: Annotated[float, typer.Option(min=0.01, help="mm from a dot to the next, across the belt")],
    along: Annotated[float, typer.Option(min=0.01, help="mm from a dot to the next, along the travel")],
    recipe: Annotated[str | None, typer.Option(help="recipe whose pitches and length are to be checked")] = None,
) -> None:
    """Measure mm a pixel in both directions, from a target of dots at known distances."""
    from config.errors import ConfigError  # noqa: PLC0415 - load what they need
    from config.load import load_recipe  # noqa: PLC0415
    from daemon.offline.calibration import CalibrationError, scale_from  # noqa: PLC0415

    try:
        product = None if recipe is None else load_recipe(recipe)
        found = scale_from(image, across, along, product)
    except (CalibrationError, ConfigError) as error:
        fail(str(error))
    measured = found.scale
    typer.echo(
        f"{measured.dots} dots, turned by {measured.angle:.2f} degrees, the worst {measured.worst_mm:.3f} mm off"
    )
    typer.echo(f"camera's line to the travel: {measured.skew:+.2f} degrees from square")
    typer.echo("for the recipe:")
    typer.echo("pitch:")
    typer.echo(f"  row_mm: {measured.row_mm:.8f}     # standard error {measured.row_error_mm:.8f}")
    typer.echo(f"  column_mm: {measured.column_mm:.8f}  # standard error {measured.column_error_mm:.8f}")
    if found.nominal_rows is not None:
        typer.echo("length:")
        typer.echo(f"  nominal_rows: {found.nominal_rows}      # {found.nominal_mm:.2f} mm, the recipe's length")
    if product is None or product.pitch is None:
        return
    pitches = (
        ("row_mm", measured.row_mm, product.pitch.row_mm),
        ("column_mm", measured.column_mm, product.pitch.column_mm),
    )
    for name, now, before in pitches:
        typer.echo(f"{name} is {now / before - 1:+.2%} against the recipe's {before}")


@calibrate.command()
def reference(config: ConfigOption = None, state: StateOption = None, set_: SetOption = None) -> None:
    """Take the next plates for the reference of the optics: after a new lamp, lens or exposure."""
    from daemon.service.optics_watch import product_of  # noqa: PLC0415 - load what they need
    from daemon.store.optics import forget_optics  # noqa: PLC0415
    from daemon.store.results import StoreError  # noqa: PLC0415
    from daemon.store.shared import open_shared  # noqa: PLC0415
    from daemon.store.state import StateError, state_path  # noqa: PLC0415

    settings, recipe = configured(config, set_, state)
    try:
        with open_shared(state_path(settings)) as store:
            known = forget_optics(store, product_of(settings, recipe))
    except (StoreError, StateError) as error:
        fail(str(error))
    if not known:
        fail(f"no reference of {recipe.name} is kept yet: the first {settings.optics.plates} plates are being learnt")
    typer.echo(f"the next {settings.optics.plates} plates of {recipe.name} are the reference of the optics")
