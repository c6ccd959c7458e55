"""What a report says: sections with an answer, plots and tables, and three lines above them all.

A new section is one more function that gives a Section or None, and one more line in `sections`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from config.schema import OpticsLimits
from daemon.offline.report.challenger import Candidate, candidates, challenger_section
from daemon.offline.report.drift import Drift, drifts
from daemon.offline.report.form import Section, change_of, counted, name_of, shown_rate, shown_share
from daemon.offline.report.marked import Marked, marked
from daemon.offline.report.on_defects import marks_section, places_section, sizes_section, where
from daemon.offline.report.on_sheets import (
    causes_section,
    drift_section,
    golden_section,
    unchecked_section,
    verdicts_section,
)
from daemon.offline.report.verdicts import Counts, OverTime, Why, by_product, by_shift, over_time, pareto
from daemon.store.period import Period
from daemon.store.places import OfProduct, Sizes, of_products, sizes
from daemon.store.shifts import Shift
from models.measure.assessment import Share


@dataclass(frozen=True, slots=True)
class Findings:
    """All that is computed of a period."""

    period: Period
    over: OverTime | None
    shifts: Mapping[str, Counts]
    products: Sequence[Counts]
    whys: Sequence[Why]
    places: Sequence[OfProduct]
    sizes: Sizes
    drifts: Sequence[Drift]
    marked: Marked
    candidates: Sequence[Candidate]


def findings(period: Period, shifts: Mapping[str, Shift], limits: OpticsLimits) -> Findings:
    """All that a report says of a period, before it is said."""
    return Findings(
        period=period,
        over=over_time(period.plates),
        shifts=by_shift(period.plates, shifts),
        products=by_product(period),
        whys=pareto(period.causes),
        places=of_products(period),
        sizes=sizes(period),
        drifts=drifts(period, limits),
        marked=marked(period),
        candidates=candidates(period),
    )


def sections(of: Findings) -> Iterator[Section]:
    """The report from top to bottom; sections about which there is nothing to say are left out."""
    makers: tuple[Callable[[], Section | None], ...] = (
        lambda: verdicts_section(of.period, of.over, of.shifts, of.products),
        lambda: causes_section(of.whys),
        lambda: places_section(of.places),
        lambda: sizes_section(of.sizes),
        lambda: marks_section(of.marked),
        lambda: challenger_section(of.candidates),
        lambda: unchecked_section(of.period, of.whys),
        lambda: drift_section(of.drifts, of.period.optics),
        lambda: golden_section(of.period.checks),
    )
    for make in makers:
        if (section := make()) is not None:
            yield section


def lines(of: Findings) -> tuple[str, str, str]:
    """The answer, in three lines."""
    return _of_sheets(of), _of_causes(of), f"{_of_optics(of)} {_of_marks(of.marked)}".strip()


def _of_sheets(of: Findings) -> str:
    ledger = of.period.ledger
    ng = shown_share(Share(ledger.ng, ledger.ok + ledger.ng + ledger.inconclusive))
    words = f"{counted(ledger.seen, 'sheet')}: {ledger.ok:,} OK, {ledger.ng:,} NG, {ledger.inconclusive:,} INCONCLUSIVE"
    still = f", {ledger.open:,} still open" if ledger.open else ""
    return f"{words}{still}. NG: {ng} of those with a verdict."


def _of_causes(of: Findings) -> str:
    why = f"Most frequent cause: {of.whys[0].cause.value} ({counted(of.whys[0].all, 'sheet')}). " if of.whys else ""
    repeated = [(one, again) for one in of.places for again in one.repeated]
    if not repeated:
        return f"{why}No place repeats more often than chance allows."
    one, again = repeated[0]
    more = f", and {counted(len(repeated) - 1, 'more place')}" if len(repeated) > 1 else ""
    on = f"{len(again.place.sheets):,} of {again.place.of:,} sheets"
    return f"{why}A place repeats: {where(one, again)} of {name_of(one.product)}, on {on}{more}. Look at the die."


def _of_optics(of: Findings) -> str:
    if not of.drifts:
        return ""
    moved = [f"{line.name} of {name_of(one.product)} {change_of(line)}" for one in of.drifts for line in one.moved]
    return f"Look at the optics: {'; '.join(moved[:3])}." if moved else "Light and focus are steady."


def _of_marks(said: Marked) -> str:
    if not said.plates.count:
        return "Nobody marked anything, so nothing is known of false alarms and misses."
    return (
        f"On the {counted(said.plates.count, 'sheet')} with marks: {shown_rate(said.fpb)} false alarms and "
        f"{shown_rate(said.mdb)} missed cracks a sheet."
    )
