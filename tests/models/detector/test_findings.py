from __future__ import annotations

import math

import pytest

from models.detector.findings import VETO_ALLOWS, clearer, score_of


def test_a_score_is_clearer_by_the_units_that_a_veto_allows() -> None:
    assert math.log(clearer(0.9) / (1 - clearer(0.9))) == pytest.approx(math.log(9) + VETO_ALLOWS / 2)
    assert (clearer(0.0), clearer(1.0)) == (0.0, 1.0)


def test_a_region_at_the_floor_scores_a_half_and_a_unit_of_evidence_is_worth_the_same_on_both_sides() -> None:
    assert score_of(3.0, 3.0) == 0.5
    assert score_of(4.0, 3.0) == pytest.approx(0.62, abs=0.005)
    assert score_of(2.0, 3.0) == pytest.approx(1 - score_of(4.0, 3.0))
    assert clearer(score_of(3.0 - VETO_ALLOWS, 3.0)) == pytest.approx(0.5)
