"""What a candidate says of a plate: each defect with its box, whether it is kept, new or gone."""

from __future__ import annotations

from dataclasses import replace

from stages.challenge import ChallengedDefect, Change, Kind
from stages.comparison import challenge_of
from stages.plate import Cause, Defect, PlateResult, Verdict

WORST = Defect(10, 20, 30, 40, 900, 0.9, 15, 25, edge=False)
OTHER = Defect(500, 600, 20, 20, 300, 0.6, 510, 610, edge=False)
STORED = PlateResult(
    "a" * 32, 7, Verdict.NG, (Cause.DEFECT,), "2 defects", True, 900, 800, 4, 4, 1.0, defects=(WORST, OTHER)
)


def test_a_defect_that_is_gone_has_the_lines_box_and_one_that_is_new_the_candidates() -> None:
    moved = replace(WORST, x=12, score=0.8, probability=0.7)
    new = Defect(300, 300, 9, 9, 50, 0.7, 304, 304, edge=False)
    said = challenge_of("c" * 64, "next", STORED, replace(STORED, defects=(moved, new)))
    assert (said.kind, said.verdict, said.causes) == (Kind.DEFECTS, Verdict.NG, (Cause.DEFECT,))
    assert said.defects == (
        ChallengedDefect(Change.KEPT, 12, 20, 30, 40, 0.8, 0.7, 1),
        ChallengedDefect(Change.GONE, 500, 600, 20, 20, 0.6, None, 2),
        ChallengedDefect(Change.NEW, 300, 300, 9, 9, 0.7, None, None),
    )
    assert [said.count(one) for one in Change] == [1, 1, 1]


def test_a_plate_that_would_be_ok_is_another_verdict() -> None:
    said = challenge_of("c" * 64, "next", STORED, replace(STORED, verdict=Verdict.OK, causes=(), defects=()))
    assert (said.kind, said.verdict, said.causes) == (Kind.VERDICT, Verdict.OK, ())
    assert said.count(Change.GONE) == 2
