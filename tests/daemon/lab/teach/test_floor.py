"""The floor: silent on good sheets, and not lower than painted cracks need."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.schema import Classifier, Recipe
from daemon.lab.teach.floor import Told, alarm_bound, choose, told
from daemon.lab.teach.look import needed_floor
from models.detector.findings import evidence_over, score_of
from models.measure.scored import TruthBox
from stages.plate import Defect

START = 2.0
PLAIN = Recipe(name="plain")
VETO = Recipe(name="veto", classifier=Classifier(mode="veto", veto_below=0.2))


def defect(needs: float, x: int = 0, probability: float | None = None) -> Defect:
    """One that makes a plate NG up to that floor, without a classifier."""
    score = score_of(needs - START, 0.0)
    return Defect(x, 0, 10, 10, 100, score, x, 5, edge=False, probability=probability, faint=needs < START)


def sheet(alarms: list[float], cracks: list[float], name: str = "a") -> Told:
    return Told(name, tuple(map(defect, alarms)), tuple((defect(one),) for one in cracks))


@given(st.floats(-10, 10))
def test_a_score_tells_its_evidence(evidence: float) -> None:
    assert evidence_over(score_of(evidence, 0.0)) == pytest.approx(evidence, abs=1e-6)


@given(st.floats(2.1, 9))
def test_a_defect_needs_the_floor_at_which_it_just_scores_a_half(needs: float) -> None:
    assert needed_floor(defect(needs), PLAIN, START) == pytest.approx(needs, abs=0.02)


def test_what_the_classifier_takes_for_a_crack_needs_a_higher_floor_and_what_it_vetoes_a_lower() -> None:
    assert needed_floor(defect(4.0, probability=0.9), VETO, START) == pytest.approx(5.0, abs=0.02)
    # Above 0.81, nearly three units above the floor, nothing is vetoed.
    assert needed_floor(defect(4.0, probability=0.1), VETO, START) == pytest.approx(1.1, abs=0.02)
    assert needed_floor(defect(4.0), VETO, START) == pytest.approx(4.0, abs=0.02)


def test_the_floor_lies_above_every_alarm() -> None:
    found = choose([sheet([2.5, 3.1], [9.0]), sheet([], [3.2]), sheet([2.2], [])], PLAIN, START)
    assert 3.1 < found.silent < 3.2
    assert found.silent <= found.value
    assert found.sheets == 3
    assert found.odd == ()


def test_it_is_raised_as_far_as_painted_cracks_allow_and_one_unit_at_most() -> None:
    assert choose([sheet([3.0], [3.5, 7.0])], PLAIN, START).value == pytest.approx(3.5, abs=0.02)
    assert choose([sheet([3.0], [6.0, 7.0])], PLAIN, START).value == pytest.approx(4.06, abs=0.02)


def test_without_alarms_it_starts_at_the_least() -> None:
    assert choose([sheet([], [2.1]), sheet([], [])], PLAIN, START).value == pytest.approx(2.1, abs=0.02)


def test_a_crack_that_is_found_by_several_defects_needs_the_highest() -> None:
    cracks = Told("a", (), ((defect(2.5), defect(4.0)), ()))
    found = choose([cracks], PLAIN, START)
    assert found.found == 0.5
    assert found.cracks == 2


def test_what_stands_alone_as_painted_cracks_do_is_an_overlooked_crack() -> None:
    cracks = [5.0, 6.0, 7.0]
    sheets = [sheet([2.5], cracks, "a"), sheet([5.5], cracks, "b"), sheet([], cracks, "c"), sheet([2.6], cracks, "d")]
    found = choose(sheets, PLAIN, START)
    assert [name for name, _ in found.odd] == ["b"]
    assert found.sheets == 3
    assert found.silent < 3
    # Of three sheets each is needed.
    assert choose(sheets[:3], PLAIN, START).odd == ()


def test_what_several_sheets_have_is_no_overlooked_crack() -> None:
    sheets = [sheet([5.4], [5.0, 6.0], "a"), sheet([5.5], [7.0], "b"), sheet([], [], "c"), sheet([], [], "d")]
    found = choose(sheets, PLAIN, START)
    assert found.odd == ()
    assert found.silent > 5.5


@pytest.mark.parametrize(
    ("sheets", "alarming", "bound"), [(4, 0, 0.527), (30, 0, 0.095), (12, 1, 0.339), (3, 3, 1.0), (0, 0, 1.0)]
)
def test_the_bound_is_the_exact_one_sided_one(sheets: int, alarming: int, bound: float) -> None:
    assert alarm_bound(sheets, alarming) == pytest.approx(bound, abs=0.001)


def test_alarms_are_those_of_the_sheet_as_it_is_and_cracks_those_of_the_painted_one() -> None:
    plain = [defect(3.0, x) for x in (0, 300)]
    painted = [defect(3.0, x) for x in (0, 100, 200, 400)]
    truth = [TruthBox((100, 0, 20, 20)), TruthBox((200, 0, 20, 20), asked=False), TruthBox((900, 0, 20, 20))]
    one = told("a", plain, painted, truth, marks=[(295, 0, 20, 20)])
    assert one.alarms == (plain[0],)
    assert one.cracks == ((painted[1],), ())
