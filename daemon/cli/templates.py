"""`linesentry templates`: what the detector looks for."""

from __future__ import annotations

from daemon.cli.options import console, takes_order
from daemon.lab.orders import ShowTemplates


@takes_order
def templates(order: ShowTemplates) -> None:
    """Show the templates of a recipe or of a scale set: coefficients, widths they answer for, and k*."""
    from daemon.lab.templates import templates_command  # noqa: PLC0415 - commands load what they need

    templates_command(order, console())
