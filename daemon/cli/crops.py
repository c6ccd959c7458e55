"""`linesentry crops`: pictures for the classifier to learn from."""

from __future__ import annotations

import typer

from daemon.cli.options import takes_order
from daemon.lab.orders import CutCrops


@takes_order
def crops(order: CutCrops) -> None:
    """Cut crops with and without a crack from sheets whose truth is known, for the classifier to train on."""
    from daemon.lab.data.crops import crops_command  # noqa: PLC0415 - commands load what they need

    raise typer.Exit(crops_command(order))
