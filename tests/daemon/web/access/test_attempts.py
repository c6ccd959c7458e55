"""How often passwords may be tried, whoever tries them in whatever order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.web.access.attempts import BY_ADDRESS, BY_ALL, BY_NAME, Attempts, Rate, network

TRIES = st.lists(
    st.tuples(
        st.floats(0, 90), st.sampled_from(["anna", "bert", "carla"]), st.sampled_from(["192.0.2.1", "192.0.2.2", "::1"])
    ),
    max_size=120,
)


def made(tries: list[tuple[float, str, str]]) -> list[tuple[float, str, str]]:
    """Those attempts that were let through, with the time of each; all fail."""
    attempts, now, through = Attempts(), 1000.0, []
    for pause, name, address in tries:
        now += pause
        if attempts.wait_s(name, address, now) == 0:
            attempts.spend(name, address, now)
            through.append((now, name, address))
    return through


@given(TRIES)
def test_in_no_time_are_more_attempts_made_than_its_length_allows(tries: list[tuple[float, str, str]]) -> None:
    through = made(tries)

    def within(times: list[float], rate: Rate) -> None:
        for index, begin in enumerate(times):
            for count, end in enumerate(times[index:], 1):
                assert count <= rate.burst + (end - begin) / rate.every_s + 1e-6

    within([at for at, _, _ in through], BY_ALL)
    for asked in {name for _, name, _ in through}:
        within([at for at, name, _ in through if name == asked], BY_NAME)
    for asked in {address for _, _, address in through}:
        within([at for at, _, address in through if address == asked], BY_ADDRESS)


@given(TRIES, st.sampled_from(["anna", "dora"]))
def test_who_waits_as_long_as_is_said_may_try(tries: list[tuple[float, str, str]], name: str) -> None:
    attempts, now = Attempts(), 0.0
    for pause, other, address in tries:
        now += pause
        attempts.spend(other, address, now)
    wait_s = attempts.wait_s(name, "192.0.2.1", now)
    assert attempts.wait_s(name, "192.0.2.1", now + wait_s + 1e-6) == 0


def test_a_login_costs_nothing() -> None:
    attempts = Attempts()
    for _ in range(1000):
        assert attempts.wait_s("anna", "192.0.2.1", 5.0) == 0
        attempts.spend("anna", "192.0.2.1", 5.0)
        attempts.refund("anna", "192.0.2.1")


def test_attempts_at_the_same_time_are_counted_before_any_of_them_is_known_to_fail() -> None:
    attempts = Attempts()
    for _ in range(BY_NAME.burst):
        attempts.spend("anna", "192.0.2.1", 5.0)
    assert attempts.wait_s("anna", "192.0.2.9", 5.0) == pytest.approx(BY_NAME.every_s)
    assert attempts.wait_s("bert", "192.0.2.1", 5.0) == 0


def test_any_number_of_names_and_addresses_takes_little_room() -> None:
    attempts, now = Attempts(), 0.0
    for index in range(3000):
        now += 0.5
        if attempts.wait_s(f"name {index}", f"10.0.{index % 250}.{index % 199}", now) == 0:
            attempts.spend(f"name {index}", f"10.0.{index % 250}.{index % 199}", now)
    assert len(attempts) < 500


def test_whoever_has_a_network_of_ipv6_has_one_address() -> None:
    assert network("2001:db8:1:2::5") == network("2001:db8:1:2:ffff::1") == "2001:db8:1:2::/64"
    assert network("192.0.2.7") == "192.0.2.7"
    assert network("no address") == "no address"
