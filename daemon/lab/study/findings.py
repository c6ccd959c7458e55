"""What the paper says, judged by our figures: confirmed, otherwise, too close to tell, or not measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from daemon.lab.study.claims import Answer, ClaimResult, Figures, lower, measured_of, together
from daemon.lab.study.experiments import EXPERIMENTS, Finding
from daemon.lab.study.measure import Record


@dataclass(frozen=True, slots=True)
class Judged:
    """A finding with its answer."""

    says: str
    short: str
    """The same in a few words."""
    answer: Answer | Literal["not run"]
    beside: str
    """Our figures; of what was not run, the cells that are missing."""
    why: str
    because: str
    """Why it is otherwise, in a few words."""
    differences: str = ""

    def line(self) -> str:
        """As it stands under a table."""
        if self.answer == "not run":
            return f"- The paper: {self.says}. Here: not run ({self.beside})."
        if self.answer == "yes":
            return f"- The paper: {self.says}. Here too: {self.beside}."
        if self.answer == "otherwise":
            return f"- The paper: {self.says}. **Here it is otherwise**: {self.beside}. Why: {self.why}."
        small = f"{self.beside}; {self.differences}"
        return f"- The paper: {self.says}. Here the difference is too small to tell from chance: {small}."


Records = Mapping[str, Record]
"""By key: experiment/variant/seed."""


def records_of(records: Records, cell: str) -> list[Record]:
    """A cell's records, by seed."""
    found = [record for key, record in records.items() if key.rsplit("/", 1)[0] == cell]
    return sorted(found, key=lambda record: int(record["seed"]))


def figures_of(records: Records) -> Figures:
    """The figures of all cells of the tables that ran."""
    names = dict.fromkeys(row.cell for experiment in EXPERIMENTS for row in experiment.rows)
    return {cell: measured_of(found) for cell in names if (found := records_of(records, cell))}


def judged(finding: Finding, figures: Figures) -> Judged:
    """A finding of a table, by the figures of its cells."""
    missing = [cell for cell in finding.needs if cell not in figures]
    if missing:
        return Judged(finding.says, finding.short, "not run", ", ".join(missing), finding.why, finding.because)
    beside = "; ".join(f"{cell.split('/')[1]} {_three(figures[cell].shares)}" for cell in finding.needs)
    results = [claim(figures) for claim in finding.claims]
    return Judged(
        finding.says, finding.short, together(results), beside, finding.why, finding.because, _differences(results)
    )


def of_distributions(record: Record | None) -> list[Judged]:
    """What figure 15 is said to show."""
    says, short = "the foreground peak is the defects (M 90)", "the upper peak of the values is the cracks"
    why = "cracks cover too little of a window to make a component of their own in most of them"
    because = "cracks cover too few px to make a peak"
    if record is None:
        return [Judged(says, short, "not run", "figures/distributions", why, because)]
    cracked, clean = (record["kinds"].get(name) for name in ("with a crack", "without a crack"))
    if not (cracked and clean):
        return []
    beside = (
        f"the fitted upper component holds {100 * cracked['upper_share']:.1f} % of the pixels of windows with a crack, "
        f"where cracks cover {100 * cracked['crack_share']:.2f} %, and {100 * clean['upper_share']:.1f} % of those "
        "without"
    )
    answer: Answer = "yes" if cracked["upper_share"] <= 3 * cracked["crack_share"] else "otherwise"
    return [Judged(says, short, answer, beside, why, because)]


def of_fractions(record: Record | None) -> list[Judged]:
    """What figure 16 is said to show."""
    few_says, few_short = "0.1 % finds next to nothing (2 of 13)", "a share of 0.1 % finds next to nothing"
    few_why = "0.1 % of a window are 420 px, a short crack whole; only windows with several cracks run out of them"
    few_because = "0.1 % of a window is a short crack whole"
    many_says = "1 % finds all defects at the cost of many false ones (13 / 12 / 0)"
    many_short = "1 % finds all, at the cost of many false ones"
    many_why = "at 1 % neighbouring cracks and what lies around them grow together into one region"
    many_because = "neighbouring cracks grow together"
    if record is None:
        cell = "figures/fractions"
        return [
            Judged(few_says, few_short, "not run", cell, few_why, few_because),
            Judged(many_says, many_short, "not run", cell, many_why, many_because),
        ]
    few, usual, many = (record["cracked_windows"][name] for name in ("0.001", "0.003", "0.01"))
    figures = {"usual": measured_of([usual]), "many": measured_of([many])}
    results = [lower("usual", "many", "recall")(figures), lower("many", "usual", "precision")(figures)]
    rare: Answer = "yes" if few["recall"] < 0.5 * usual["recall"] else "otherwise"
    beside = f"R {few['recall']:.3f} against {usual['recall']:.3f} at 0.3 %"
    gained = f"R {many['recall']:.3f} and {many['false']} false, against {usual['recall']:.3f} and {usual['false']}"
    return [
        Judged(few_says, few_short, rare, beside, few_why, few_because),
        Judged(many_says, many_short, together(results), gained, many_why, many_because, _differences(results)),
    ]


def _three(mean: Mapping[str, float]) -> str:
    return f"R {mean['recall']:.3f} P {mean['precision']:.3f} F1 {mean['f1']:.3f}"


def _differences(results: Sequence[ClaimResult]) -> str:
    return "; ".join(one.words + (", as the paper says" if one.answer == "yes" else "") for one in results)
