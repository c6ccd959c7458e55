"""Many seeds, one after the other, until a promise is broken or the time is over."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

import typer

DEFAULT_S = 20.0
SHEETS = 30
"""Of one seed."""


@dataclass(frozen=True, slots=True)
class SimulateFaults:
    """What is ordered."""

    seed: Annotated[int | None, typer.Option(min=0, help="first seed; default: another one each time")] = None
    plates: Annotated[
        int | None, typer.Option(min=1, help=f"end after so many plates; {SHEETS}: the one seed alone")
    ] = None
    seconds: Annotated[
        float | None, typer.Option(min=0.1, help=f"end after so many seconds; default: {DEFAULT_S:g}")
    ] = None
    hours: Annotated[float | None, typer.Option(min=0.001, help="end after so many hours")] = None
    json: Annotated[bool, typer.Option("--json", help="JSON on stdout, and nothing else there")] = False

    @property
    def most_s(self) -> float:
        """Seconds after which no further seed begins."""
        if self.hours is not None:
            return self.hours * 3600
        if self.seconds is not None:
            return self.seconds
        return float("inf") if self.plates is not None else DEFAULT_S


@dataclass(slots=True)
class Report:
    """What came of a campaign."""

    first_seed: int
    seeds: int = 0
    plates: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    """Struck, by kind."""
    verdicts: dict[str, int] = field(default_factory=dict)
    virtual_s: float = 0.0
    seconds: float = 0.0
    cpu_s: float = 0.0
    broken_seed: int | None = None
    """The seed that broke a promise; None where none did."""
    broken: list[str] = field(default_factory=list)
    """What it broke, by the shortest schedule."""
    schedule: str = ""
    """The shortest one that still breaks it, in words."""

    @property
    def plates_an_hour(self) -> float:
        """On one core, by the processor's time."""
        return 3600 * self.plates / self.cpu_s if self.cpu_s else 0.0


def run_campaign(order: SimulateFaults, told: Callable[[Report], object] = lambda _report: None) -> Report:
    """Simulate seed after seed; `told` hears how far it is after each.

    At a broken promise it ends, with the shortest schedule that it could find.
    """
    # Numeric libraries and all roles: not for a help.
    from daemon.lab.faults.roles import replaced  # noqa: PLC0415
    from daemon.lab.faults.schedule import drawn  # noqa: PLC0415
    from daemon.lab.faults.shrink import shrunk  # noqa: PLC0415
    from daemon.lab.faults.simulate import simulate  # noqa: PLC0415

    seed = time.time_ns() % 1_000_000_000 if order.seed is None else order.seed
    report = Report(seed)
    with replaced():
        began, cpu = time.monotonic(), time.process_time()
        while report.seconds < order.most_s and (order.plates is None or report.plates < order.plates):
            outcome = simulate(drawn(seed, SHEETS))
            report.seeds += 1
            report.plates += outcome.plates
            report.virtual_s += outcome.virtual_s
            report.seconds, report.cpu_s = time.monotonic() - began, time.process_time() - cpu
            for fault in outcome.schedule.faults:
                report.faults[fault.kind] = report.faults.get(fault.kind, 0) + 1
            for verdict, count in outcome.verdicts.items():
                report.verdicts[verdict] = report.verdicts.get(verdict, 0) + count
            told(report)
            if outcome.broken:
                shortest = shrunk(outcome.schedule, lambda one: bool(simulate(one).broken))
                report.broken_seed, report.schedule = seed, str(shortest)
                report.broken = list(simulate(shortest).broken)
                break
            seed += 1
    return report
