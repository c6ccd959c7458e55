"""How long a session lasts, and the secret that it is known by."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass

from daemon.web.access.users import Role

_HOUR_S = 3600.0
IDLE_S = 0.5 * _HOUR_S
"""Without a request, and without an open page that keeps itself up to date, for so long: it ends."""
LONGEST_S = {Role.VIEWER: 30 * 24 * _HOUR_S, Role.OPERATOR: 12 * _HOUR_S, Role.ENGINEER: 12 * _HOUR_S}
"""From its login on; 12 hours are the longest shift. A viewer's serves a screen on a wall, and can only look."""
_CLOCK_S = 300.0
"""By so much a clock may be set back."""
_TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True)
class Session:
    """When a session of a user with that role began and was last used; seconds since 1970, UTC."""

    role: Role
    begun: float
    used: float

    def has_ended(self, now: float) -> bool:
        """Whether it holds no more. A clock that was set back far ends it: its age is not known."""
        if now < max(self.begun, self.used) - _CLOCK_S:
            return True
        return now >= min(self.used + IDLE_S, self.begun + LONGEST_S[self.role])


def new_token() -> str:
    """A secret nobody guesses, as a cookie carries it."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def token_hash(token: str) -> bytes:
    """What the file knows of a token: who reads the file can open no session."""
    return hashlib.sha256(token.encode(errors="replace")).digest()


def form_token(token: str) -> str:
    """What a form of that session carries: nobody makes one without the cookie."""
    return hmac.new(token.encode(errors="replace"), b"linesentry form", hashlib.sha256).hexdigest()


def is_form_token(given: str, token: str) -> bool:
    """Whether a form carried it; told in the same time whatever it carried."""
    return hmac.compare_digest(given.encode(errors="replace"), form_token(token).encode())
