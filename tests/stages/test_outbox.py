"""What record hands to an output at once, and what it leaves in the store for later."""

from __future__ import annotations

from stages.outbox import Outbox


def in_step(most: int = 4) -> Outbox:
    outbox = Outbox(most)
    outbox.joined()
    outbox.read([], outbox.room)
    return outbox


def test_what_is_committed_while_the_output_is_away_is_left_in_the_store() -> None:
    outbox = Outbox(4)
    assert not outbox.committed(1)
    assert outbox.room == 0
    outbox.joined()
    assert outbox.room == 4


def test_an_output_in_step_gets_each_verdict_at_once_and_once() -> None:
    outbox = in_step()
    assert outbox.committed(1)
    assert not outbox.committed(1)
    assert outbox.room == 0


def test_an_output_that_has_enough_gets_no_more_until_half_of_it_is_told() -> None:
    outbox = in_step()
    assert [outbox.committed(plate) for plate in range(1, 7)] == [True] * 4 + [False] * 2
    assert outbox.room == 0
    outbox.told(1)
    assert outbox.room == 0
    outbox.told(2)
    assert outbox.room == 2
    outbox.read([5, 6], 2)
    # As many as were asked for: there may be more.
    assert not outbox.committed(7)
    for plate in (3, 4, 5):
        outbox.told(plate)
    outbox.read([7], outbox.room)
    assert outbox.committed(8)


def test_a_new_process_of_the_output_is_told_all_again() -> None:
    outbox = in_step()
    assert outbox.committed(1)
    outbox.joined()
    assert not outbox.handed
    assert outbox.room == 4


def test_what_may_have_been_missed_is_looked_for() -> None:
    outbox = in_step()
    outbox.missed()
    assert outbox.room == 4
