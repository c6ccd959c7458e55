"""A candidate is held against what is stored: what it would change, and what nobody can change any more."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.measure.matching import meeting
from stages.comparison import CUT, STANDING, UNFINISHED, Change, Counterparts, Kind, box_of, compare
from stages.plate import Cause, Defect, PlateResult, Verdict, worst_first
from stages.verdict import TELLING


def defect(x: int, y: int = 0, width: int = 10, score: float = 0.9, *, vetoed: bool = False) -> Defect:
    return Defect(x, y, width, 10, 50, score, x, y, edge=False, vetoed=vetoed)


def result(*defects: Defect, causes: tuple[Cause, ...] = (), complete: bool = True, scored: int = 4) -> PlateResult:
    """A plate as the verdict rule leaves it: a defect that counts makes it NG."""
    if any(not one.vetoed for one in defects):
        causes = (Cause.DEFECT, *causes)
    verdict = Verdict.OK if not causes else Verdict.INCONCLUSIVE
    if Cause.DEFECT in causes:
        verdict = Verdict.NG
    return PlateResult("r", 1, verdict, causes, "", complete, 1000, 800, 4, scored, 1.0, defects=defects)


DEFECTS = st.lists(
    st.builds(
        defect,
        st.integers(0, 40),
        st.integers(0, 40),
        st.integers(1, 30),
        st.floats(0.5, 1) | st.just(float("nan")),
        vetoed=st.booleans(),
    ),
    max_size=7,
)
CAUSES = st.lists(st.sampled_from([cause for cause in TELLING if cause is not Cause.DEFECT]), unique=True, max_size=3)


@st.composite
def results(draw: st.DrawFn) -> PlateResult:
    return result(
        *draw(DEFECTS),
        causes=tuple(draw(CAUSES)),
        complete=draw(st.booleans()),
        scored=draw(st.sampled_from([4, 4, 3])),
    )


def numbers(one: PlateResult) -> set[int]:
    """Of the defects that count."""
    return {number for number, found in enumerate(worst_first(one.defects), start=1) if not found.vetoed}


@given(results())
def test_a_result_held_against_itself_changes_nothing(stored: PlateResult) -> None:
    found = compare(stored, stored)
    assert found.changed == ()
    if Cause.GOLDEN_SHEET not in stored.causes:
        assert (found.before, found.verdict) == (stored.verdict, stored.verdict)
        assert set(found.causes) == set(stored.causes)
    assert found.kind in (Kind.SAME, Kind.UNFINISHED) or Cause.GOLDEN_SHEET in stored.causes


@given(results(), results())
def test_every_defect_that_counts_is_told_of_and_changes_once_at_most(
    stored: PlateResult, candidate: PlateResult
) -> None:
    found = compare(stored, candidate)
    kept = [one for one in found.defects if one.change is Change.KEPT]
    gone = [one.stored for one in found.defects if one.change is Change.GONE]
    new = [one.candidate for one in found.defects if one.change is Change.NEW]
    assert len(set(gone)) == len(gone)
    assert len(set(new)) == len(new)
    assert {one.stored for one in kept} | set(gone) == numbers(stored)
    assert {one.candidate for one in kept} | set(new) == numbers(candidate)
    assert not {one.stored for one in kept} & set(gone)
    assert not {one.candidate for one in kept} & set(new)
    before, after = worst_first(stored.defects), worst_first(candidate.defects)
    for one in found.defects:
        # Whoever is named beside it lies at the same place.
        if one.stored is not None and one.candidate is not None:
            assert meeting([box_of(before[one.stored - 1])], [box_of(after[one.candidate - 1])]).all()
    for number in gone:
        assert number is not None
        counting = [box_of(one) for one in after if not one.vetoed]
        assert not meeting([box_of(before[number - 1])], counting).any()


@given(results(), results())
def test_what_is_gone_one_way_is_new_the_other_way(stored: PlateResult, candidate: PlateResult) -> None:
    there, back = compare(stored, candidate), compare(candidate, stored)
    gone = {one.stored for one in there.defects if one.change is Change.GONE}
    assert gone == {one.candidate for one in back.defects if one.change is Change.NEW}


@given(results(), results())
def test_a_candidate_is_never_ok_by_default_and_never_ng_without_saying_so_itself(
    stored: PlateResult, candidate: PlateResult
) -> None:
    found = compare(stored, candidate)
    if found.verdict is Verdict.OK:
        assert candidate.verdict is Verdict.OK
        assert not STANDING & set(stored.causes)
    if found.verdict is Verdict.NG:
        assert candidate.verdict is Verdict.NG
    assert (found.verdict is Verdict.OK) == (found.causes == ())


@pytest.mark.parametrize("cause", sorted(STANDING - {Cause.GOLDEN_SHEET}))
def test_what_the_line_knew_beside_the_pixels_stands(cause: Cause) -> None:
    stored = result(causes=(cause,), complete=False)
    found = compare(stored, result())
    assert (found.kind, found.verdict, found.standing) == (Kind.SAME, Verdict.INCONCLUSIVE, (cause,))
    cracked = compare(stored, result(defect(5)))
    assert (cracked.kind, cracked.verdict, cracked.causes) == (Kind.VERDICT, Verdict.NG, (Cause.DEFECT, cause))


def test_the_golden_sheet_stays_inconclusive_whatever_is_found_on_it() -> None:
    stored = replace(result(defect(5)), verdict=Verdict.INCONCLUSIVE, causes=(Cause.GOLDEN_SHEET,))
    found = compare(stored, result(defect(5), defect(50)))
    assert (found.kind, found.verdict, found.causes) == (Kind.DEFECTS, Verdict.INCONCLUSIVE, (Cause.GOLDEN_SHEET,))


@pytest.mark.parametrize("cause", sorted(UNFINISHED))
def test_what_the_line_did_not_come_to_an_end_with_is_no_change_by_the_candidate(cause: Cause) -> None:
    found = compare(result(causes=(cause,), complete=False), result())
    assert (found.kind, found.verdict) == (Kind.UNFINISHED, Verdict.OK)


def test_a_plate_with_windows_that_nobody_scored_is_no_change_by_the_candidate() -> None:
    assert compare(result(scored=3, causes=(Cause.SHUTDOWN,)), result()).kind is Kind.UNFINISHED
    assert compare(result(defect(5), scored=3), result()).kind is Kind.UNFINISHED


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("veto", Kind.VERDICT),
        ("veto, left out: 3 of 40 crops", Kind.VERDICT),
        ("veto, late: 3 of 12 crops", Kind.UNFINISHED),
        ("veto, absent", Kind.UNFINISHED),
        ("annotate, absent: 3 of 12 crops", Kind.UNFINISHED),
    ],
)
def test_a_defect_that_stood_for_want_of_a_veto_is_not_lost_by_the_candidate(said: str, kind: Kind) -> None:
    assert compare(replace(result(defect(5)), classifier=said), result(defect(5, vetoed=True))).kind is kind


@pytest.mark.parametrize("cause", sorted(CUT))
def test_a_length_is_the_recipes_to_judge_unless_the_line_cut_the_plate(cause: Cause) -> None:
    assert compare(result(causes=(cause,)), result()).verdict is Verdict.OK
    assert compare(result(causes=(cause,), complete=False), result()).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("cause", [Cause.FOCUS, Cause.CONTRAST, Cause.NOISE, Cause.COVERAGE, Cause.REGIONS_TRUNCATED])
def test_what_the_pixels_say_is_the_candidates_to_judge(cause: Cause) -> None:
    assert compare(result(causes=(cause,)), result()).kind is Kind.VERDICT


def test_a_defect_that_falls_apart_is_kept_and_one_that_is_vetoed_now_is_gone() -> None:
    stored = result(defect(0, width=100), defect(200, score=0.8), defect(300, score=0.7, vetoed=True))
    candidate = result(defect(0, score=0.9), defect(60, score=0.8), defect(300, score=0.7), defect(200, vetoed=True))
    found = compare(stored, candidate)
    assert found.defects == (
        Counterparts(Change.KEPT, 1, 1),
        Counterparts(Change.GONE, 2, 4),
        Counterparts(Change.KEPT, 1, 2),
        Counterparts(Change.NEW, 3, 3),
    )
    assert found.kind is Kind.DEFECTS


def test_every_cause_is_of_the_pixels_or_of_the_line() -> None:
    # A new cause is to be thought about here: by default the pixels tell it, and a candidate may take it away.
    pixels = {
        Cause.DEFECT,
        Cause.TOO_SMALL,
        Cause.REGIONS_TRUNCATED,
        Cause.BRIGHTNESS,
        Cause.CONTRAST,
        Cause.SATURATION,
        Cause.FOCUS,
        Cause.COVERAGE,
        Cause.ROWS_REPEATED,
        Cause.COLUMNS_REPEATED,
        Cause.COLUMNS_DEAD,
        Cause.NOISE,
        Cause.FAULTY_BIT,
        Cause.ROWS_MISPLACED,
        Cause.COLUMNS_MISPLACED,
        Cause.NEGATIVE,
        Cause.GAIN_JUMPS,
    }
    groups = (pixels, STANDING, CUT, UNFINISHED)
    assert set().union(*groups) == set(Cause)
    assert sum(map(len, groups)) == len(Cause)
