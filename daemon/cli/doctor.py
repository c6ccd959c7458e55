"""`linesentry doctor`: whether this machine can do what the configuration asks."""

from __future__ import annotations

import json

import typer

from daemon.cli.options import ConfigOption, JsonOption, StateOption, configured, console, fail


def doctor(config: ConfigOption = None, state: StateOption = None, json_: JsonOption = False) -> None:
    """Check this machine: memory, cores, GPU, disk, database, model files, and a window with a known answer."""
    from dataclasses import asdict  # noqa: PLC0415 - commands load what they need

    from config.errors import ConfigError  # noqa: PLC0415
    from config.load import load_recipes  # noqa: PLC0415
    from daemon.service.doctor import doctor as examine  # noqa: PLC0415
    from daemon.service.doctor import doctor_table  # noqa: PLC0415

    settings, _ = configured(config, None, state)
    try:
        recipes = load_recipes(settings)
    except ConfigError as error:
        fail(str(error), 2)
    checks = examine(settings, recipes)
    if json_:
        typer.echo(json.dumps([asdict(one) for one in checks]))
    else:
        console().print(doctor_table(checks))
    raise typer.Exit(1 if any(one.ok is False for one in checks) else 0)
