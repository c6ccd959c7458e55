"""`linesentry study`: the experiments of the paper."""

from __future__ import annotations

from daemon.cli.options import takes_order
from daemon.lab.orders import RunStudy


@takes_order
def study(order: RunStudy) -> None:
    """Run the experiments of the paper on simulated sheets of products never trained on, as far as they are missing."""
    from daemon.lab.study.run import study_command  # noqa: PLC0415 - commands load what they need

    study_command(order)
