"""When a session ends, and what its secret gives away."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from daemon.web.access.sessions import (
    IDLE_S,
    LONGEST_S,
    Session,
    form_token,
    is_form_token,
    new_token,
    token_hash,
)
from daemon.web.access.users import Role

ROLES = st.sampled_from(Role)
TIMES = st.floats(0, 4e9)


@given(ROLES, TIMES, st.floats(0, 1e7), st.floats(0, 1e7))
def test_a_session_holds_for_as_long_as_its_role_allows_and_not_a_second_more(
    role: Role, begun: float, used_after: float, later: float
) -> None:
    used = begun + used_after
    session = Session(role, begun, used)
    now = used + later
    held = not session.has_ended(now)
    assert held == (now - used < IDLE_S and now - begun < LONGEST_S[role])


@given(ROLES, TIMES, st.floats(0, 1e6), st.floats(0, 1e9))
def test_what_has_ended_does_not_come_back(role: Role, begun: float, at: float, later: float) -> None:
    session = Session(role, begun, begun)
    if session.has_ended(begun + at):
        assert session.has_ended(begun + at + later)


def test_a_clock_that_was_set_back_by_much_ends_a_session_and_a_little_does_not() -> None:
    session = Session(Role.OPERATOR, 1e9, 1e9)
    assert not session.has_ended(1e9 - 2)
    assert session.has_ended(1e9 - 3600)


@given(st.text(max_size=80), st.text(max_size=80))
def test_a_form_of_one_session_is_none_of_another(token: str, other: str) -> None:
    assert is_form_token(form_token(token), token)
    assert is_form_token(form_token(other), token) == (token.encode(errors="replace") == other.encode(errors="replace"))
    assert not is_form_token(token, token)


def test_tokens_are_long_and_never_alike() -> None:
    tokens = {new_token() for _ in range(1000)}
    assert len(tokens) == 1000
    assert all(len(token) >= 43 for token in tokens)
    assert all(token.encode() not in token_hash(token) for token in tokens)
