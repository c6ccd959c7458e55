"""`linesentry paths`: where the files lie that ship beside the program."""

from __future__ import annotations

from typing import Annotated

import typer

from daemon.cli.options import fail


def paths(
    name: Annotated[str | None, typer.Argument(help="print the path of this one alone, for a script")] = None,
) -> None:
    """Say where what ships lies: systemd unit, Prometheus rules, dashboard, configuration, recipes, weights."""
    from config.paths import packaged  # noqa: PLC0415 - commands load what they need

    files = packaged()
    if name is None:
        for each, path in files.items():
            typer.echo(f"{each:<{max(map(len, files))}}  {path}")
    elif name in files:
        typer.echo(files[name])
    else:
        fail(f"found {name!r}; there are {', '.join(files)}", 2)
