"""`linesentry pod`: which cracks are found, and how surely."""

from __future__ import annotations

import typer

from daemon.cli.options import console, takes_order
from daemon.lab.orders import MeasurePod


@takes_order
def pod(order: MeasurePod) -> None:
    """Measure the probability of detection: paint cracks on good sheets, inspect them, fit a50, a90 and a90/95."""
    from daemon.lab.pod.command import pod_command  # noqa: PLC0415 - commands load what they need

    raise typer.Exit(pod_command(order, console()))
