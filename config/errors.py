"""What is said of a configuration that is refused: one readable line for each fault."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass

MOST_LINES = 20
_STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong in a configuration."""

    source: str
    """The file, or `command line`."""
    message: str
    """What was found and what is allowed."""
    key: str = ""
    """Dotted key, empty where the fault is the whole file's."""
    line: int | None = None
    """Line of the file, from 1, where it is known."""

    def __str__(self) -> str:
        place = self.source if self.line is None else f"{self.source}:{self.line}"
        return ": ".join(part for part in (place, self.key, self.message) if part)


Told = list[tuple[bool, str, str]]
"""Whether it is the recipe's fault, the dotted key, the message."""


class ConfigError(Exception):
    """A configuration or recipe that cannot be used; its text has one line for each fault."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        lines = [str(fault) for fault in self.faults[:MOST_LINES]]
        if len(self.faults) > MOST_LINES:
            lines.append(f"and {len(self.faults) - MOST_LINES} more faults")
        super().__init__("\n".join(lines))


def shown(value: object, most: int = 60) -> str:
    """A value as it can stand in one line of a message: quoted, cut after `most` characters."""
    text = repr(value)
    return text if len(text) <= most else f"{text[: most - 3]}..."


def file_text(name: str) -> str:
    r"""A file's name as text that every reader takes, exact but for bytes that are no UTF-8: \xNN."""
    return os.fsencode(name).decode(errors="backslashreplace")


def printable(text: str, *, lines: bool = False) -> str:
    r"""Text from outside as it can stand in a terminal, a log or a picture: nothing in it can steer the reader.

    Control characters, marks that turn the direction of writing, and bytes of a file's name that are no UTF-8 are
    written as \xNN or \uNNNN. With `lines`, ends of lines and tabs stay.
    """
    kept = "\n\t" if lines else ""
    return _STEERING.sub(lambda found: found[0] if found[0] in kept else _escaped(found[0]), text)


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is no UTF-8, as Python keeps it in names
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def shown_bytes(count: int) -> str:
    """A number of bytes as people read it, in decimal units: `619.9 MB`."""
    size = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 999.95:  # what would be written as 1000.0 is of the next unit
            return f"{size:.0f} bytes" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} TB"
