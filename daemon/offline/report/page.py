"""The report as one page of HTML that needs no other file, and prints on A4."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from config.errors import printable
from config.schema import OpticsLimits
from daemon.offline import pages
from daemon.offline.report.form import counted
from daemon.offline.report.sections import findings, lines, sections
from daemon.store.period import Period, local
from daemon.store.shifts import Shift

PARTS = 10
"""That a page is made of, about: what is told while it is made."""


def report_page(
    period: Period,
    asked: str,
    shifts: Mapping[str, Shift],
    limits: OpticsLimits,
    now: datetime,
    told: Callable[[str], None] = lambda _: None,
) -> tuple[str, tuple[str, str, str]]:
    """The page, and its answer in three lines.

    Args:
        period: what the store has.
        asked: which plates were asked for, in words.
        shifts: by name.
        limits: by how much light and focus may change.
        now: when it is made, with a zone.
        told: is told each part that is done.
    """
    found = findings(period, shifts, limits)
    told("counted")
    answer = lines(found)
    made = []
    for section in sections(found):
        made.append(section)
        told(section.title)
    text = pages.page(
        "report.html.j2",
        "daemon.offline.report",
        title=_title(period),
        about=f"{printable(asked)} Made {now:%Y-%m-%d %H:%M %Z} by linesentry report.",
        lines=answer,
        warnings=[*map(printable, period.notes), *_warnings(period)],
        sections=made,
    )
    return text, answer


def _title(period: Period) -> str:
    at = period.plates.at
    if not len(at):
        return "Report: no sheets"
    first, last = local(float(at[0])), local(float(at[-1]))
    until = f"{last:%H:%M}" if first.date() == last.date() else f"{last:%Y-%m-%d %H:%M}"
    return f"Report: {first:%Y-%m-%d %H:%M} to {until}"


def _warnings(period: Period) -> list[str]:
    words = []
    if period.simulated:
        simulated = counted(period.simulated, "sheet")
        words.append(f"Simulated: {simulated}. A simulated line shows the same few again and again, so places repeat.")
    if period.unreadable:
        rows = counted(period.unreadable, "row")
        words.append(f"{rows} of the store cannot be read, for somebody changed them; they are left out.")
    return words
