"""`linesentry report`: a period as one page for a meeting."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Annotated

from typer import Option

from daemon.cli.filters import Filters
from daemon.cli.options import configured, fail, takes_order
from daemon.cli.results import results_of
from daemon.telemetry.printing import SafeConsole, say

_NO_WORDS = ("out", "config", "state")
"""Options that do not say which plates."""
_ROWS_A_PLATE = 6
"""Of the store, for the bar: five defects and itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report(Filters):
    """Write a report."""

    out: Annotated[Path, Option(help="page to write", metavar="FILE.html")] = Path("report.html")


@takes_order
def report(order: Report) -> None:
    """Write a page about a shift or a period: verdicts, causes, places that repeat, light, marks."""
    from config.schema import shift_times  # noqa: PLC0415 - commands load what they need
    from daemon.lab.progress import Teller  # noqa: PLC0415
    from daemon.offline.report.page import PARTS, report_page  # noqa: PLC0415
    from daemon.store.period import read_period  # noqa: PLC0415
    from daemon.store.shifts import Shift  # noqa: PLC0415
    from models.machine.files import whole  # noqa: PLC0415

    settings, _ = configured(order.config, None, order.state)
    shifts = {name: Shift(*shift_times(text)) for name, text in settings.shifts.items()}
    if not order.out.parent.is_dir():
        fail(f"{order.out} cannot be written: there is no folder {order.out.parent}", 2)
    with (
        results_of(order) as (found, selection),
        Teller("linesentry report", SafeConsole(stderr=True)) as teller,
    ):
        seen = found.totals(selection).seen
        if not seen:
            fail(f"there are no plates{_of(order)}: nothing to report; `linesentry results` lists those that there are")
        read = 0

        def told(more: int) -> None:
            nonlocal read
            read += more
            teller.at(read)

        teller.part("reading", _ROWS_A_PLATE * seen, at_once=False)
        period = read_period(found, selection, told)
        teller.part("drawing", PARTS, at_once=False)
        now = datetime.now().astimezone()
        text, lines = report_page(period, f"All plates{_of(order)}.", shifts, settings.optics, now, teller.step)
    try:
        with whole(order.out) as part:
            part.write_text(text, "utf-8")
    except OSError as error:
        fail(f"{order.out} cannot be written: {error.strerror or error}")
    for line in (*lines, f"report: {order.out}"):
        say(line, error=False)


def _of(order: Report) -> str:
    """The filters, in words: empty where none is given."""
    given = {one.name: getattr(order, one.name) for one in fields(order) if one.name not in _NO_WORDS}
    words = [f"{name} {value}" if value is not True else name for name, value in given.items() if value]
    return f", {', '.join(words)}" if words else ""
