"""A process that cannot do what the configuration asks of it, and could not the next time: it is not started again."""

from __future__ import annotations

from pathlib import Path

UNUSABLE = 78
"""Its exit status (EX_CONFIG of sysexits.h)."""


class UnusableError(Exception):
    """What is asked of this process cannot be done, and trying again does not help; the message says why."""


def say_why(sockets: str | Path, name: str, error: UnusableError) -> None:
    """Leave the reason for the supervisor: a message may be lost with the process that sends it."""
    _path(sockets, name).write_text(str(error), encoding="utf-8", errors="replace")


def said_why(sockets: str | Path, name: str) -> str:
    """The reason that the process of that name has left."""
    try:
        return _path(sockets, name).read_text(encoding="utf-8")
    except OSError:
        return "its reason is in the log"


def _path(sockets: str | Path, name: str) -> Path:
    return Path(sockets) / f"{name}.unusable"
