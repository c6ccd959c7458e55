"""The book of users: what is in it, and what it does when others touch it."""

from __future__ import annotations

import os
import sqlite3
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.web.access.audit import COMMAND_LINE, KEPT_S, Note, What
from daemon.web.access.book import Book, BookError, UserError, book_path, expect_users
from daemon.web.access.clients import Served
from daemon.web.access.sessions import IDLE_S, LONGEST_S
from daemon.web.access.users import Role

BY = Note("root", What.USER_ADDED, "", COMMAND_LINE)


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1.8e9

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def book(tmp_path: Path, clock: Clock) -> Book:
    return Book(tmp_path, clock)


def test_where_no_users_were_made_there_is_no_file_and_nobody_is_known(book: Book) -> None:
    assert (book.users(), book.has_users(), book.notes(9), book.user_of("x"), book.password("anna")) == (
        [], False, [], None, None,
    )  # fmt: skip
    assert not book.path.exists()


def test_the_file_is_its_owners_alone(book: Book, tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        book.add("anna", Role.OPERATOR, "hash", BY)
    finally:
        os.umask(old)
    assert stat.S_IMODE(book.path.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["users.sqlite"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_file_that_others_may_read_is_refused_and_it_is_said_what_to_do(book: Book, mode: int) -> None:
    book.add("anna", Role.OPERATOR, "hash", BY)
    book.path.chmod(mode)
    with pytest.raises(BookError, match=r"others may read .*: run chmod 600 .*, and give each user a new"):
        book.has_users()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_another_user_is_told_whose_file_it_is(clock: Clock) -> None:
    # Beside the tests' own folder, which is closed to others.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        book = Book(Path(folder), clock)
        book.add("anna", Role.OPERATOR, "hash", BY)
        os.seteuid(65534)
        try:
            with pytest.raises(BookError, match=r"belongs to root alone: do this as that user, or as root"):
                book.users()
        finally:
            os.seteuid(0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file for another user")
def test_root_makes_the_file_for_the_owner_of_the_state_directory(book: Book) -> None:
    os.chown(book.path.parent, 65534, 65534)
    book.add("anna", Role.OPERATOR, "hash", BY)
    assert (book.path.stat().st_uid, book.path.stat().st_gid) == (65534, 65534)


def test_users_are_known_whatever_their_capitals_and_there_is_one_of_each(book: Book, clock: Clock) -> None:
    book.add("Anna", Role.OPERATOR, "hash", BY)
    found = book.password("ANNA")
    assert found is not None
    assert (found[0].name, found[0].role, found[0].made_at, found[1]) == ("Anna", Role.OPERATOR, clock.now, "hash")
    with pytest.raises(UserError, match="there is a user aNNa already"):
        book.add("aNNa", Role.ENGINEER, "other", BY)
    with pytest.raises(UserError, match="there is no user bert"):
        book.remove("bert", BY)
    with pytest.raises(UserError, match="there is no user bert"):
        book.change_password("bert", "hash", BY)
    assert len(book.notes(9)) == 1


def test_the_file_has_no_token_in_it(book: Book) -> None:
    book.add("anna", Role.OPERATOR, "hash", BY)
    assert book.begin("anna", "hash", "the-secret-token", BY)
    assert book.user_of("the-secret-token") is not None
    assert b"the-secret-token" not in book.path.read_bytes()


@pytest.mark.parametrize("how", ["idle", "longest", "end", "password", "removed", "clock"])
def test_a_session_ends(book: Book, clock: Clock, how: str) -> None:
    book.add("anna", Role.OPERATOR, "hash", BY)
    book.add("bert", Role.OPERATOR, "hash", BY)
    assert book.begin("anna", "hash", "token", BY)
    assert book.user_of("token") is not None
    match how:
        case "idle":
            clock.now += IDLE_S
        case "longest":
            for _ in range(int(LONGEST_S[Role.OPERATOR] / 1000)):
                clock.now += 1000
                assert book.user_of("token") is not None
            clock.now += 1000
        case "end":
            book.end("token", BY)
        case "password":
            book.change_password("Anna", "new", BY)
        case "removed":
            book.remove("ANNA", BY)
            book.add("anna", Role.OPERATOR, "hash", BY)
        case "clock":
            clock.now -= 86_400
    assert book.user_of("token") is None


def test_a_user_has_sixteen_sessions_and_the_one_unused_for_longest_gives_way(book: Book, clock: Clock) -> None:
    book.add("anna", Role.VIEWER, "hash", BY)
    for index in range(17):
        clock.now += 61
        assert book.begin("anna", "hash", f"token {index}", BY)
        assert book.user_of("token 0") is not None
    assert [index for index in range(17) if book.user_of(f"token {index}") is None] == [1]


def test_no_session_begins_by_a_password_that_was_changed_meanwhile(book: Book) -> None:
    book.add("anna", Role.VIEWER, "hash", BY)
    book.change_password("anna", "new", BY)
    assert not book.begin("anna", "hash", "token", BY)
    assert book.user_of("token") is None
    book.renew_hash("anna", "hash", "stolen")
    assert book.begin("anna", "new", "token", BY)
    book.renew_hash("anna", "new", "newer")
    assert book.user_of("token") is not None


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["begin", "use", "end", "password", "remove", "add"]),
            st.sampled_from(["anna", "bert"]),
            st.integers(0, 3),
            st.sampled_from([0.0, 30.0, IDLE_S / 2, IDLE_S, LONGEST_S[Role.OPERATOR]]),
        ),
        max_size=25,
    )
)
@settings(max_examples=25, deadline=None)
def test_in_any_order_a_token_opens_only_what_its_user_may_still_open(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, int, float]]
) -> None:
    clock = Clock()
    book = Book(tmp_path_factory.mktemp("book"), clock)
    users: dict[str, str] = {}
    open_: dict[str, tuple[str, float, float]] = {}
    for number, (what, name, index, later) in enumerate(steps):
        clock.now += later
        token = f"{name} {index}"
        match what:
            case "add" if name not in users:
                users[name] = f"hash {number}"
                book.add(name, Role.OPERATOR, users[name], BY)
            case "begin" if token not in open_:
                token_is_free = book.user_of(token) is None
                if name in users and token_is_free:
                    book.end(token, BY)
                    assert book.begin(name, users[name], token, BY)
                    open_[token] = (name, clock.now, clock.now)
            case "end":
                book.end(token, BY)
                open_.pop(token, None)
            case "password" if name in users:
                users[name] = f"hash {number}"
                book.change_password(name, users[name], BY)
                open_ = {key: one for key, one in open_.items() if one[0] != name}
            case "remove" if name in users:
                del users[name]
                book.remove(name, BY)
                open_ = {key: one for key, one in open_.items() if one[0] != name}
        found = book.user_of(token)
        if token in open_:
            whose, begun, used = open_[token]
            # Use is noted once a minute, so that it may end a minute early, and never late.
            if clock.now - used >= IDLE_S or clock.now - begun >= LONGEST_S[Role.OPERATOR]:
                assert found is None
            elif clock.now - used < IDLE_S - 60:
                assert found is not None
                assert found.name == whose
            if found is None:
                del open_[token]
            else:
                open_[token] = (whose, begun, clock.now)
        else:
            assert found is None


def test_what_was_done_is_kept_for_400_days_and_told_the_latest_first(book: Book, clock: Clock) -> None:
    book.note(Note("anna", What.MARK, "plate 1, defect 1: false alarm", "192.0.2.1"))
    clock.now += KEPT_S / 2
    book.note(Note("bert", What.LOGIN, "", "192.0.2.2"))
    assert [(one.who, one.what, one.at) for one in book.notes(9)] == [
        ("bert", What.LOGIN, clock.now),
        ("anna", What.MARK, clock.now - KEPT_S / 2),
    ]
    assert len(book.notes(1)) == 1
    clock.now += KEPT_S / 2
    assert [one.who for one in book.notes(9)] == ["bert"]
    book.note(Note("carla", What.LOGOUT, "", "192.0.2.2"))
    with sqlite3.connect(book.path) as connection:
        assert connection.execute("SELECT count(*) FROM audit").fetchone() == (2,)
    connection.close()


def test_logins_that_fail_drive_out_no_mark(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.web.access.book._MOST_FAILED", 10)
    book.note(Note("anna", What.MARK, "plate 1", "192.0.2.1"))
    for _ in range(30):
        book.note(Note("unknown name", What.LOGIN_FAILED, "", "192.0.2.1"))
    notes = book.notes(99)
    assert notes[-1].what is What.MARK
    assert len(notes) == 12


def test_another_program_that_writes_for_long_is_named(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.web.access.book._BUSY_S", 0.05)
    book.add("anna", Role.VIEWER, "hash", BY)
    ours = sqlite3.connect(book.path, isolation_level=None)
    ours.execute("BEGIN EXCLUSIVE")
    with pytest.raises(BookError, match=r"another program writes to .* for long: try again"):
        book.remove("anna", BY)
    ours.close()
    book.remove("anna", BY)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def scribble(path: Path) -> None:
    path.write_bytes(b"no database at all" * 300)


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [cut, scribble, empty])
def test_a_damaged_file_lets_nobody_in_and_says_what_to_do(book: Book, damage: Callable[[Path], None]) -> None:
    book.add("anna", Role.VIEWER, "hash", BY)
    damage(book.path)
    for ask in (book.has_users, book.users, lambda: book.user_of("x"), lambda: book.password("anna")):
        with pytest.raises(BookError, match=r"is damaged|is of another version"):
            ask()


def test_users_are_expected_where_others_reach_the_screen(tmp_path: Path) -> None:
    expect_users(Served("127.0.0.1"), tmp_path)
    for served in (Served("0.0.0.0", tls=True), Served("127.0.0.1", proxy="127.0.0.1")):
        with pytest.raises(BookError, match="linesentry user add NAME --role engineer"):
            expect_users(served, tmp_path)
    Book(tmp_path).add("anna", Role.ENGINEER, "hash", BY)
    expect_users(Served("0.0.0.0", tls=True), tmp_path)
    assert book_path(tmp_path).exists()
