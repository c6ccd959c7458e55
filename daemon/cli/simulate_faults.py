"""`linesentry simulate-faults`: the whole line in virtual time, struck by faults at random, until a promise breaks."""

from __future__ import annotations

import dataclasses
import json

import typer

from daemon.cli.options import fail, takes_order
from daemon.lab.faults.campaign import SHEETS, Report, SimulateFaults, run_campaign
from daemon.telemetry.printing import SafeConsole
from models.machine import packages


@takes_order
def simulate_faults(order: SimulateFaults) -> None:
    """Strike a simulated line at random and check every verdict: deaths, hangs, lost messages, a store that fails."""
    from rich.progress import Progress  # noqa: PLC0415

    if (why := packages.missing("greenlet", "simulation")) is not None:
        fail(f"the simulation {why}", 2)
    with Progress(console=SafeConsole(stderr=True)) as bar:
        task = bar.add_task("plates", total=None)

        def told(report: Report) -> None:
            done, total = report.seconds, order.most_s
            if order.plates is not None and (total == float("inf") or report.plates * total > done * order.plates):
                done, total = report.plates, order.plates
            bar.update(task, description=f"{report.plates} plates, seed {report.first_seed + report.seeds - 1}")
            bar.update(task, completed=min(done, total), total=total)

        report = run_campaign(order, told)
    if order.json:
        typer.echo(json.dumps(dataclasses.asdict(report) | {"plates_an_hour": round(report.plates_an_hour)}, indent=2))
    else:
        typer.echo(_words(report))
    if report.broken_seed is not None:
        raise typer.Exit(1)


def _words(report: Report) -> str:
    last = report.first_seed + report.seeds - 1
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(report.verdicts.items()))
    struck = sum(report.faults.values())
    pace = f"{report.virtual_s / 3600:.2f} h of virtual time, {report.plates_an_hour:,.0f} plates an hour on one core"
    words = [f"{report.plates} plates of seeds {report.first_seed} to {last}: {verdicts}; {struck} faults in {pace}"]
    if report.broken_seed is None:
        return "\n".join([*words, "no promise was broken"])
    again = f"linesentry simulate-faults --seed {report.broken_seed} --plates {SHEETS}"
    found = [f"- {one}" for one in report.broken]
    return "\n".join(
        [*words, f"seed {report.broken_seed} broke a promise ({again}):", *found, "shortest schedule:", report.schedule]
    )
