"""The book of users: who they are, which sessions are open, and what was done; a file of its own, its owner's alone.

Each call opens the file anew, so that the service and commands beside it may use it at once, and one that was put back
from a copy is read. Calls may block for some milliseconds, and for `_BUSY_S` where another program writes.
"""

from __future__ import annotations

import os
import pwd
import secrets
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from daemon.web.access.audit import KEPT_S, Note, What
from daemon.web.access.clients import Served
from daemon.web.access.sessions import Session, token_hash
from daemon.web.access.users import Role, User, name_key

_FORM = 1
"""Of the tables; the file's user_version."""
_TABLES = """
CREATE TABLE users (
    key TEXT PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL, password TEXT NOT NULL, made_at REAL NOT NULL
) STRICT;
CREATE TABLE sessions (
    token BLOB PRIMARY KEY, user TEXT NOT NULL REFERENCES users (key) ON DELETE CASCADE,
    begun REAL NOT NULL, used REAL NOT NULL
) STRICT;
CREATE INDEX sessions_of_user ON sessions (user);
CREATE TABLE audit (
    id INTEGER PRIMARY KEY, at REAL NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL, about TEXT NOT NULL,
    address TEXT NOT NULL
) STRICT;
CREATE INDEX audit_at ON audit (at);
CREATE INDEX audit_what ON audit (what, id);
"""
_MODE = 0o600
_BUSY_S = 5.0
_USED_S = 60.0
"""So seldom is it noted that a session is used."""
_MOST_SESSIONS = 16
"""Of one user; a login beyond them ends the one that was used longest ago."""

_MOST_FAILED = 20_000
"""Logins that failed; older ones are deleted."""


class BookError(Exception):
    """The book of users cannot be used; the message says why and what to do."""


class UserError(Exception):
    """There is no such user, or there is one already."""


def expect_users(served: Served, state: Path) -> None:
    """Raises BookError where users are needed and there are none, or the book of that state directory is unusable."""
    book = Book(state)
    if not served.opens_without_users and not book.has_users():
        message = f"there are no users in {book.path}, and others than this machine reach the screen"
        raise BookError(f"{message}: linesentry user add NAME --role engineer --state {state}")


def book_path(state: Path) -> Path:
    """Where the book of a state directory lies."""
    return state / "users.sqlite"


class Book:
    """The users of one state directory. Every method raises BookError where the file cannot be used."""

    def __init__(self, state: Path, clock: Callable[[], float] = time.time) -> None:
        self.path = book_path(state)
        self._clock = clock

    # --- users ---

    def users(self) -> list[User]:
        """All, by name."""
        with self._read() as connection:
            rows = connection.execute("SELECT name, role, made_at FROM users ORDER BY key").fetchall()
        return [User(name, Role(role), made_at) for name, role, made_at in rows]

    def has_users(self) -> bool:
        """Whether there is any; none where there is no file."""
        with self._read() as connection:
            return connection.execute("SELECT 1 FROM users LIMIT 1").fetchone() is not None

    def password(self, name: str) -> tuple[User, str] | None:
        """A user and the hash of its password; None where there is no such user."""
        with self._read() as connection:
            asked = "SELECT name, role, made_at, password FROM users WHERE key = ?"
            row = connection.execute(asked, (name_key(name),)).fetchone()
        return None if row is None else (User(row[0], Role(row[1]), row[2]), row[3])

    def add(self, name: str, role: Role, password_hash: str, by: Note) -> None:
        """A further user. Raises UserError where there is one of that name."""
        values = (name_key(name), name, role.value, password_hash, self._clock())
        with self._write() as connection:
            try:
                connection.execute("INSERT INTO users VALUES (?, ?, ?, ?, ?)", values)
            except sqlite3.IntegrityError as error:
                raise UserError(
                    f"there is a user {name} already: `linesentry user password` changes its password"
                ) from error
            self._note(connection, by)

    def remove(self, name: str, by: Note) -> None:
        """Take a user away, and end its sessions. Raises UserError."""
        with self._write() as connection:
            gone = connection.execute("DELETE FROM users WHERE key = ?", (name_key(name),)).rowcount
            self._known(name, gone)
            self._note(connection, by)

    def change_password(self, name: str, password_hash: str, by: Note) -> None:
        """Give a user a new password, and end its sessions. Raises UserError."""
        with self._write() as connection:
            self._known(name, self._put(connection, name, password_hash))
            connection.execute("DELETE FROM sessions WHERE user = ?", (name_key(name),))
            self._note(connection, by)

    def renew_hash(self, name: str, old: str, new: str) -> None:
        """The same password by newer parameters; its sessions go on. Nothing, where it was changed meanwhile."""
        with self._write() as connection:
            changed = "UPDATE users SET password = ? WHERE key = ? AND password = ?"
            connection.execute(changed, (new, name_key(name), old))

    # --- sessions ---

    def begin(self, name: str, password_hash: str, token: str, by: Note) -> bool:
        """A session of that user begins; False where the user is gone, or has another password, meanwhile."""
        key, now = name_key(name), self._clock()
        with self._write() as connection:
            asked = "SELECT 1 FROM users WHERE key = ? AND password = ?"
            if connection.execute(asked, (key, password_hash)).fetchone() is None:
                return False
            self._forget_ended(connection, now)
            kept = "SELECT token FROM sessions WHERE user = ? ORDER BY used DESC LIMIT ?"
            connection.execute(
                f"DELETE FROM sessions WHERE user = ? AND token NOT IN ({kept})",  # noqa: S608 - fixed words
                (key, key, _MOST_SESSIONS - 1),
            )
            connection.execute("INSERT INTO sessions VALUES (?, ?, ?, ?)", (token_hash(token), key, now, now))
            self._note(connection, by)
        return True

    def user_of(self, token: str) -> User | None:
        """Whose session it is, which is used by that; None where it is none, or has ended."""
        hashed, now = token_hash(token), self._clock()
        asked = (
            "SELECT name, role, made_at, begun, used FROM sessions JOIN users ON users.key = sessions.user "
            "WHERE token = ?"
        )
        with self._read() as connection:
            row = connection.execute(asked, (hashed,)).fetchone()
        if row is None:
            return None
        user, session = User(row[0], Role(row[1]), row[2]), Session(Role(row[1]), row[3], row[4])
        if session.has_ended(now):
            return None
        if now - session.used >= _USED_S:
            with suppress(BookError), self._write() as connection:  # a full disk logs nobody out at once
                connection.execute("UPDATE sessions SET used = ? WHERE token = ?", (now, hashed))
        return user

    def end(self, token: str, by: Note) -> None:
        """That session ends."""
        with self._write() as connection:
            if connection.execute("DELETE FROM sessions WHERE token = ?", (token_hash(token),)).rowcount:
                self._note(connection, by)

    # --- what was done ---

    def note(self, note: Note) -> None:
        """Keep what somebody did."""
        with self._write() as connection:
            self._note(connection, note)

    def notes(self, most: int) -> list[Note]:
        """What was done, the latest first."""
        asked = "SELECT who, what, about, address, at FROM audit WHERE at > ? ORDER BY id DESC LIMIT ?"
        with self._read() as connection:
            rows = connection.execute(asked, (self._clock() - KEPT_S, most)).fetchall()
        return [Note(who, What(what), about, address, at) for who, what, about, address, at in rows]

    # --- the file ---

    def _note(self, connection: sqlite3.Connection, note: Note) -> None:
        now = self._clock()
        connection.execute("DELETE FROM audit WHERE at <= ?", (now - KEPT_S,))
        # Who tries passwords for days must not fill the disk, nor drive out what else was done.
        beyond = "SELECT id FROM audit WHERE what = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2"
        connection.execute(
            f"DELETE FROM audit WHERE what = ?1 AND id <= ({beyond})",  # noqa: S608 - fixed words
            (What.LOGIN_FAILED.value, _MOST_FAILED),
        )
        values = (now if note.at is None else note.at, note.who, note.what.value, note.about, note.address)
        connection.execute("INSERT INTO audit (at, who, what, about, address) VALUES (?, ?, ?, ?, ?)", values)

    def _put(self, connection: sqlite3.Connection, name: str, password_hash: str) -> int:
        return connection.execute(
            "UPDATE users SET password = ? WHERE key = ?", (password_hash, name_key(name))
        ).rowcount

    def _known(self, name: str, changed: int) -> None:
        if not changed:
            raise UserError(f"there is no user {name}: `linesentry user list` names them")

    def _forget_ended(self, connection: sqlite3.Connection, now: float) -> None:
        asked = "SELECT token, role, begun, used FROM sessions JOIN users ON users.key = sessions.user"
        ended = [(row[0],) for row in connection.execute(asked) if Session(Role(row[1]), row[2], row[3]).has_ended(now)]
        connection.executemany("DELETE FROM sessions WHERE token = ?", ended)

    @contextmanager
    def _read(self) -> Iterator[sqlite3.Connection]:
        if not self._is_there():
            with closing(sqlite3.connect(":memory:")) as empty:
                empty.executescript(_TABLES)
                yield empty
            return
        with self._opened("ro") as connection:
            yield connection

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        """Within one transaction: all of it, or nothing."""
        if not self._is_there():
            self._make()
        with self._opened("rw") as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def _is_there(self) -> bool:
        """Whether there is a file; raises where others may read it, or it is not ours to read."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise BookError(
                f"cannot read {self.path}: {error.strerror}; do this as the service's user, or as root"
            ) from error
        if os.geteuid() not in (0, found.st_uid):
            raise BookError(
                f"{self.path} belongs to {_named(found.st_uid)} alone: do this as that user, or as root (sudo)"
            )
        if stat.S_IMODE(found.st_mode) & 0o077:
            raise BookError(
                f"others may read {self.path}: run chmod 600 {self.path}, and give each user a new password "
                "(linesentry user password)"
            )
        return True

    @contextmanager
    def _opened(self, mode: str) -> Iterator[sqlite3.Connection]:
        try:
            address = f"{self.path.absolute().as_uri()}?mode={mode}"
            with closing(sqlite3.connect(address, uri=True, timeout=_BUSY_S, isolation_level=None)) as connection:
                connection.execute("PRAGMA foreign_keys = ON")
                (form,) = connection.execute("PRAGMA user_version").fetchone()
                if form != _FORM:
                    raise BookError(f"{self.path} is of another version of linesentry (form {form}, not {_FORM})")
                yield connection
        except sqlite3.Error as error:
            raise BookError(self._explained(error)) from error

    def _make(self) -> None:
        """A new file, whole or not at all. Root makes it for the owner of the state directory."""
        part = self.path.with_name(f".{self.path.name}.{secrets.token_hex(4)}")
        try:
            self.path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, _MODE))
            try:
                with closing(sqlite3.connect(part)) as connection:
                    connection.executescript(f"BEGIN;{_TABLES}PRAGMA user_version = {_FORM};COMMIT;")
                if os.geteuid() == 0:
                    owner = self.path.parent.stat()
                    os.chown(part, owner.st_uid, owner.st_gid)
                with suppress(FileExistsError):  # another program was faster
                    os.link(part, self.path)
            finally:
                part.unlink(missing_ok=True)
        except OSError as error:
            raise BookError(
                f"cannot make {self.path}: {error.strerror}; do this as the service's user, or as root"
            ) from error
        except sqlite3.Error as error:
            raise BookError(self._explained(error)) from error

    def _explained(self, error: sqlite3.Error) -> str:
        match getattr(error, "sqlite_errorcode", 0) & 0xFF:
            case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
                return f"another program writes to {self.path} for long: try again"
            case sqlite3.SQLITE_FULL | sqlite3.SQLITE_IOERR:
                return f"cannot write to {self.path} ({error}): make room on its disk"
            case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
                return f"cannot write to {self.path} or its folder ({error}): do this as the service's user, or as root"
            case _:
                return f"{self.path} is damaged ({error}): move it away and make the users anew (linesentry user add)"


def _named(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
