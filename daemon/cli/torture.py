"""`linesentry torture`: the real processes on this machine, struck at random, and what came of it."""

from __future__ import annotations

import dataclasses
import json

import typer

from daemon.cli.options import console, fail, takes_order
from daemon.lab.torture.options import TortureOptions
from daemon.telemetry.printing import SafeConsole, say

_INTERRUPTED = 130


@takes_order
def torture(order: TortureOptions) -> None:
    """Strike a real line at random: processes killed and stopped, disk full, store deleted. Check every verdict."""
    from daemon.lab.progress import Teller  # noqa: PLC0415 - commands load what they need
    from daemon.lab.torture.command import torture as run  # noqa: PLC0415
    from daemon.lab.torture.line import LineError  # noqa: PLC0415
    from daemon.lab.torture.report import fault_table, recovery_table, summary  # noqa: PLC0415

    try:
        with Teller("linesentry torture", SafeConsole(stderr=True)) as teller:
            report = run(order, teller)
    except (LineError, OSError) as error:
        fail(f"the line cannot be tortured here: {error}")
    except KeyboardInterrupt:
        say("linesentry torture: ended before the line was struck")
        raise typer.Exit(_INTERRUPTED) from None
    if order.json:
        typer.echo(json.dumps(dataclasses.asdict(report), indent=2))
    else:
        for part in (fault_table(report), recovery_table(report), *summary(report)):
            console().print(part)
    if report.broken:
        raise typer.Exit(1)
    if report.interrupted:
        raise typer.Exit(_INTERRUPTED)
