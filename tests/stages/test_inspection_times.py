"""How long plates are worked on, each by itself."""

from __future__ import annotations

from stages.inspection_times import InspectionTimes


def test_a_plate_that_streams_takes_from_its_first_row_to_its_last_window() -> None:
    times = InspectionTimes()
    times.opened(1, 10.0)
    assert times.seconds(1) is None
    times.scored(1, 12.0)
    times.scored(1, 16.0)
    assert times.seconds(1) == 6.0


def test_a_plate_that_lay_in_its_slot_does_not_count_the_work_on_the_one_before() -> None:
    times = InspectionTimes()
    times.opened(1, 10.0)
    times.opened(2, 11.0)
    times.scored(1, 16.0)
    times.scored(2, 20.0)
    assert times.seconds(2) == 4.0
    times.forget(1)
    assert times.seconds(2) == 4.0


def test_a_plate_is_not_charged_for_the_one_after_it() -> None:
    times = InspectionTimes()
    times.opened(1, 10.0)
    times.opened(2, 11.0)
    times.scored(2, 15.0)
    times.scored(1, 16.0)
    assert times.seconds(1) == 6.0


def test_an_opening_that_is_said_again_is_the_first() -> None:
    times = InspectionTimes()
    times.opened(1, 10.0)
    times.opened(1, 14.0)
    times.scored(1, 16.0)
    assert times.seconds(1) == 6.0


def test_what_was_not_heard_from_the_beginning_has_no_time() -> None:
    times = InspectionTimes()
    times.scored(1, 16.0)
    assert times.seconds(1) is None
