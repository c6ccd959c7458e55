"""Hashes of passwords, by argon2id."""

from __future__ import annotations

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from daemon.web.access.users import plain_password

MEMORY_KIB, PASSES = 65_536, 3
"""RFC 9106's choice where memory is short, on one thread: the line needs the others."""


class Passwords:
    """Makes hashes and compares with them; for an unknown user too it takes the time of a comparison."""

    def __init__(self, memory_kib: int = MEMORY_KIB, passes: int = PASSES) -> None:
        self._hasher = PasswordHasher(time_cost=passes, memory_cost=memory_kib, parallelism=1)
        self._nobodys: str | None = None

    def hash(self, password: str) -> str:
        """The hash to store, with its salt and parameters."""
        return self._hasher.hash(_bytes(password))

    def fits(self, password: str, stored: str | None) -> bool:
        """Whether it is the password of that hash; never for None, the hash of a user who is unknown."""
        if self._nobodys is None:
            self._nobodys = self._hasher.hash("the password of nobody")
        try:
            self._hasher.verify(self._nobodys if stored is None else stored, _bytes(password))
        except (VerificationError, InvalidHashError):
            return False
        return stored is not None

    def is_outdated(self, stored: str) -> bool:
        """The hash was made with other parameters than are taken now."""
        return self._hasher.check_needs_rehash(stored)


def _bytes(password: str) -> bytes:
    return plain_password(password).encode(errors="surrogatepass")
