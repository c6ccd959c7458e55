"""Who comes in: sessions are looked up, begun and ended here, off the loop that serves the pages."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from anyio import to_thread

from daemon.web.access.attempts import Attempts
from daemon.web.access.audit import Note, What
from daemon.web.access.book import Book
from daemon.web.access.clients import Served
from daemon.web.access.passwords import Passwords
from daemon.web.access.sessions import new_token
from daemon.web.access.users import AT_THE_SCREEN, Role, name_key

_UNKNOWN = "unknown name"
"""Whose failed login: the name is not kept, for people type passwords into its field."""
_REFUSED_S = 60.0
"""At most so often it is kept that logins are refused."""

Given = TypeVar("Given")


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks for a page."""

    name: str
    """Under which marks are stored."""
    role: Role
    address: str
    has_session: bool = True
    """False where all are let in, for there are no users."""


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A session has begun, by a new token."""

    token: str
    role: Role


@dataclass(frozen=True, slots=True)
class WrongLogin:
    """Name or password is wrong; which of them is told to nobody."""


@dataclass(frozen=True, slots=True)
class TooMany:
    """Another attempt may be made after so many seconds."""

    wait_s: float


class Access:
    """The users of one screen."""

    def __init__(
        self,
        book: Book,
        served: Served,
        passwords: Passwords | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.book, self.served = book, served
        self._passwords = Passwords() if passwords is None else passwords
        self._clock = clock
        self._attempts = Attempts()
        self._one = asyncio.Lock()
        """One password is compared at a time: it takes 64 MB and a core."""
        self._refused_at = -_REFUSED_S

    async def visitor(self, token: str | None, address: str) -> Visitor | None:
        """Who has that token; None: a login is needed. Raises BookError."""
        return await to_thread.run_sync(self._visitor, token, address)

    async def login(self, name: str, password: str, address: str, old: str | None) -> LoggedIn | WrongLogin | TooMany:
        """Begin a session in place of the one of the old token. Raises BookError."""
        key = name_key(name)[:64]
        wait_s = self._attempts.wait_s(key, address, self._clock())
        if wait_s > 0:
            if self._clock() - self._refused_at >= _REFUSED_S:
                self._refused_at = self._clock()
                await self.note(Note(_UNKNOWN, What.LOGIN_REFUSED, "", address))
            return TooMany(wait_s)
        self._attempts.spend(key, address, self._clock())
        async with self._one:
            begun = await to_thread.run_sync(self._begin, name, password, address)
        if begun is None:
            return WrongLogin()
        self._attempts.refund(key, address)
        if old is not None:
            await self.logout(old, name, address)
        return begun

    async def logout(self, token: str, name: str, address: str) -> None:
        """End a session. Raises BookError."""
        await to_thread.run_sync(self.book.end, token, Note(name, What.LOGOUT, "", address))

    async def note(self, note: Note) -> None:
        """Keep what was done. Raises BookError."""
        await to_thread.run_sync(self.book.note, note)

    def _visitor(self, token: str | None, address: str) -> Visitor | None:
        user = None if token is None else self.book.user_of(token)
        if user is not None:
            return Visitor(user.name, user.role, address)
        if self.served.opens_without_users and not self.book.has_users():
            return Visitor(AT_THE_SCREEN, Role.OPERATOR, address, has_session=False)
        return None

    def _begin(self, name: str, password: str, address: str) -> LoggedIn | None:
        """A new session; None where name or password is wrong."""
        known = self.book.password(name)
        # Compared for an unknown name too: the time tells nothing.
        fits = self._passwords.fits(password, None if known is None else known[1])
        if known is None or not fits:
            self.book.note(Note(_UNKNOWN if known is None else known[0].name, What.LOGIN_FAILED, "", address))
            return None
        user, stored = known
        if self._passwords.is_outdated(stored):
            renewed = self._passwords.hash(password)
            self.book.renew_hash(user.name, stored, renewed)
            stored = renewed
        token = new_token()
        has_begun = self.book.begin(user.name, stored, token, Note(user.name, What.LOGIN, "", address))
        return LoggedIn(token, user.role) if has_begun else None
