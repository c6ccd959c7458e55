"""`linesentry check`: what is wrong with a configuration or a recipe, before a service runs with it.

The checks are in config/check.py, what the systemd unit hides in config/unit_faults.py, and what this machine lacks in
daemon/service/preflight.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from daemon.telemetry.printing import say


def check(
    file: Annotated[
        Path | None, typer.Argument(help="configuration or recipe; default: the configuration that ships")
    ] = None,
    service: Annotated[
        bool | None,
        typer.Option(
            "--service/--no-service",
            help="check it as the systemd service sees it; default: for files below /etc/linesentry",
        ),
    ] = None,
) -> None:
    """Check a configuration with its recipe and this machine, or a recipe alone. Says what is asked of the machine."""
    from config.check import check as report_on  # noqa: PLC0415 - commands load what they need
    from daemon.service.preflight import look  # noqa: PLC0415

    report = report_on(file, service=service, machine=look)
    for line in report.facts:
        say(line, error=False)
    for line in report.warnings:
        say(f"warning: {line}")
    for line in report.faults:
        say(line)
    raise typer.Exit(1 if report.faults else 0)
