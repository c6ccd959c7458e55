"""Names, passwords and roles of users."""

from __future__ import annotations

import pytest

from daemon.web.access.passwords import Passwords
from daemon.web.access.users import AT_THE_SCREEN, Role, name_key, plain_name, why_no_name, why_no_password


def test_each_role_may_what_those_before_it_may_and_no_more() -> None:
    for index, role in enumerate(Role):
        assert [role.may(other) for other in Role] == [other_index <= index for other_index in range(len(Role))]


@pytest.mark.parametrize("name", ["anna", "Anna.Meier", "k-7", "张伟", "José", "x" * 32])
def test_a_name_may_be_of_any_language(name: str) -> None:
    assert why_no_name(plain_name(name)) is None


@pytest.mark.parametrize(
    "name", ["", " ", "-anna", "a b", "a\nb", "a\x1b[2J", "a\u202eb", "x" * 33, "<b>", "../a", AT_THE_SCREEN]
)
def test_what_could_be_taken_for_something_else_is_no_name(name: str) -> None:
    assert why_no_name(plain_name(name)) is not None


def test_names_that_look_alike_are_one_users() -> None:
    # A ligature, a wide letter, capitals, and an accent that is a letter of its own.
    assert {name_key(name) for name in ("office", "o\ufb03ce", "\uff2fFFICE", " Office ")} == {"office"}
    assert name_key("Jose\u0301") == name_key("José")


def test_a_password_has_eight_characters_at_least_and_is_told_how_many_it_has() -> None:
    assert why_no_password("1234567") == "the password has 7 characters, 8 at least"
    assert why_no_password("12345678") is None
    assert why_no_password("密码密码密码密码") is None
    assert "256 at most" in str(why_no_password("x" * 257))


def test_a_hash_says_of_no_password_what_it_is_and_knows_it_again() -> None:
    passwords = Passwords(memory_kib=64, passes=1)
    stored = passwords.hash("Zürich 8000")
    assert stored.startswith("$argon2id$")
    assert stored != passwords.hash("Zürich 8000")
    assert passwords.fits("Zu\u0308rich 8000", stored)
    assert not passwords.fits("zürich 8000", stored)
    assert not passwords.fits("the password of nobody", None)
    assert not passwords.fits("x", "no hash")
    assert not passwords.fits("\ud800", stored)


def test_a_hash_of_weaker_parameters_is_outdated() -> None:
    weak, strong = Passwords(memory_kib=64, passes=1), Passwords(memory_kib=128, passes=2)
    stored = weak.hash("12345678")
    assert not weak.is_outdated(stored)
    assert strong.is_outdated(stored)
    assert strong.fits("12345678", stored)
