"""A report says of each candidate what it would change, and never counts what the line had not inspected whole."""

from __future__ import annotations

from datetime import UTC, datetime

from daemon.offline.report.challenger import candidates, challenger_section
from daemon.store.challenges import Challenged
from stages.challenge import Challenge, ChallengedDefect, Change, Kind
from stages.mark import Mark, MarkKind
from stages.plate import Cause, Verdict
from tests.daemon.offline.report.periods import period, plates

NOW = datetime(2026, 11, 30, tzinfo=UTC)


def defect(change: Change, number: int | None) -> ChallengedDefect:
    return ChallengedDefect(change, 1, 2, 3, 4, 0.8, None, number)


def said(
    plate: int, stored: Verdict, kind: Kind, verdict: Verdict, *defects: ChallengedDefect, recipe: str = "new"
) -> Challenged:
    causes = (Cause.DEFECT,) if verdict is Verdict.NG else ()
    return Challenged(plate, stored, Challenge(recipe[0] * 64, recipe, kind, verdict, causes, defects))


def test_what_each_candidate_would_change_is_counted_and_held_against_marks() -> None:
    judged = [
        said(1, Verdict.NG, Kind.VERDICT, Verdict.OK, defect(Change.GONE, 1), defect(Change.GONE, 2)),
        said(2, Verdict.NG, Kind.DEFECTS, Verdict.NG, defect(Change.KEPT, 1), defect(Change.NEW, None)),
        said(3, Verdict.OK, Kind.VERDICT, Verdict.NG, defect(Change.NEW, None)),
        said(4, Verdict.NG, Kind.SAME, Verdict.NG, defect(Change.KEPT, 1)),
        said(5, Verdict.INCONCLUSIVE, Kind.UNFINISHED, Verdict.OK),
        said(1, Verdict.NG, Kind.SAME, Verdict.NG, defect(Change.KEPT, 1), recipe="<b>old"),
    ]
    marks = [
        Mark(1, MarkKind.FALSE_ALARM, "ann", NOW, 1),
        Mark(2, MarkKind.FALSE_ALARM, "ann", NOW, 1),
        Mark(1, MarkKind.CONFIRMED, "ann", NOW, 2),
        Mark(4, MarkKind.CONFIRMED, "ann", NOW, 1),
        Mark(9, MarkKind.CONFIRMED, "ann", NOW, 1),  # of a plate that nobody challenged
    ]
    new, old = candidates(period(plates(10), marks=marks, challenged=judged))
    assert (new.verdicts.count, new.verdicts.of, new.passed, new.stopped) == (2, 4, 1, 1)
    assert (new.gone, new.new, new.unfinished) == (2, 2, 1)
    assert (new.false_alarms_gone.count, new.false_alarms_gone.of) == (1, 2)
    assert (new.confirmed_gone.count, new.confirmed_gone.of) == (1, 2)
    assert (old.verdicts.count, old.verdicts.of, old.false_alarms_gone.count) == (0, 1, 0)
    section = challenger_section([new, old])
    assert section is not None
    assert "It would pass 1 that were not OK, and stop 1 that were." in section.answer
    assert "Left out: 1 sheet that the line had not inspected whole." in section.notes[0]
    assert [row[0] for row in section.tables[0].rows] == ["new (nnnnnnnn)", "<b>old (<<<<<<<<)"]


def test_without_a_candidate_there_is_no_section() -> None:
    assert challenger_section(candidates(period(plates(3)))) is None
