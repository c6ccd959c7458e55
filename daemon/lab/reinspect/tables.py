"""The re-inspection as people read it at a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from config.errors import printable
from daemon.lab.reinspect.figures import Figures, Rate, words_of
from daemon.lab.reinspect.held import Held, is_faulty, mark_of, pairs_of
from daemon.store.view import STYLE
from stages.comparison import Change, Counterparts, Kind
from stages.plate import Verdict

_LINES = 6
"""Defects of a plate that the table names."""
_PLATES = 40
"""Plates that the table names."""


def tables(plates: Sequence[Held], found: Figures) -> list[Table]:
    """The plates of which something would change or is not known, and the figures of all."""
    return [*_plates(plates), _figures(found)]


def headline(found: Figures) -> str:
    """All plates of the selection, counted, in a line."""
    counts = " + ".join(f"{count} {name}" for name, count in found.outcomes.items())
    return f"{found.selected} plates = {counts}" if counts else "no plates"


def change_words(plate: Held, one: Counterparts) -> str:
    """A defect that is gone or new, in words."""
    before, after = pairs_of(plate, one)
    shown = after if one.change is Change.NEW else before
    assert shown is not None
    name = f"defect {one.stored} gone" if one.change is Change.GONE else "new defect"
    facts = [f"score {shown.score:.2f}"]
    if shown.probability is not None:
        facts.append(f"crack {shown.probability:.0%}")
    other = before if one.change is Change.NEW else after
    if other is not None:
        facts.append("vetoed before" if one.change is Change.NEW else "vetoed now")
    if (mark := mark_of(plate, one)) is not None:
        facts.append(f"marked {mark.kind}")
    return f"{name} at x {shown.x}, y {shown.y}: {', '.join(facts)}"


def rate_words(rate: Rate) -> str:
    """A rate with its interval."""
    return f"{rate.count} of {rate.of} = {rate.share:.1%} ({rate.lower:.1%} to {rate.upper:.1%})"


def changes_of(plate: Held) -> list[str]:
    """What is to be told of a plate, in lines; nothing where nothing would change."""
    difference = plate.difference
    if difference is None:
        return [f"{plate.outcome_words}: {plate.detail}"] if is_faulty(plate) else []
    lines = [change_words(plate, one) for one in difference.changed]
    if difference.kind is Kind.UNFINISHED:
        lines.insert(0, f"{Kind.UNFINISHED} by the line: not counted as a change")
    if difference.verdict is not difference.before:
        causes = ", ".join(difference.causes)
        lines.insert(0, f"because of: {causes}" if causes else "nothing speaks against OK any more")
    return lines


def _plates(plates: Sequence[Held]) -> list[Table]:
    told = [(plate, lines) for plate in plates if (lines := changes_of(plate))]
    if not told:
        return []
    # By what it would cost to overlook it: faults, verdicts, defects.
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for name, right in (("plate", True), ("then", False), ("candidate", False), ("what", False)):
        table.add_column(name, justify="right" if right else "left", overflow="fold")
    for plate, lines in told[:_PLATES]:
        more = [f"and {len(lines) - _LINES} more"] if len(lines) > _LINES else []
        difference = plate.difference
        table.add_row(
            str(plate.row.plate),
            _verdict(plate.row.verdict),
            _verdict(None if difference is None else difference.verdict),
            Text(printable("\n".join([*lines[:_LINES], *more]), lines=True)),
        )
    if len(told) > _PLATES:
        table.caption = f"and {len(told) - _PLATES} more plates: --csv and the report have all"
        table.caption_justify = "left"
    return [table]


def _verdict(verdict: Verdict | None) -> Text:
    return Text("-") if verdict is None else Text(verdict.value, STYLE[verdict])


def _figures(found: Figures) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for name in ("of plates that the line inspected whole", "count, share (95 % interval)"):
        table.add_column(name, overflow="fold")
    for before, row in found.verdicts.items():
        for verdict, rate in row.items():
            if verdict is not before:
                table.add_row(f"{before} that would be {verdict}", rate_words(rate))
    table.add_row("verdicts that would change", rate_words(found.changed))
    table.add_row("defects that would be gone", rate_words(found.gone))
    table.add_row("new defects", f"{found.new} on {found.compared} plates")
    for kind, rate in found.marks.items():
        table.add_row(words_of(kind), rate_words(rate))
    return table
