"""The sections about sheets: their verdicts, why they were not OK, what was not checked, light and the golden sheet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import numpy as np

from config.errors import printable
from daemon.offline.report import drawing
from daemon.offline.report.drift import Drift, Line
from daemon.offline.report.form import (
    MOST_EVENTS,
    MOST_PICTURES,
    NOTHING,
    Picture,
    Section,
    Table,
    change_of,
    counted,
    name_of,
    shown_share,
)
from daemon.offline.report.verdicts import Counts, OverTime, Why
from daemon.store.period import OPEN, GoldenCheck, Period
from models.measure.assessment import Share


def verdicts_section(
    period: Period, over: OverTime | None, shifts: Mapping[str, Counts], products: Sequence[Counts]
) -> Section:
    """How many sheets had which verdict: in all, over time, by shift and by product."""
    ledger = period.ledger
    decided = ledger.ok + ledger.ng + ledger.inconclusive
    ng, unsure = (shown_share(Share(count, decided)) for count in (ledger.ng, ledger.inconclusive))
    pictures, tables = [], []
    if over is not None:
        words = f"Above: NG with its interval. Below: sheets by verdict, each {over.step}."
        pictures.append(Picture(drawing.verdicts(over), words))
    if shifts:
        tables.append(_verdict_table("shift", shifts.items()))
    if len(products) > 1:
        named = zip(map(name_of, period.products), products, strict=True)
        tables.append(_verdict_table("product", sorted(named, key=lambda one: -one[1].seen)))
    notes = ["In brackets: the 95 % interval, exact as if each sheet stood alone. Shares are of sheets with a verdict."]
    if not shifts:
        notes.append('For a table by shift, name your shifts in the configuration: shifts: {early: "06:00-14:00"}.')
    answer = f"Of {counted(decided, 'sheet')} with a verdict, {ng} are NG and {unsure} INCONCLUSIVE."
    return Section("Sheets and verdicts", answer, pictures, tables, notes)


def _verdict_table(head: str, rows: Iterable[tuple[str, Counts]]) -> Table:
    cells = [
        (printable(name), *_numbers(one.seen, one.ok, one.ng, one.inconclusive, one.open), shown_share(one.ng_share))
        for name, one in rows
    ]
    return Table((head, "sheets", "OK", "NG", "INCONCLUSIVE", "open", "NG share"), cells)


def _numbers(*counts: int) -> list[str]:
    return [f"{count:,}" for count in counts]


def causes_section(whys: Sequence[Why]) -> Section | None:
    """Pareto of the causes; None where every sheet was OK."""
    if not whys:
        return None
    total = sum(why.all for why in whys)
    few = next(n for n in range(1, len(whys) + 1) if sum(why.all for why in whys[:n]) >= 0.8 * total)
    named = ", ".join(why.cause.value for why in whys[:few])
    alone = f"{named} is the only cause."
    answer = alone if len(whys) == 1 else f"{sum(why.all for why in whys[:few]) / total:.0%} by {named}."
    return Section(
        "Why sheets were not OK",
        answer,
        [Picture(drawing.causes(whys), "Causes, the most frequent first. A sheet with two causes counts for both.")],
    )


def unchecked_section(period: Period, whys: Sequence[Why]) -> Section | None:
    """Windows that were not scored, and why sheets were INCONCLUSIVE; None without a sheet."""
    plates = period.plates
    if not len(plates.at):
        return None
    windows, left = int(plates.windows.sum()), int((plates.windows - plates.scored).sum())
    decided = plates.verdict != OPEN
    lacking = int((decided & ((plates.scored < plates.windows) | (plates.windows == 0))).sum())
    facts = [
        ("windows", f"{windows:,}"),
        ("not checked", f"{left:,} ({100 * left / max(windows, 1):.3g} %)"),
        ("sheets that lack some, or all", f"{lacking:,}"),
    ]
    known = plates.coverage[np.isfinite(plates.coverage)]
    if len(known):
        facts.append(("judged share of a sheet, median", f"{100 * np.median(known):.2f} %"))
        facts.append(("judged share of a sheet, least", f"{100 * known.min():.2f} %"))
    tables = [Table(("windows of all sheets", ""), facts)]
    unsure = sorted((why for why in whys if why.inconclusive), key=lambda why: -why.inconclusive)
    if unsure:
        rows = [(why.cause.value, f"{why.inconclusive:,}") for why in unsure]
        tables.append(Table(("INCONCLUSIVE because of", "sheets"), rows))
    answer = (
        f"{left:,} of {windows:,} windows were not checked. {counted(lacking, 'sheet')} "
        f"{'lacks some of its' if lacking == 1 else 'lack some of their'} windows, or all."
        if lacking
        else f"Every window of every sheet was checked: {windows:,} windows."
    )
    return Section("What was not checked", answer, tables=tables)


def drift_section(drifts: Sequence[Drift], alarms: Sequence[tuple[datetime, str]]) -> Section | None:
    """Light and focus over time, and the alarms of the optics; None where nothing is known of them."""
    if not drifts and not alarms:
        return None
    moved = [f"{line.name} of {name_of(one.product)} {change_of(line)}" for one in drifts for line in one.moved]
    answer = f"It moved: {'; '.join(moved)}." if moved else "Nothing moved by more than the configuration allows."
    tables = []
    if drifts:
        rows = [_drift_row(one, line) for one in drifts[:MOST_PICTURES] for line in one.lines]
        head = ("product", "quantity", "at first", "at last", "change", "allowed")
        tables.append(Table(head, rows, frozenset({0, 1})))
    if alarms:
        told = [(f"{at.astimezone():%Y-%m-%d %H:%M}", printable(text)) for at, text in alarms[-MOST_EVENTS:]]
        tables.append(Table((f"alarms of the optics: {len(alarms)}", "the latest"), told, frozenset({0, 1})))
    shown = drifts[:MOST_PICTURES]
    words = [f"{name_of(one.product)}, {counted(one.plates, 'sheet')}." for one in shown]
    pictures = [Picture(drawing.drift(one), text) for one, text in zip(shown, words, strict=True)]
    notes = [
        "Line: median of the sheets. Band: four of five sheets lie within it.",
        (
            "Change: the median of the last fifth of the sheets against that of the first. Allowed: optics of the "
            "configuration. What moved is red."
        ),
    ]
    return Section("Light and focus", answer, pictures, tables, notes)


def _drift_row(one: Drift, line: Line) -> tuple[str, ...]:
    change = NOTHING if line.change is None else change_of(line)
    allowed = NOTHING if line.limit is None else f"{line.limit:.0%}"
    return name_of(one.product), line.name, f"{line.middle[0]:.4g}", f"{line.middle[-1]:.4g}", change, allowed


def golden_section(checks: Sequence[GoldenCheck]) -> Section | None:
    """The checks of the golden sheet; None without one."""
    if not checks:
        return None
    failed = [one for one in checks if not one.passed]
    shown = (failed or checks)[-MOST_EVENTS:]
    rows = [
        (
            f"{one.at.astimezone():%Y-%m-%d %H:%M}",
            printable(one.recipe),
            str(one.plate),
            "passed" if one.passed else "FAILED",
            printable("; ".join(one.failures)),
        )
        for one in shown
    ]
    head = ("failed" if failed else "latest checks", "recipe", "plate", "check", "why")
    answer = f"{len(checks) - len(failed):,} of {counted(len(checks), 'check')} passed."
    return Section("The golden sheet", answer, tables=[Table(head, rows, frozenset({0, 1, 3, 4}))])
