"""The supervisor's count of the switch, over lines that come and go."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from daemon.service.sightings import Sighting, Sightings
from daemon.wire.plate_memory import Hold, SlotFacts
from stages.camera import Edge, Sheet, Strip
from stages.events import Place


def strip(block: int, *edges: Edge, level: bool) -> Strip:
    return Strip(block, block * 100, 100, edges, level)


def slot(plate: int, *holds: Hold) -> SlotFacts:
    return SlotFacts(plate, Place(0, 1, 100), 50, 0, closed=False, causes=(), holds=frozenset(holds))


def begun() -> Sightings:
    """A line whose plate 7 is in the beam."""
    sightings = Sightings(16, 7)
    assert sightings.hear(1, strip(0, Edge(1, 40, rising=True), level=False), 0.0) == [Sighting(7)]
    return sightings


def test_plates_are_numbered_from_the_first() -> None:
    sightings = begun()
    assert sightings.hear(1, strip(1, Edge(2, 120, rising=False), Edge(3, 150, rising=True), level=True), 0.0) == [
        Sighting(8, not_before=0.0)
    ]
    assert sightings.camera_row == 200
    assert sightings.state.next_plate == 9


def test_a_plate_cannot_have_begun_before_a_strip_was_delivered_that_ends_above_its_edge() -> None:
    sightings = Sightings(150, 7)
    rising = Edge(1, 230, rising=True)
    assert sightings.hear(1, strip(0, level=False), 5.0) == []
    assert sightings.hear(1, strip(1, level=False), 6.0) == []
    assert sightings.hear(1, strip(2, rising, level=False), 7.0) == []
    assert sightings.hear(1, strip(3, level=True), 8.0) == [Sighting(7, not_before=6.0)]


def test_a_plate_is_seen_by_the_camera_that_the_line_named_last() -> None:
    sightings = Sightings(16, 7)
    rises, falls = Edge(1, 40, rising=True), Edge(2, 120, rising=False)
    assert sightings.hear(1, strip(0, rises, level=False), 0.0, "24812") == [Sighting(7, camera="24812")]
    assert sightings.hear(1, strip(1, falls, level=True), 0.0, "24812") == []
    sightings.line_gone()
    assert sightings.begin_anew([slot(8, Hold.ACQUIRE)]) == [Sighting(8, camera="24812")]
    (seen,) = sightings.hear(2, strip(0, rises, level=False), 0.0, "99")
    assert (seen.plate, seen.camera) == (9, "99")


def test_of_a_plate_in_the_first_strip_of_a_line_nobody_knows_when_it_began() -> None:
    sightings = begun()
    falls, rises = Edge(2, 120, rising=False), Edge(3, 150, rising=True)
    assert sightings.hear(1, strip(1, falls, rises, level=True), 9.0) == [Sighting(8, not_before=0.0)]
    sightings.line_gone()
    sightings.begin_anew([])
    assert sightings.hear(2, strip(0, Edge(1, 40, rising=True), level=False), 10.0) == [Sighting(9)]


def test_a_new_line_goes_on_with_the_numbers_and_begins_with_the_rows() -> None:
    sightings = begun()
    sightings.line_gone()
    assert sightings.begin_anew([slot(7, Hold.TILE)]) == []
    assert sightings.camera_row is None
    assert sightings.hear(2, strip(0, Edge(1, 40, rising=True), level=False), 0.0) == [Sighting(8)]


def test_what_a_line_that_is_gone_said_late_is_heard_until_the_new_one_begins_and_not_after() -> None:
    sightings = begun()
    sightings.line_gone()
    assert sightings.hear(1, strip(1, Edge(2, 120, rising=False), Edge(3, 150, rising=True), level=True), 0.0) == [
        Sighting(8, not_before=0.0)
    ]
    sightings.begin_anew([])
    assert sightings.hear(1, strip(2, Edge(4, 220, rising=False), Edge(5, 250, rising=True), level=True), 0.0) == []
    assert sightings.camera_row is None


def test_a_plate_that_acquisition_opened_and_the_dead_line_did_not_tell_of_is_seen_and_its_number_not_given_again() -> (
    None
):
    sightings = begun()
    sightings.line_gone()
    assert sightings.begin_anew([slot(7, Hold.TILE), slot(8, Hold.ACQUIRE, Hold.TILE), slot(9)]) == [Sighting(8)]
    assert sightings.hear(2, strip(0, Edge(1, 40, rising=True), level=False), 0.0) == [Sighting(9)]


def test_a_plate_before_one_that_acquisition_opened_was_seen_too_whether_it_has_a_slot_or_not() -> None:
    sightings = begun()
    sightings.line_gone()
    untold = sightings.begin_anew([slot(7, Hold.TILE), slot(10, Hold.ACQUIRE)])
    assert untold == [Sighting(8), Sighting(9), Sighting(10)]
    assert sightings.hear(2, strip(0, Edge(1, 40, rising=True), level=False), 0.0) == [Sighting(11)]


def test_a_plate_without_a_slot_that_was_decided_before_the_dead_line_told_of_it_keeps_its_number() -> None:
    sightings = begun()
    sightings.decided(7)
    sightings.decided(8)
    sightings.line_gone()
    assert sightings.begin_anew([slot(7, Hold.TILE)]) == [Sighting(8)]
    assert sightings.hear(2, strip(0, Edge(1, 40, rising=True), level=False), 0.0) == [Sighting(9)]


def test_a_plate_decided_before_the_line_told_of_it_is_seen_once() -> None:
    sightings = begun()
    sightings.decided(8)
    assert sightings.hear(1, strip(1, Edge(2, 120, rising=False), Edge(3, 150, rising=True), level=True), 0.0) == [
        Sighting(8, not_before=0.0)
    ]
    sightings.line_gone()
    assert sightings.begin_anew([]) == []


def test_the_image_of_a_replay_is_known_by_its_edge_or_by_its_slot() -> None:
    sightings = begun()
    named = Edge(3, 150, rising=True, sheet=Sheet("8.png"))
    heard = sightings.hear(1, strip(1, Edge(2, 120, rising=False), named, level=True), 0.0)
    assert heard == [Sighting(8, "8.png", 0.0)]
    sightings.line_gone()
    opened = replace(slot(9, Hold.ACQUIRE), sheet=Sheet("9.png"))
    assert sightings.begin_anew([opened]) == [Sighting(9, "9.png")]


def test_acquisition_that_starts_anew_while_the_line_lives_changes_nothing() -> None:
    sightings = begun()
    assert sightings.begin_anew([slot(8, Hold.ACQUIRE)]) == []
    assert sightings.state.plate == 7


class LinesThatComeAndGo(RuleBasedStateMachine):
    """Sheets, deaths of the line, and plates that are known of by other ways, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.sightings = Sightings(16, 7)
        self.line, self.block, self.edges = 1, 0, 0
        self.in_beam = self.gone = False
        self.told: list[int] = []

    @precondition(lambda self: not self.gone)
    @rule(edge=st.booleans())
    def strip_comes(self, edge: bool) -> None:
        edges = (Edge(self.edges + 1, self.block * 100 + 40, rising=not self.in_beam),) if edge else ()
        heard = self.sightings.hear(self.line, strip(self.block, *edges, level=self.in_beam), 0.0)
        self.told += [seen.plate for seen in heard]
        self.block += 1
        if edge:
            self.edges += 1
            self.in_beam = not self.in_beam

    @rule(ahead=st.integers(0, 3))
    def a_verdict_comes(self, ahead: int) -> None:
        self.sightings.decided(self.sightings.state.next_plate - 1 + ahead)

    @rule()
    def the_line_dies(self) -> None:
        self.sightings.line_gone()
        self.gone = True

    @rule(ahead=st.integers(0, 3))
    def a_process_starts_that_hears_the_line(self, ahead: int) -> None:
        opened = slot(self.sightings.state.next_plate - 1 + ahead, Hold.ACQUIRE)
        self.told += [seen.plate for seen in self.sightings.begin_anew([opened])]
        if self.gone:
            self.line, self.block, self.edges, self.in_beam, self.gone = self.line + 1, 0, 0, False, False

    @rule()
    def a_line_that_is_no_more_is_heard(self) -> None:
        rising = Edge(1, 40, rising=True)
        assert self.sightings.hear(self.line - 1, strip(0, rising, level=False), 0.0) == []

    @invariant()
    def numbers_are_given_once_and_grow(self) -> None:
        assert self.told == sorted(set(self.told))
        self.sightings.validate()


LinesThatComeAndGo.TestCase.settings = settings(max_examples=200, stateful_step_count=30, deadline=None)
TestLinesThatComeAndGo = LinesThatComeAndGo.TestCase
