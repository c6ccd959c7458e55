"""`linesentry golden`: the check standard, a golden sheet that passes the line now and then."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from daemon.cli.options import ConfigOption, JsonOption, SetOption, StateOption, configured, fail

golden = typer.Typer(name="golden", no_args_is_help=True, help="Check the line by a golden sheet.")

Done = TypeVar("Done")
PlateOption = Annotated[int | None, typer.Option(min=1, help="plate of the pass; default: the latest")]


@golden.command("set")
def set_(
    plate: Annotated[
        list[int] | None, typer.Option(help="plate of a pass, may be repeated; default: the latest")
    ] = None,
    config: ConfigOption = None,
    state: StateOption = None,
    set_: SetOption = None,
) -> None:
    """Make one or more passes of the golden sheet the standard of the recipe."""
    from daemon.offline.golden import set_golden  # noqa: PLC0415 - commands load what they need

    recipe, directory = _place(config, set_, state)
    plates, standard = _told(lambda: set_golden(directory, recipe, plate or []))
    numbers = ", ".join(map(str, plates))
    typer.echo(f"the standard of {recipe} is set from plate {numbers}: {len(standard.marks)} marks")
    for name, limit in standard.limits.items():
        typer.echo(f"  {name}: {limit.least:.4g} to {limit.most:.4g}")
    typer.echo("pass the sheet once more, then `linesentry golden run`")


@golden.command()
def run(
    plate: PlateOption = None,
    config: ConfigOption = None,
    state: StateOption = None,
    set_: SetOption = None,
    json_: JsonOption = False,
) -> None:
    """Check the sheet that passed last against the standard; code 1 when it fails."""
    from daemon.offline.golden import run_golden  # noqa: PLC0415 - commands load what they need

    recipe, directory = _place(config, set_, state)
    outcome = _told(lambda: run_golden(directory, recipe, plate))
    check = outcome.check
    if json_:
        values = {"plate": outcome.plate, "passed": check.passed, "values": check.values, "failures": check.failures}
        typer.echo(json.dumps(values | {"unusual": outcome.unusual}))
    else:
        typer.echo(f"plate {outcome.plate}: the check standard {'passed' if check.passed else 'FAILED'}")
        for name, limit in outcome.limits.items():
            value = f"{check.values[name]:.4g}" if name in check.values else "not measured"
            note = "  (not usual)" if name in outcome.unusual else ""
            typer.echo(f"  {name}: {value}, allowed {limit.least:.4g} to {limit.most:.4g}{note}")
    if not check.passed:
        fail("; ".join(check.failures))


@golden.command()
def chart(
    out: Annotated[Path, typer.Argument(help="picture to write: .svg, .png or .pdf")],
    config: ConfigOption = None,
    state: StateOption = None,
    set_: SetOption = None,
) -> None:
    """Draw the control chart of all checks since the standard was set."""
    from daemon.offline.golden import draw_golden  # noqa: PLC0415 - commands load what they need

    recipe, directory = _place(config, set_, state)
    count = _told(lambda: draw_golden(directory, recipe, out))
    typer.echo(f"written: {out}, {count} checks")


def _place(config: Path | None, overrides: list[str] | None, state: Path | None) -> tuple[str, Path]:
    """Name of the recipe, and the state directory."""
    from daemon.store.state import StateError, state_path  # noqa: PLC0415 - commands load what they need

    settings, recipe = configured(config, overrides, state)
    try:
        return recipe.name, state_path(settings)
    except StateError as error:
        fail(str(error))


def _told(work: Callable[[], Done]) -> Done:
    """Do it; what goes wrong is one line, and code 2."""
    from daemon.store.results import StoreError  # noqa: PLC0415 - commands load what they need
    from stages.golden import GoldenError  # noqa: PLC0415

    try:
        return work()
    except (GoldenError, StoreError, ValueError) as error:
        fail(str(error), 2)
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}", 2)
