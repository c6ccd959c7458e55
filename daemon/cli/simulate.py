"""`linesentry simulate`: sheets as files, with a bar while they are made."""

from __future__ import annotations

import typer

from daemon.cli.options import fail, takes_order
from daemon.lab.data.simulate import MakeSheets, make_sheets
from daemon.telemetry.printing import SafeConsole


@takes_order
def simulate(order: MakeSheets) -> None:
    """Make sheets with microcracks: images, instance masks and COCO JSON, the same for the same seed."""
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=SafeConsole(stderr=True)) as bar:
        task = bar.add_task(f"{order.plates} {order.family or order.product}", total=None)
        try:
            written = make_sheets(order, lambda done, total: bar.update(task, completed=done, total=total))
        except ValueError as error:
            fail(str(error), 2)
        except OSError as error:
            fail(str(error))
    for path in written:
        typer.echo(path)
