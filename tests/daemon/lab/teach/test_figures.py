"""Painted cracks cross: several found things on one crack are no false alarms, and one thing on several finds each."""

from __future__ import annotations

from daemon.lab.teach.figures import _met, _plainly
from models.measure.scored import Found, Scored, TruthBox, outcome


def scored(*found: tuple[int, int, int, int]) -> Scored:
    truth = (TruthBox((0, 0, 100, 100)), TruthBox((90, 90, 100, 100)), TruthBox((400, 0, 50, 50)))
    return Scored("one", "one", truth, tuple(Found(box, 0.9) for box in found))


def test_pieces_of_a_crack_are_no_false_alarms() -> None:
    one = scored((5, 5, 10, 10), (40, 40, 10, 10), (300, 300, 10, 10))
    found, judgement = outcome(one)
    met = _met(judgement)
    assert (met.true, met.missed, met.false) == (1, 2, 1)
    shown = _plainly(one, found, judgement)
    assert len(shown.found) == 2
    assert (outcome(shown)[1].match.false, outcome(shown)[1].match.missed) == (1, 2)


def test_what_lies_on_two_cracks_finds_both() -> None:
    one = scored((92, 92, 6, 6))
    found, judgement = outcome(one)
    met = _met(judgement)
    assert (met.true, met.missed, met.false) == (2, 1, 0)
    shown = _plainly(one, found, judgement)
    assert [truth.counts for truth in shown.truth].count(False) == 1
    assert outcome(shown)[1].match.missed == 1
