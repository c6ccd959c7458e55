"""`linesentry golden`: the check standard, a golden sheet that passes the line now and then."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from daemon.cli.options import ConfigOption, JsonOption, SetOption, StateOption, configured, fail
from daemon.telemetry.printing import say

if TYPE_CHECKING:
    from config.schema import Config, Recipe
    from daemon.offline.golden import Outcome

golden = typer.Typer(name="golden", no_args_is_help=True, help="Check the line by a golden sheet.")

Done = TypeVar("Done")
_PATIENCE_S = 10.0
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
    next_: Annotated[
        bool, typer.Option("--next", help="tell the running service that the next sheet is the golden one, and wait")
    ] = False,
    config: ConfigOption = None,
    state: StateOption = None,
    set_: SetOption = None,
    json_: JsonOption = False,
) -> None:
    """Check the sheet that passed last against the standard, or the next one; code 1 when it fails."""
    from daemon.offline.golden import run_golden  # noqa: PLC0415 - commands load what they need

    if next_ and plate is not None:
        fail("--plate names a sheet that has passed, --next one that is to come: give one of them", 2)
    settings, recipe, directory = _line(config, set_, state)
    if next_:
        outcome = _told(lambda: _next(directory, settings.golden.part_id))
    else:
        outcome = _told(lambda: run_golden(directory, recipe.name, plate))
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


def _next(directory: Path, part_id: str) -> Outcome:
    """Have the next sheet taken for the golden one; what its check comes to. Raises GoldenError, StoreError."""
    from daemon.offline.golden import await_golden  # noqa: PLC0415 - commands load what they need
    from daemon.service.control import ControlError, Question, ask  # noqa: PLC0415
    from daemon.store.results import Store, store_path  # noqa: PLC0415

    with Store.open(store_path(directory), read_only=True) as store:
        last = store.last_plate()
    try:
        answer = ask(directory, Question("golden"), _PATIENCE_S)
    except ControlError as error:
        fail(str(error), 2)
    if answer["outcome"] != "golden":
        fail(answer["text"], 2)
    say("linesentry: let the golden sheet pass now: it is the next one that the switch sees; Ctrl-C ends the wait")
    return await_golden(directory, answer["recipe"], part_id, last)


def _place(config: Path | None, overrides: list[str] | None, state: Path | None) -> tuple[str, Path]:
    """Name of the recipe, and the state directory."""
    _, recipe, directory = _line(config, overrides, state)
    return recipe.name, directory


def _line(config: Path | None, overrides: list[str] | None, state: Path | None) -> tuple[Config, Recipe, Path]:
    """Configuration, recipe and state directory."""
    from daemon.store.state import StateError, state_path  # noqa: PLC0415 - commands load what they need

    settings, recipe = configured(config, overrides, state)
    try:
        return settings, recipe, state_path(settings)
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
