"""A role whose processes keep dying is given up, whatever the settings; one that died once is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.schema import Restart
from daemon.service.restarts import Restarts

SETTINGS = st.builds(
    Restart, budget=st.integers(1, 50), period_s=st.floats(0.1, 1e4), backoff_s=st.floats(0, 1e3, allow_nan=False)
)


def of(places: int, settings: Restart) -> Restarts:
    made = Restarts(settings)
    for _ in range(places):
        made.place()
    return made


@given(SETTINGS, st.integers(1, 20))
def test_a_role_that_never_comes_to_work_is_spent_after_its_budget(settings: Restart, places: int) -> None:
    restarts = of(places, settings)
    for _ in range(settings.budget):
        for index in range(places):
            restarts.ended(index)
            assert not restarts.spent
    restarts.ended(0)
    assert restarts.spent


def test_with_the_defaults_that_takes_seconds() -> None:
    restarts = of(1, Restart())
    waited = 0.0
    while not restarts.spent:
        restarts.ended(0)
        waited += restarts.pause(0)
    assert waited < 20


@given(SETTINGS, st.integers(2, 64))
def test_any_number_of_processes_may_die_once_together(settings: Restart, places: int) -> None:
    restarts = of(places, settings)
    for index in range(places):
        restarts.ended(index)
    assert not restarts.spent


@given(SETTINGS, st.lists(st.tuples(st.integers(0, 2), st.floats(0, 100)), max_size=200))
def test_who_works_for_the_period_between_any_two_ends_is_never_spent(
    settings: Restart, ends: list[tuple[int, float]]
) -> None:
    restarts = of(3, settings)
    for index, more in ends:
        restarts.ended(index)
        assert not restarts.spent
        restarts.worked(index, settings.period_s * 1.001 + more)


def test_one_process_that_keeps_dying_at_work_does_not_cost_the_others_their_role() -> None:
    restarts = of(3, Restart())
    for _ in range(100):
        restarts.worked(1, 5.0)
        restarts.ended(1)
        assert not restarts.spent
    assert restarts.pause(0) == Restart().backoff_s


def test_pauses_double_up_to_a_limit_and_what_was_before_long_work_is_forgiven() -> None:
    restarts = of(1, Restart(budget=5, period_s=60, backoff_s=0.5))
    pauses = []
    for _ in range(5):
        restarts.ended(0)
        pauses.append(restarts.pause(0))
    assert pauses == [0.5, 1.0, 2.0, 3.0, 3.0]
    restarts.worked(0, 59.0)
    assert restarts.pause(0) == 3.0
    restarts.worked(0, 1.5)
    assert restarts.pause(0) == 0.5
    restarts.ended(0)
    assert not restarts.spent


@given(SETTINGS, st.integers(0, 10_000))
def test_a_pause_is_finite_and_no_shorter_than_the_first(settings: Restart, ends: int) -> None:
    restarts = of(1, settings)
    for _ in range(ends):
        restarts.ended(0)
    assert settings.backoff_s <= restarts.pause(0) <= max(settings.backoff_s, settings.period_s / 4)


@pytest.mark.parametrize("places", [1, 4])
def test_a_role_without_ends_is_not_spent(places: int) -> None:
    assert not of(places, Restart()).spent
