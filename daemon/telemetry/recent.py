"""The last warnings of this process, kept beside the log for people who look at the screen."""

from __future__ import annotations

import logging
import sys
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

_KEPT = 50
_SHORT = 300
"""Characters of each text."""
_APART = frozenset({"timestamp", "level", "event", "role", "pid", "run", "logger", "stack", "_record"})
_SECRET = ("password", "secret", "token", "key", "authorization", "cookie")
"""What is called so is not shown."""


class Line(NamedTuple):
    """One line of the log, shortened."""

    at: str
    """ISO, UTC."""
    level: str
    role: str
    event: str
    details: str
    """What else it says, as `name=value`."""


class RecentLines(logging.Handler):
    """Takes warnings and worse; `take` gives them away, the oldest first. Keeps the last 50 until then."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._lines: deque[Line] = deque(maxlen=_KEPT)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line; one that cannot be shown is left out, for the log itself has it."""
        try:
            self._lines.append(_line(record))
        except Exception:  # noqa: BLE001 - a log line must not raise
            self.handleError(record)

    def take(self, most: int = _KEPT) -> list[Line]:
        """So many lines, which are forgotten here."""
        taken: list[Line] = []
        while self._lines and len(taken) < most:
            taken.append(self._lines.popleft())
        return taken


RECENT = RecentLines()
"""Of this process (daemon/telemetry/logs.py)."""


def _line(record: logging.LogRecord) -> Line:
    # structlog hands over what it knows as a mapping; other libraries hand over words.
    said = record.msg if isinstance(record.msg, Mapping) else {"event": record.getMessage()}
    at = said.get("timestamp") or datetime.fromtimestamp(record.created, UTC).isoformat()
    details = " ".join(f"{name}={_shown(name, value)}" for name, value in said.items() if name not in _APART)
    error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
    if error is not None:
        details = f"{details} {type(error).__name__}: {error}".strip()
    role = str(said.get("role", ""))
    return Line(str(at), record.levelname.lower(), role, str(said.get("event", ""))[:_SHORT], details[:_SHORT])


def _shown(name: str, value: object) -> str:
    if any(word in name.lower() for word in _SECRET):
        return "(not shown)"
    if name == "exc_info":
        # True: the one that is being handled.
        error = (
            value[1] if isinstance(value, tuple) else value if isinstance(value, BaseException) else sys.exc_info()[1]
        )
        return f"{type(error).__name__}: {error}"
    return str(value)
