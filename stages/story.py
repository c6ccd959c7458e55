"""What befell each open plate, kept so that one that hangs can be explained.

Events of one kind that follow each other, or take turns with few others, stand in one line with their count: hundreds
of windows do not push out what came before them.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Container, Iterable
from typing import Any

import msgspec

_MOST_LINES = 200
"""Of one plate; the oldest go first."""
_TURNS = 4
"""So many kinds may take turns."""


class _Line:
    """So many events of one kind, and the last of them."""

    __slots__ = ("count", "first", "kind", "last", "last_event", "windows")

    def __init__(self, kind: tuple[str, type], at: float) -> None:
        self.kind = kind
        self.first = self.last = at
        self.last_event: object = None
        self.count = self.windows = 0

    def add(self, event: object, at: float) -> None:
        self.count += 1
        self.windows += len(getattr(event, "windows", ()))
        self.last, self.last_event = at, event


class Stories:
    """The stories of the open plates, by their events: whatever has a `plate`, or a `result` with one.

    Args:
        open_plates: of which a story is kept; asked at each event. One that is no more among them is forgotten with
            the next that is heard of it.
    """

    def __init__(self, open_plates: Container[int]) -> None:
        self._open = open_plates
        self._plates: dict[int, deque[_Line]] = {}

    def add(self, heard: object, said: Iterable[object]) -> None:
        """Take what a machine has heard, and what it said to that; what is of no open plate is left out."""
        now = time.monotonic()
        self._add("heard", heard, now)
        for one in said:
            self._add("said", one, now)

    def of(self, plate: int) -> list[str]:
        """The story of a plate, a line for each kind of event in a row, seconds before now first."""
        now = time.monotonic()
        return [_told(line, now) for line in self._plates.get(plate, ())]

    def _add(self, way: str, event: object, now: float) -> None:
        plate = getattr(event, "plate", None)
        if plate is None:
            plate = getattr(getattr(event, "result", None), "plate", None)
        if plate is None:
            return
        if plate not in self._open:
            self._plates.pop(plate, None)
            return
        lines = self._plates.get(plate)
        if lines is None:
            lines = self._plates[plate] = deque(maxlen=_MOST_LINES)
        kind = way, type(event)
        line = next((line for line in _latest(lines) if line.kind == kind), None)
        if line is None:
            line = _Line(kind, now)
        else:
            lines.remove(line)
        line.add(event, now)
        lines.append(line)


def _latest(lines: deque[_Line]) -> list[_Line]:
    return [lines[index] for index in range(-1, -1 - min(_TURNS, len(lines)), -1)]


def _told(line: _Line, now: float) -> str:
    way, kind = line.kind
    words = " ".join([f"{now - line.last:.2f} s ago {way} {kind.__name__}", *_fields(line.last_event, now)])
    if line.count == 1:
        return words
    windows = f", {line.windows} windows in all" if line.windows else ""
    return f"{words} (the last of {line.count} in {line.last - line.first:.2f} s{windows})"


def _fields(event: object, now: float) -> list[str]:
    """The short fields of an event in words, but for its plate."""
    names = [*getattr(event, "__struct_fields__", ()), *getattr(event, "__dataclass_fields__", ())]
    return [word for name in names if name != "plate" for word in _field(name, getattr(event, name), now)]


def _field(name: str, value: Any, now: float) -> list[str]:  # noqa: ANN401 - of any event
    if name == "result":
        return [f"{key}={getattr(value, key)}" for key in ("window", "verdict") if hasattr(value, key)]
    if name.endswith("_at") and isinstance(value, float):
        return [f"{name}={now - value:.2f} s ago"]
    if isinstance(value, tuple):
        words = all(isinstance(one, str) for one in value)
        return [f"{name}={', '.join(value) or 'none'}" if words else f"{name}: {len(value)}"]
    if isinstance(value, msgspec.Struct):
        return [f"{key}={getattr(value, key)}" for key in value.__struct_fields__]
    return [f"{name}={value}"] if isinstance(value, str | int | float | None) else []
