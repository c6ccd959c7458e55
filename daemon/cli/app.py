"""The command line: `linesentry COMMAND`; each command's help says what it does and what it writes."""

from __future__ import annotations

import io
import json
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer
from rich.console import Console

from config.errors import ConfigError
from config.load import load_config, load_recipe, parse_overrides, with_overrides
from config.schema import MOST_WORKERS, Config, Recipe
from daemon.cli.models import add_to

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Inspects sheets that roll past a line-scan camera: rows in, one verdict per sheet out.",
)
add_to(app)


class Interference(StrEnum):
    """Disturbances that a sheet can have."""

    OIL = "oil"
    NOISE = "noise"
    LIGHT = "light"


ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", help="configuration file; default: the one that ships")
]
SetOption = Annotated[list[str] | None, typer.Option("--set", help="override one key: camera.line_rate_hz=20000")]
StateOption = Annotated[Path | None, typer.Option("--state", help="state directory, instead of the configured one")]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON on stdout, and nothing else there")]


def main() -> None:
    """Entry of the command `linesentry`."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A locale that lacks a character must not end a service that would show it.
        sys.stdout.reconfigure(errors="replace")
    try:
        app()
    except BrokenPipeError:
        # Whoever read our output has gone; there is nobody left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _fail(message: str, code: int = 1) -> NoReturn:
    typer.echo(f"linesentry: {message}", err=True)
    raise typer.Exit(code)


def _configured(path: Path | None, overrides: list[str] | None, state: Path | None) -> tuple[Config, Recipe]:
    try:
        config = with_overrides(load_config(path), parse_overrides(overrides or []))
        if state is not None:
            config = config.model_copy(update={"state_directory": state})
        return config, load_recipe(config.recipe)
    except ConfigError as error:
        _fail(str(error), 2)


def _runnable(path: Path | None, overrides: list[str] | None, state: Path | None) -> tuple[Config, Recipe]:
    from config.check import service_faults  # noqa: PLC0415 - commands load what they need

    config, recipe = _configured(path, overrides, state)
    faults = service_faults(config, recipe, source="configuration" if path is None else str(path))
    if faults:
        _fail(str(ConfigError(faults)), 2)
    return config, recipe


@app.command()
def run(
    config: ConfigOption = None,
    plates: Annotated[int | None, typer.Option(min=1, help="stop after so many plates; default: run for ever")] = None,
    set_: SetOption = None,
    state: StateOption = None,
) -> None:
    """Run the service: the line's rows in, verdicts out, until SIGTERM or --plates."""
    from daemon.cli.terminal import TerminalView  # noqa: PLC0415
    from daemon.service.supervisor import ServiceError, Supervisor  # noqa: PLC0415
    from daemon.store.results import StoreError  # noqa: PLC0415
    from daemon.store.state import StateDirectory, StateError  # noqa: PLC0415
    from daemon.telemetry.logs import configure  # noqa: PLC0415 - commands load what they need
    from daemon.telemetry.server import TelemetryError  # noqa: PLC0415
    from daemon.wire.plate_memory import PlateMemoryError  # noqa: PLC0415

    settings, recipe = _runnable(config, set_, state)
    # Not what rich takes for one: colours may be forced upon a pipe.
    watched = sys.stdout.isatty()
    if watched and "telemetry.log_level" not in parse_overrides(set_ or []):
        # Log lines would run through the picture.
        settings = with_overrides(settings, {"telemetry.log_level": "error"})
    configure("supervisor", level=settings.telemetry.log_level)
    try:
        directory = StateDirectory.of(settings)
        if not watched:
            code = Supervisor(settings, recipe, directory, plates=plates).run()
        else:
            view = TerminalView(Console())
            supervisor = Supervisor(settings, recipe, directory, plates=plates, observer=view)
            with view:
                code = supervisor.run()
            view.summary(supervisor)
    except (ServiceError, StateError, StoreError, PlateMemoryError, TelemetryError) as error:
        _fail(str(error))
    raise typer.Exit(code)


@app.command()
def inspect(
    images: Annotated[
        list[Path], typer.Argument(help="image files: PNG, TIFF, BMP, JPEG; 8 or 16 bit; grey or colour")
    ],
    recipe: Annotated[str, typer.Option(help="recipe name or file")] = "general",
    json_: JsonOption = False,
    pictures: Annotated[Path | None, typer.Option(help="write an overview and the defects' crops there")] = None,
    pitch: Annotated[str | None, typer.Option(help="mm a row and mm a pixel across: 0.052,0.0416")] = None,
    bits: Annotated[int | None, typer.Option(min=1, max=16, help="significant bits of 16-bit images")] = None,
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="where the detector runs")] = "auto",
) -> None:
    """Inspect image files with the stages of the line, in one process."""
    from daemon.cli.inspect import inspect_command  # noqa: PLC0415

    raise typer.Exit(
        inspect_command(
            images, recipe, json_lines=json_, pictures=pictures, pitch=_pitch(pitch), bits=bits, device=device
        )
    )


def _pitch(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        row, column = (float(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(
            f"found {text!r}; give two numbers in mm, a row's and a pixel's: 0.052,0.0416"
        ) from None
    if not (0 < row < 1000 and 0 < column < 1000):
        raise typer.BadParameter(f"found {text!r}; both must be greater than 0 mm")
    return row, column


@app.command()
def simulate(
    out: Annotated[Path, typer.Argument(help="directory to write to")],
    product: Annotated[str, typer.Option(help="P10B, 02CG, EA10B or U20B")] = "P10B",
    plates: Annotated[int, typer.Option(min=1, help="how many sheets")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="the first sheet's seed; sheet k has seed + k")] = 1,
    density: Annotated[int | None, typer.Option(min=0, help="microcracks a sheet; default: the reference's")] = None,
    interference: Annotated[list[Interference] | None, typer.Option(help="may be given several times")] = None,
    strength: Annotated[float, typer.Option(min=0, help="of the interference; 1 is the reference's")] = 1.0,
    format_: Annotated[Literal["png", "tiff"], typer.Option("--format", help="PNG, or tiled TIFF")] = "png",
) -> None:
    """Make sheets with microcracks: images, instance masks and COCO JSON, the same for the same seed."""
    from rich.progress import Progress  # noqa: PLC0415

    from simulator.sheets.products import PRODUCTS  # noqa: PLC0415
    from simulator.sheets.write import simulate as write  # noqa: PLC0415

    if product not in PRODUCTS:
        _fail(f"product {product!r} is unknown; there are {', '.join(PRODUCTS)}", 2)
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task(f"{plates} {product}", total=plates * PRODUCTS[product].rows)

        def report(sheet: int, rows: int, total: int) -> None:
            progress.update(task, completed=sheet * total + rows)

        try:
            written = write(
                out,
                product,
                plates,
                seed,
                format=format_,
                density=density,
                interference=[kind.value for kind in interference or ()],
                strength=strength,
                on_progress=report,
            )
        except (OSError, ValueError) as error:
            _fail(str(error))
    for path in written:
        typer.echo(path)


@app.command()
def results(
    json_: JsonOption = False,
    limit: Annotated[int, typer.Option(min=1, help="plates, the latest first")] = 20,
    verdict: Annotated[Literal["OK", "NG", "INCONCLUSIVE"] | None, typer.Option(help="only these")] = None,
    config: ConfigOption = None,
    state: StateOption = None,
) -> None:
    """List the latest plates with their verdicts."""
    from daemon.store.results import Store, StoreError, store_path  # noqa: PLC0415
    from daemon.store.state import StateError, state_path  # noqa: PLC0415
    from daemon.store.view import ledger_line, results_json, results_table  # noqa: PLC0415
    from stages.plate import Verdict  # noqa: PLC0415

    settings, _ = _configured(config, None, state)
    try:
        path = store_path(state_path(settings))
        if not path.exists():
            _fail(f"there are no results at {path}: run `linesentry run`, or name another directory with --state")
        with Store.open(path, read_only=True) as store:
            rows = store.plates(limit=limit, verdict=Verdict(verdict) if verdict else None)
            ledger = store.ledger()
    except (StoreError, StateError) as error:
        _fail(str(error))
    if json_:
        for row in rows:
            typer.echo(json.dumps(results_json(row)))
    else:
        console = Console()
        console.print(results_table(rows))
        console.print(ledger_line(ledger))


@app.command()
def check(
    file: Annotated[
        Path | None, typer.Argument(metavar="CONFIG", help="configuration file; default: the one that ships")
    ] = None,
) -> None:
    """Check a configuration and its recipe, and say what they ask of the machine."""
    from config.check import check as check_config  # noqa: PLC0415

    report = check_config(file)
    for line in report.facts:
        typer.echo(line)
    for line in report.warnings:
        typer.echo(f"warning: {line}", err=True)
    for line in report.faults:
        typer.echo(line, err=True)
    raise typer.Exit(1 if report.faults else 0)


@app.command()
def schema(
    recipe: Annotated[bool, typer.Option("--recipe", help="the schema of recipes instead")] = False,
) -> None:
    """Print the JSON Schema of the configuration."""
    from config.json_schema import recipe_schema_json, schema_json  # noqa: PLC0415

    typer.echo(recipe_schema_json() if recipe else schema_json(), nl=False)


@app.command()
def doctor(config: ConfigOption = None, state: StateOption = None, json_: JsonOption = False) -> None:
    """Check this machine: memory, cores, GPU, disk, database, model files, and a window with a known answer."""
    from dataclasses import asdict  # noqa: PLC0415

    from daemon.service.doctor import doctor as examine  # noqa: PLC0415
    from daemon.service.doctor import doctor_table  # noqa: PLC0415

    settings, recipe = _configured(config, None, state)
    checks = examine(settings, recipe)
    if json_:
        typer.echo(json.dumps([asdict(one) for one in checks]))
    else:
        Console().print(doctor_table(checks))
    raise typer.Exit(1 if any(one.ok is False for one in checks) else 0)


@app.command()
def bench(
    config: ConfigOption = None,
    json_: JsonOption = False,
    workers: Annotated[
        int | None, typer.Option(min=1, max=MOST_WORKERS, help="most workers; default: one a core")
    ] = None,
    plates: Annotated[int, typer.Option(min=1, help="full-size plates for the throughput")] = 3,
    short_plates: Annotated[int, typer.Option(min=1, help="short plates for the latency")] = 200,
    set_: SetOption = None,
) -> None:
    """Measure the whole line and the detector alone on this machine."""
    from daemon.lab.bench import bench_command, bench_table  # noqa: PLC0415
    from daemon.store.results import StoreError  # noqa: PLC0415
    from daemon.store.state import StateError  # noqa: PLC0415
    from daemon.telemetry.server import TelemetryError  # noqa: PLC0415
    from daemon.wire.plate_memory import PlateMemoryError  # noqa: PLC0415

    settings, recipe = _runnable(config, set_, None)
    try:
        result = bench_command(settings, recipe, workers=workers, plates=plates, short_plates=short_plates)
    except (StateError, StoreError, PlateMemoryError, TelemetryError, RuntimeError) as error:
        _fail(str(error))
    if json_:
        typer.echo(json.dumps(result))
    else:
        Console().print(bench_table(result))


if __name__ == "__main__":
    main()
