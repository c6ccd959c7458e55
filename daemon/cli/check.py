"""`linesentry check`: what is wrong with a configuration, before a service runs with it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def check(
    file: Annotated[
        Path | None, typer.Argument(metavar="CONFIG", help="configuration file; default: the one that ships")
    ] = None,
) -> None:
    """Check a configuration and its recipe, and say what they ask of the machine."""
    from config.check import check as report_on  # noqa: PLC0415 - commands load what they need

    report = report_on(file)
    for line in report.facts:
        typer.echo(line)
    for line in report.warnings:
        typer.echo(f"warning: {line}", err=True)
    for line in report.faults:
        typer.echo(line, err=True)
    raise typer.Exit(1 if report.faults else 0)
