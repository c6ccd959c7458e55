"""What challengers would have changed, candidate by candidate, and what marks say of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from config.errors import printable
from daemon.offline.report.form import Section, Table, counted, shown_share
from daemon.store.challenges import Challenged
from daemon.store.period import Period
from models.measure.assessment import Share
from stages.challenge import Change, Kind
from stages.mark import MarkKind
from stages.plate import Verdict


@dataclass(frozen=True, slots=True)
class Candidate:
    """A candidate against the line, on the plates that it has judged and the line had inspected whole."""

    recipe: str
    sha256: str
    """Of all that decides its results, hex."""
    verdicts: Share
    """Plates of which the verdict would be another."""
    passed: int
    """Of these, plates that were not OK and would be."""
    stopped: int
    """Plates that were OK and would not be."""
    gone: int
    """Defects that it does not find."""
    new: int
    unfinished: int
    """Plates that the line had not inspected whole; in none of the others."""
    false_alarms_gone: Share
    """Of the defects that people marked as false alarms."""
    confirmed_gone: Share
    """Of those that people confirmed."""


def candidates(period: Period) -> list[Candidate]:
    """All that judged plates of the period, that of most plates first."""
    of: dict[tuple[str, str], list[Challenged]] = {}
    for one in period.challenged:
        of.setdefault((one.said.candidate, one.said.recipe), []).append(one)
    marked = {
        kind: {(mark.plate, mark.defect) for mark in period.marks if mark.kind is kind and mark.defect is not None}
        for kind in (MarkKind.FALSE_ALARM, MarkKind.CONFIRMED)
    }
    found = [_candidate(*key, judged, marked) for key, judged in of.items()]
    return sorted(found, key=lambda one: -one.verdicts.of)


def _candidate(
    sha256: str, recipe: str, judged: Sequence[Challenged], marked: Mapping[MarkKind, Collection[tuple[int, int]]]
) -> Candidate:
    whole = [one for one in judged if one.said.kind is not Kind.UNFINISHED]
    changed = [one for one in whole if one.said.kind is Kind.VERDICT]
    # Defects of either result; what was vetoed counts in neither, so a mark of it is in no share.
    here = {
        (one.plate, defect.number): defect.change
        for one in whole
        for defect in one.said.defects
        if defect.number is not None
    }

    def gone(kind: MarkKind) -> Share:
        changes = [here[key] for key in marked[kind] if key in here]
        return Share(changes.count(Change.GONE), len(changes))

    return Candidate(
        recipe=recipe,
        sha256=sha256,
        verdicts=Share(len(changed), len(whole)),
        passed=sum(one.said.verdict is Verdict.OK for one in changed),
        stopped=sum(one.verdict is Verdict.OK for one in changed),
        gone=sum(one.said.count(Change.GONE) for one in whole),
        new=sum(one.said.count(Change.NEW) for one in whole),
        unfinished=len(judged) - len(whole),
        false_alarms_gone=gone(MarkKind.FALSE_ALARM),
        confirmed_gone=gone(MarkKind.CONFIRMED),
    )


def challenger_section(of: Sequence[Candidate]) -> Section | None:
    """What each candidate would change; None where none has judged anything."""
    if not of:
        return None
    first = of[0]
    rows = [
        (
            printable(f"{one.recipe} ({one.sha256[:8]})"),
            f"{one.verdicts.of:,}",
            shown_share(one.verdicts),
            f"{one.passed:,}",
            f"{one.stopped:,}",
            f"{one.gone:,}",
            f"{one.new:,}",
            _marked(one.false_alarms_gone),
            _marked(one.confirmed_gone),
        )
        for one in of
    ]
    head = ("candidate", "sheets", "other verdict", "would pass", "would stop", "defects gone", "new")
    unfinished = sum(one.unfinished for one in of)
    whom = counted(unfinished, "sheet")
    left_out = f" Left out: {whom} that the line had not inspected whole." if unfinished else ""
    return Section(
        "What a challenger would change",
        f"{printable(first.recipe)} judged {counted(first.verdicts.of, 'sheet')} of the archive. It would pass "
        f"{first.passed:,} that were not OK, and stop {first.stopped:,} that were. No verdict was changed.",
        tables=[Table((*head, "false alarms gone", "confirmed gone"), rows)],
        notes=[
            "The archive keeps NG and INCONCLUSIVE sheets, and few OK ones: these shares are not those of the line."
            + left_out,
            "The last two columns are of defects that people marked. A confirmed crack that is gone speaks against it.",
        ],
    )


def _marked(share: Share) -> str:
    return f"{share.count:,} of {share.of:,}" if share.of else "-"
