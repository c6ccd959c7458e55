"""`linesentry user`: users are made, listed and removed at the machine, and what was done is read there."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from daemon.cli.app import app
from daemon.web.access import passwords
from daemon.web.access.audit import Note, What
from daemon.web.access.book import Book, book_path
from daemon.web.access.passwords import Passwords
from daemon.web.access.users import Role

PASSWORD = "correct horse"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hash costs nothing here; what it costs in use is another test's."""
    monkeypatch.setattr(Passwords.__init__, "__defaults__", (64, 1))


def user(state: Path, *words: str, given: str = "") -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["user", *words, "--state", str(state)], input=given)
    return done.exit_code, done.stdout, done.stderr


def add(state: Path, name: str, role: str, password: str = PASSWORD) -> tuple[int, str, str]:
    return user(state, "add", name, "--role", role, "--password-stdin", given=f"{password}\n")


def test_users_are_added_listed_and_removed(tmp_path: Path) -> None:
    assert user(tmp_path, "list")[1].startswith("no users: whoever sits at this machine sees the screen")
    assert add(tmp_path, "Anna", "operator") == (0, "added: Anna, operator\n", "")
    assert add(tmp_path, "张伟", "engineer")[0] == 0
    listed = [json.loads(line) for line in user(tmp_path, "list", "--json")[1].splitlines()]
    assert [(one["name"], one["role"]) for one in listed] == [("Anna", "operator"), ("张伟", "engineer")]
    assert "张伟" in user(tmp_path, "list")[1]
    found = Book(tmp_path).password("anna")
    assert found is not None
    assert (found[0].role, Passwords().fits(PASSWORD, found[1])) == (Role.OPERATOR, True)
    assert user(tmp_path, "remove", "ANNA") == (0, "removed: Anna\n", "")
    assert "that was the last user" in user(tmp_path, "remove", "张伟")[1]


def test_another_password_ends_what_is_open(tmp_path: Path) -> None:
    add(tmp_path, "anna", "operator")
    book = Book(tmp_path)
    found = book.password("anna")
    assert found is not None
    assert book.begin("anna", found[1], "token", Note("anna", What.LOGIN, "", "192.0.2.1"))
    assert user(tmp_path, "password", "Anna", "--password-stdin", given="another horse\r\n")[:2] == (
        0,
        "changed: the password of anna\n",
    )
    assert book.user_of("token") is None
    found = book.password("anna")
    assert found is not None
    assert Passwords().fits("another horse", found[1])


def test_what_was_done_is_told_with_who_did_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "carla")
    add(tmp_path, "anna", "operator")
    user(tmp_path, "password", "anna", "--password-stdin", given=PASSWORD)
    user(tmp_path, "remove", "anna")
    told = [json.loads(line) for line in user(tmp_path, "log", "--json")[1].splitlines()]
    assert [(one["who"], one["what"], one["about"], one["address"]) for one in told] == [
        ("carla", "user removed", "anna", "command line"),
        ("carla", "password changed", "anna", "command line"),
        ("carla", "user added", "anna: operator", "command line"),
    ]
    assert len(user(tmp_path, "log", "--last", "1", "--json")[1].splitlines()) == 1
    table = user(tmp_path, "log")[1]
    assert "password changed" in table
    assert PASSWORD not in table


@pytest.mark.parametrize(
    ("words", "given", "why"),
    [
        (["add", "anna", "--role", "operator", "--password-stdin"], "1234567\n", "has 7 characters, 8 at least"),
        (["add", "anna", "--role", "operator", "--password-stdin"], "", "has 0 characters, 8 at least"),
        (["add", "anna", "--role", "operator"], PASSWORD, "give --password-stdin to read it from stdin"),
        (["add", "a\x1b[2J", "--role", "operator", "--password-stdin"], PASSWORD, "a name has up to 32 letters"),
        (["add", "at the screen", "--role", "operator", "--password-stdin"], PASSWORD, "a name has up to 32 letters"),
        (["add", "known", "--role", "engineer", "--password-stdin"], PASSWORD, "there is a user known already"),
        (["remove", "bert"], "", "there is no user bert: `linesentry user list` names them"),
        (["password", "b\x1b[2J", "--password-stdin"], PASSWORD, r"there is no user b\x1b[2J"),
    ],
)
def test_what_cannot_be_meant_is_said_in_one_line(tmp_path: Path, words: list[str], given: str, why: str) -> None:
    add(tmp_path, "known", "viewer")
    code, told, failed = user(tmp_path, *words, given=given)
    assert (code, told, failed.count("\n")) == (2, "", 1)
    assert why in failed
    assert "\x1b" not in failed
    assert len(Book(tmp_path).users()) == 1


def test_a_role_that_is_none_is_refused(tmp_path: Path) -> None:
    assert add(tmp_path, "anna", "admin")[0] == 2
    assert not book_path(tmp_path).exists()


def test_a_book_that_others_may_read_is_refused(tmp_path: Path) -> None:
    add(tmp_path, "anna", "viewer")
    book_path(tmp_path).chmod(0o644)
    code, _, failed = user(tmp_path, "list")
    assert (code, failed.count("\n")) == (1, 1)
    assert "run chmod 600" in failed


def test_at_a_terminal_a_password_is_asked_for_twice_and_not_shown(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "daemon", "user", "add", "anna", "--role", "operator", "--state", str(tmp_path)]
    # A session of its own, so that the terminal becomes the one that a password is asked for at.
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    shown = b""
    answers = [b"password for anna: ", b"once more: "]
    while True:
        try:
            read = os.read(ours, 1000)
        except OSError:
            break
        shown += read
        if not read:
            break
        if answers and answers[0] in shown:
            answers.pop(0)
            os.write(ours, f"{PASSWORD}\n".encode())
    assert process.wait(60) == 0
    os.close(ours)
    assert b"added: anna, operator" in shown
    assert PASSWORD.encode() not in shown
    found = Book(tmp_path).password("anna")
    assert found is not None
    assert found[1].startswith(f"$argon2id$v=19$m={passwords.MEMORY_KIB},t={passwords.PASSES},p=1$")
