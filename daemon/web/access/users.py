"""Users of the screen: their roles, and what a name and a password may be."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

LEAST_PASSWORD, _MOST_PASSWORD = 8, 256
"""Characters of a password."""
_NAME = re.compile(r"\w[\w.-]{0,31}")
AT_THE_SCREEN = "at the screen"
"""Who everybody is where there are no users: no name of a user, for it has spaces."""


class Role(StrEnum):
    """What a user may do; each may do what those before it may."""

    VIEWER = "viewer"
    """See every page of the line."""
    OPERATOR = "operator"
    """Mark, too."""
    ENGINEER = "engineer"
    """Read the users' log, too."""

    def may(self, needed: Role) -> bool:
        """Whether it is that role, or one that may more."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True, slots=True)
class User:
    """One user."""

    name: str
    role: Role
    made_at: float
    """Seconds since 1970, UTC."""


def plain_name(text: str) -> str:
    """A name as it is stored: one form of its letters."""
    return unicodedata.normalize("NFKC", text).strip()


def name_key(text: str) -> str:
    """What two names have in common that differ in capitals alone: they are one user's."""
    return unicodedata.normalize("NFKC", plain_name(text).casefold())


def why_no_name(name: str) -> str | None:
    """What is wrong with a name for a user; None where nothing is."""
    if _NAME.fullmatch(name):
        return None
    return "a name has up to 32 letters, digits, points, - and _, and begins with a letter or a digit"


def plain_password(text: str) -> str:
    """A password in one form of its letters, whatever keyboard it was typed on."""
    return unicodedata.normalize("NFKC", text)


def why_no_password(password: str) -> str | None:
    """What is wrong with a password; None where nothing is."""
    length = len(plain_password(password))
    if length < LEAST_PASSWORD:
        return f"the password has {length} characters, {LEAST_PASSWORD} at least"
    return f"the password has {length} characters, {_MOST_PASSWORD} at most" if length > _MOST_PASSWORD else None
