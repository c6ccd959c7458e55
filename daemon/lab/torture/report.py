"""What a torture came to, for people and programs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from rich.table import Table

from daemon.lab.torture.plan import Planned
from daemon.store.results import PlateRow

_MOST_CAUSES = 3
_DEATHS = {"kill": "killed", "hang": "hangs", "kill the supervisor": "killed", "nothing": "nothing"}
"""Faults of which the recovery is told, and how they are called there."""


@dataclass(frozen=True, slots=True)
class Blow:
    """A strike that was struck."""

    planned: Planned
    at: datetime
    alone: bool
    """None came at once before it, nor after it."""


@dataclass(slots=True)
class FaultOutcome:
    """What one kind of fault came to."""

    struck: int = 0
    plates: int = 0
    """Decided from a strike until the next one."""
    not_whole: int = 0
    """Of these, plates that were not judged whole: INCONCLUSIVE, or NG by what was seen."""
    causes: dict[str, int] = field(default_factory=dict)
    """Why, the commonest first."""


@dataclass(slots=True)
class Recovery:
    """Of one role: times from the fault, s."""

    role: str
    fault: str
    next_verdict_s: list[float] = field(default_factory=list)
    """To the next verdict that was committed, of whatever plate."""
    next_whole_s: list[float] = field(default_factory=list)
    """To the verdict of the first plate that began after it and was judged whole."""


@dataclass(slots=True)
class Report:
    """What came of it."""

    seed: int
    seconds: float = 0.0
    """Of striking; start and judgement are not in it."""
    rate: float = 0.0
    """Rows a second."""
    interrupted: bool = False
    plates: int = 0
    whole: int = 0
    """Plates that are to the bit what the same sheet is on a calm line."""
    untold: int = 0
    """Sheets of which a line told just before it was killed, and nobody heard it."""
    strikes: int = 0
    verdicts: dict[str, int] = field(default_factory=dict)
    faults: dict[str, FaultOutcome] = field(default_factory=dict)
    recovery: list[Recovery] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    """Promises that were broken."""
    stories: dict[int, list[str]] = field(default_factory=dict)
    """What is known of plates of which a promise was broken."""
    not_tried: dict[str, str] = field(default_factory=dict)


def outcomes(blows: Sequence[Blow], rows: Mapping[int, PlateRow], calm: int) -> dict[str, FaultOutcome]:
    """By fault; a plate counts with the latest strike before its verdict. The first `calm` plates count with none."""
    found: dict[str, FaultOutcome] = {}
    for blow in blows:
        found.setdefault(blow.planned.fault, FaultOutcome()).struck += 1
    for plate, row in rows.items():
        before = [blow for blow in blows if row.decided_at is not None and blow.at <= row.decided_at]
        if plate <= calm or not before:
            continue
        outcome = found[before[-1].planned.fault]
        outcome.plates += 1
        if not row.complete:
            outcome.not_whole += 1
            for cause in row.causes:
                outcome.causes[cause.value] = outcome.causes.get(cause.value, 0) + 1
    for outcome in found.values():
        outcome.causes = dict(sorted(outcome.causes.items(), key=lambda one: -one[1]))
    return dict(sorted(found.items()))


def recoveries(blows: Sequence[Blow], rows: Mapping[int, PlateRow]) -> list[Recovery]:
    """By role and fault, of strikes that were alone."""
    found: dict[tuple[str, str], Recovery] = {}
    decided = [(row.decided_at, row) for row in rows.values() if row.decided_at is not None]
    decided.sort(key=lambda one: one[0])
    for blow, following in zip(blows, (*blows[1:], None), strict=True):
        if not blow.alone or blow.planned.fault not in _DEATHS:
            continue
        role = blow.planned.names[0].partition("-")[0] if blow.planned.names else "supervisor"
        role = "none" if blow.planned.fault == "nothing" else role
        fault = _DEATHS[blow.planned.fault]
        one = found.setdefault((role, fault), Recovery(role, fault))
        until = None if following is None else following.at
        after = [(at, row) for at, row in decided if at > blow.at and (until is None or at < until)]
        whole = [at for at, row in after if row.complete and row.seen_at > blow.at]
        if after:
            one.next_verdict_s.append((after[0][0] - blow.at).total_seconds())
        if whole:
            one.next_whole_s.append((whole[0] - blow.at).total_seconds())
    return [found[key] for key in sorted(found)]


def quantile(values: Iterable[float], share: float) -> float:
    """The smallest value that has so large a share of all at or below it; NaN of none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


def fault_table(report: Report) -> Table:
    """Fault by outcome."""
    table = Table("fault", "struck", "plates until the next", "not judged whole", "for")
    for fault, one in report.faults.items():
        causes = ", ".join(f"{count} {cause}" for cause, count in list(one.causes.items())[:_MOST_CAUSES])
        table.add_row(fault, str(one.struck), str(one.plates), str(one.not_whole), causes)
    return table


def recovery_table(report: Report) -> Table:
    """Recovery by role."""
    table = Table("role", "fault", "times", "next verdict p50", "p99", "next whole plate p50", "p99")
    for one in report.recovery:
        figures = [
            f"{quantile(values, share):.2f} s" if values else "-"
            for values in (one.next_verdict_s, one.next_whole_s)
            for share in (0.5, 0.99)
        ]
        table.add_row(one.role, one.fault, str(len(one.next_verdict_s)), *figures)
    return table


def summary(report: Report) -> list[str]:
    """The rest, in lines."""
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(report.verdicts.items()))
    lines = [
        f"{report.plates} plates: {verdicts}",
        f"{report.strikes} strikes in {report.seconds / 60:.1f} minutes, seed {report.seed}",
        *(["ended by Ctrl-C"] if report.interrupted else []),
        f"{report.whole} plates are to the bit what the same sheet is on a calm line",
        f"{report.untold} sheets passed in the moment of a kill and were not heard of",
        *(f"not tried: {what} ({why})" for what, why in report.not_tried.items()),
    ]
    if not report.broken:
        return [*lines, "no promise was broken, and nothing was left behind"]
    stories = [line for plate, story in report.stories.items() for line in (f"plate {plate}:", *story)]
    return [*lines, *(f"BROKEN: {one}" for one in report.broken), *stories]
