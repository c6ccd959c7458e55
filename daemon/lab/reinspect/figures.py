"""What a candidate would change of all plates together: counts, and rates with their 95 % intervals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from daemon.lab.reinspect.held import Held, good, marked
from models.measure.assessment import Share, middles, resampled
from stages.comparison import Change, Kind
from stages.mark import MarkKind
from stages.plate import Verdict

_VERDICTS = (Verdict.OK, Verdict.NG, Verdict.INCONCLUSIVE)
_MARKS = {
    MarkKind.CONFIRMED: ("confirmed cracks still found", "a crack that is lost is an escape"),
    MarkKind.MISSED: ("missed cracks found now", ""),
    MarkKind.FALSE_ALARM: ("false alarms gone", ""),
}


@dataclass(frozen=True, slots=True)
class Rate:
    """So many of so many, with a 95 % interval."""

    count: int
    of: int
    lower: float
    upper: float

    @property
    def share(self) -> float:
        """0 of none."""
        return self.count / self.of if self.of else 0.0


def rate_of(counts: Sequence[tuple[int, int]]) -> Rate:
    """A rate over plates, each with so many of so many.

    The interval is the wider of two at each end: the exact one, as if each stood alone, and one by drawing plates anew,
    for what lies on one plate is alike.
    """
    total = Share(sum(count for count, _ in counts), sum(of for _, of in counts))
    lower, upper = total.lower, total.upper
    counted = np.array(counts, np.float64).reshape(-1, 2)
    drawn = resampled([str(number) for number in range(len(counts))], counted)
    if drawn is not None:
        with np.errstate(invalid="ignore"):
            low, high = middles({"rate": drawn[:, 0] / drawn[:, 1]}).get("rate", (lower, upper))
        lower, upper = min(lower, low), max(upper, high)
    return Rate(total.count, total.of, lower, upper)


@dataclass(frozen=True, slots=True)
class Figures:
    """The counts and rates of a selection of plates."""

    selected: int
    outcomes: dict[str, int]
    """Every plate of the selection in one of them."""
    verdicts: dict[Verdict, dict[Verdict, Rate]]
    """Stored verdict to the candidate's; those with a plate, of plates that the line inspected whole."""
    changed: Rate
    """Plates whose verdict would change."""
    kept: int
    gone: Rate
    """Stored defects that would not count any more."""
    new: int
    new_on_ok: Rate
    """Plates called OK that would not be."""
    marks: dict[MarkKind, Rate]
    """How often the candidate does as the mark says; kinds that there are."""

    @property
    def compared(self) -> int:
        """Plates that the candidate is held against."""
        return self.changed.of


def figures(plates: Sequence[Held]) -> Figures:
    """Count them. Plates that the line inspected whole are compared; marks count on all that were inspected anew."""
    whole = [
        (one, found) for one in plates if (found := one.difference) is not None and found.kind is not Kind.UNFINISHED
    ]
    verdicts: dict[Verdict, dict[Verdict, Rate]] = {}
    for before in _VERDICTS:
        after = Counter(found.verdict for _, found in whole if found.before is before)
        if total := after.total():
            verdicts[before] = {verdict: _plates(after[verdict], total) for verdict in _VERDICTS if after[verdict]}
    changes = [Counter(one.change for one in found.defects) for _, found in whole]
    gone = [
        (
            sum(one.change is Change.GONE for one in found.defects),
            len({one.stored for one in found.defects if one.change is not Change.NEW}),
        )
        for _, found in whole
    ]
    ok = [found for _, found in whole if found.before is Verdict.OK]
    said = [(one, marked(one)) for one in plates]
    marks = {}
    for kind in _MARKS:
        each = [[one for one in found if one.mark.kind is kind] for _, found in said]
        if any(each):
            marks[kind] = rate_of([(sum(map(good, some)), len(some)) for some in each if some])
    return Figures(
        selected=len(plates),
        outcomes=dict(Counter(one.outcome_words for one in plates).most_common()),
        verdicts=verdicts,
        changed=_plates(sum(found.kind is Kind.VERDICT for _, found in whole), len(whole)),
        kept=sum(of - count for count, of in gone),
        gone=rate_of([one for one in gone if one[1]]),
        new=sum(one[Change.NEW] for one in changes),
        new_on_ok=_plates(sum(found.verdict is not Verdict.OK for found in ok), len(ok)),
        marks=marks,
    )


def words_of(kind: MarkKind) -> str:
    """What the rate of a kind of mark says."""
    return _MARKS[kind][0]


def as_json(found: Figures) -> dict[str, Any]:
    """The figures as values that JSON knows."""
    return {
        "selected": found.selected,
        "compared": found.compared,
        "outcomes": {str(name): count for name, count in found.outcomes.items()},
        "verdicts": {
            before.value: {verdict.value: _rate(rate) for verdict, rate in row.items()}
            for before, row in found.verdicts.items()
        },
        "verdict_changed": _rate(found.changed),
        "defects_kept": found.kept,
        "defects_gone": _rate(found.gone),
        "defects_new": found.new,
        "marks": {kind.value: _rate(rate) for kind, rate in found.marks.items()},
    }


def _rate(rate: Rate) -> dict[str, float]:
    return {"count": rate.count, "of": rate.of, "share": rate.share, "lower": rate.lower, "upper": rate.upper}


def _plates(count: int, total: int) -> Rate:
    share = Share(count, total)
    return Rate(count, total, share.lower, share.upper)
