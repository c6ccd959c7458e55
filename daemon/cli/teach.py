"""`linesentry teach`: from sheets called good to a recipe that knows the product."""

from __future__ import annotations

from daemon.cli.options import takes_order
from daemon.lab.orders import Teach


@takes_order
def teach(order: Teach) -> None:
    """Teach the detector a product, from 8 to 30 of its sheets that were called good."""
    from daemon.lab.teach.command import teach_command  # noqa: PLC0415 - commands load what they need

    teach_command(order)
