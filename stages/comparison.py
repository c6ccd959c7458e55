"""What a plate's stored result and a candidate's result on the same pixels have apart.

A candidate (other weights, another recipe) sees pixels and nothing else. What the line knew beside them stands whoever
judges: that rows are missing, that it was the golden sheet. And a plate that the line did not look at to the end has a
result that no candidate can be held against.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models.measure.matching import meeting, pairs
from stages.challenge import Challenge, ChallengedDefect, Change, Kind
from stages.plate import Cause, Defect, PlateResult, Verdict, worst_first
from stages.verdict import TELLING

__all__ = [
    "CUT",
    "STANDING",
    "UNFINISHED",
    "Change",
    "Counterparts",
    "Difference",
    "Kind",
    "box_of",
    "challenge_of",
    "compare",
]

STANDING = frozenset(
    {
        Cause.STARTED_MID_SHEET,
        Cause.ACQUISITION_DIED,
        Cause.OVERLOAD,
        Cause.NO_ROWS,
        Cause.UNREADABLE,
        Cause.WRONG_WIDTH,
        Cause.ROWS_MISSING,
        Cause.SWITCH_DOUBTFUL,
        Cause.DEPTH,
        Cause.FURTHER_PAGES,
        Cause.CHECK_OVERDUE,
        Cause.GOLDEN_SHEET,
    }
)
"""Causes that no pixel of the plate tells, and no recipe takes away."""
CUT = frozenset({Cause.TOO_LONG, Cause.TOO_SHORT})
"""Causes that stand where the line itself gave them: the plate was cut off and is not complete."""
UNFINISHED = frozenset(
    {
        Cause.SERVICE_DIED,
        Cause.ROLE_LOST,
        Cause.STORE_FAILED,
        Cause.SHUTDOWN,
        Cause.LATE,
        Cause.CLASSIFIER_LATE,
        Cause.WINDOW_QUARANTINED,
        Cause.WINDOW_FAILED,
    }
)
"""Causes by which the line did not come to an end with the plate: with another recipe it might not have either."""

_SILENT = ("absent", "late:")
"""In what is said of the classifier (stages/opinions.py): answers were lacking, and defects stood for want of a veto.

Crops that were left out for their number are not among these: a candidate asks no more than the line does.
"""


@dataclass(frozen=True, slots=True)
class Counterparts:
    """A defect that counts in one result, or in both, with what the other says of its place."""

    change: Change
    stored: int | None
    """Number of the stored defect there, 1 being the worst. Of a new one: of one that was vetoed, or None."""
    candidate: int | None
    """Likewise of the candidate's. Of one that is gone: of one that the candidate vetoes, or None."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What a candidate would change of a plate."""

    kind: Kind
    before: Verdict
    """As stored."""
    verdict: Verdict
    """The candidate's: with what stands, whoever judges."""
    causes: tuple[Cause, ...]
    """Of that verdict, most telling first."""
    standing: tuple[Cause, ...]
    """Those of them that no recipe takes away."""
    defects: tuple[Counterparts, ...]
    """Those that counted by their stored number, then what else counts by the candidate's."""

    @property
    def changed(self) -> tuple[Counterparts, ...]:
        """The defects that are gone or new."""
        return tuple(one for one in self.defects if one.change is not Change.KEPT)


def compare(stored: PlateResult, candidate: PlateResult) -> Difference:
    """What the candidate would change of a plate; both results are of the same pixels, whatever the order of defects.

    A defect that was vetoed does not count. One that counts is kept where it meets one that counts in the other result,
    as an evaluation matches boxes: one that falls apart into two, or is joined with another, is no new one.
    """
    standing = tuple(cause for cause in TELLING if cause in stored.causes and _stands(cause, stored))
    verdict, causes = _verdict(candidate, standing)
    defects = _counterparts(worst_first(stored.defects), worst_first(candidate.defects))
    kind = Kind.SAME
    if not _finished(stored):
        kind = Kind.UNFINISHED
    elif verdict is not stored.verdict:
        kind = Kind.VERDICT
    elif any(one.change is not Change.KEPT for one in defects):
        kind = Kind.DEFECTS
    return Difference(kind, stored.verdict, verdict, causes, standing, defects)


def challenge_of(candidate: str, recipe: str, stored: PlateResult, judged: PlateResult) -> Challenge:
    """The candidate's result of the plate's pixels against the stored result."""
    found = compare(stored, judged)
    return Challenge(candidate, recipe, found.kind, found.verdict, found.causes, _challenged(found, stored, judged))


def _challenged(found: Difference, stored: PlateResult, judged: PlateResult) -> tuple[ChallengedDefect, ...]:
    before, after = worst_first(stored.defects), worst_first(judged.defects)
    listed = []
    for one in found.defects:
        if one.change is Change.GONE:
            assert one.stored is not None
            shown = before[one.stored - 1]
        else:
            assert one.candidate is not None
            shown = after[one.candidate - 1]
        box = shown.x, shown.y, shown.width, shown.height
        listed.append(ChallengedDefect(one.change, *box, shown.score, shown.probability, one.stored))
    return tuple(listed)


def box_of(defect: Defect) -> tuple[int, int, int, int]:
    """Its box as matching takes it: x, y, width, height, px."""
    return defect.x, defect.y, defect.width, defect.height


def _finished(stored: PlateResult) -> bool:
    """Whether the line came to an end with the plate: all windows scored, and all answers there."""
    scored = 0 < stored.windows <= stored.windows_scored
    return scored and not UNFINISHED & set(stored.causes) and not any(word in stored.classifier for word in _SILENT)


def _stands(cause: Cause, stored: PlateResult) -> bool:
    return cause in STANDING or (cause in CUT and not stored.complete)


def _verdict(candidate: PlateResult, standing: Sequence[Cause]) -> tuple[Verdict, tuple[Cause, ...]]:
    found = {*candidate.causes, *standing}
    if Cause.GOLDEN_SHEET in found:
        found -= {Cause.DEFECT}  # it is no word on a product, whatever was found
    verdict = Verdict.INCONCLUSIVE if found or candidate.verdict is not Verdict.OK else Verdict.OK
    if candidate.verdict is Verdict.NG and Cause.GOLDEN_SHEET not in found:
        verdict = Verdict.NG
    return verdict, tuple(cause for cause in TELLING if cause in found)


def _counterparts(stored: Sequence[Defect], candidate: Sequence[Defect]) -> tuple[Counterparts, ...]:
    before = [number for number, one in enumerate(stored) if not one.vetoed]
    after = [number for number, one in enumerate(candidate) if not one.vetoed]
    there = meeting([box_of(one) for one in stored], [box_of(one) for one in candidate])
    partner: dict[int, int] = {}
    taken = pairs([box_of(stored[number]) for number in before], [box_of(candidate[number]) for number in after])
    for number, index in zip(before, taken, strict=True):
        if index >= 0:
            partner[number] = after[index]
    matched = {number: other for other, number in partner.items()}
    found: list[Counterparts] = []
    for number in before:
        counting = [other for other in after if there[number, other]]
        if counting:
            found.append(Counterparts(Change.KEPT, number + 1, partner.get(number, counting[0]) + 1))
        else:
            found.append(Counterparts(Change.GONE, number + 1, _first(there[number].nonzero()[0].tolist())))
    for number in after:
        meets = there[:, number].nonzero()[0].tolist()
        counting = [other for other in before if there[other, number]]
        if counting and number not in matched:
            found.append(Counterparts(Change.KEPT, counting[0] + 1, number + 1))
        elif not counting:
            found.append(Counterparts(Change.NEW, _first(meets), number + 1))
    return tuple(dict.fromkeys(found))


def _first(numbers: Sequence[int]) -> int | None:
    return numbers[0] + 1 if numbers else None
