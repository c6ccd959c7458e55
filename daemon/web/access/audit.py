"""What is kept of who did what on the screen, or to its users."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

KEPT_S = 400 * 24 * 3600.0
"""A year and some weeks, so that one year can be compared with the one before it."""
COMMAND_LINE = "command line"
"""The address of what was done by a command on the machine itself."""


class What(StrEnum):
    """What was done; the same words in the file and on the command line."""

    LOGIN = "login"
    LOGIN_FAILED = "login failed"
    LOGIN_REFUSED = "login refused"
    """Too many attempts; the first of them alone is kept."""
    LOGOUT = "logout"
    MARK = "mark"
    USER_ADDED = "user added"
    USER_REMOVED = "user removed"
    PASSWORD_CHANGED = "password changed"  # noqa: S105 - a word for what was done


@dataclass(frozen=True, slots=True)
class Note:
    """One thing that was done."""

    who: str
    what: What
    about: str
    """Which user, or which mark of which plate; empty where nothing more is to be said."""
    address: str
    at: float | None = None
    """Seconds since 1970, UTC; None: now."""
