"""What befell a plate, kept so that one that hangs can be explained.

Events of one kind that follow each other, or take turns with few others, stand in one line with their count: hundreds
of windows do not push out what came before them.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from typing import Any

import msgspec

_MOST_LINES = 200
"""Of one plate; the oldest go first."""
_TURNS = 4
"""So many kinds may take turns."""
_MOST_PLATES = 64
"""Whose stories are kept; that of the plate which was not heard of for longest goes first."""


class _Line:
    """So many events of one kind, and the last of them."""

    __slots__ = ("count", "first", "kind", "last", "last_event")

    def __init__(self, kind: str, event: Any, at: float) -> None:  # noqa: ANN401 - an event of any machine
        self.kind, self.last_event = kind, event
        self.first = self.last = at
        self.count = 1


class Stories:
    """The stories of the last plates, by their events: whatever has a `plate`, or a `result` with one."""

    def __init__(self) -> None:
        self._plates: OrderedDict[int, deque[_Line]] = OrderedDict()

    def heard(self, *events: object) -> None:
        """Take what a machine was told, or says; what is of no plate is left out."""
        now = time.monotonic()
        for event in events:
            plate = getattr(event, "plate", None)
            if plate is None:
                plate = getattr(getattr(event, "result", None), "plate", None)
            if plate is not None:
                self._add(plate, event, now)

    def forget(self, plate: int) -> None:
        """Drop a story that has ended well."""
        self._plates.pop(plate, None)

    def of(self, plate: int) -> list[str]:
        """The story of a plate, a line for each kind of event in a row, seconds before now first."""
        now = time.monotonic()
        return [_told(line, now) for line in self._plates.get(plate, ())]

    def _add(self, plate: int, event: object, now: float) -> None:
        lines = self._plates.get(plate)
        if lines is None:
            lines = self._plates[plate] = deque(maxlen=_MOST_LINES)
            if len(self._plates) > _MOST_PLATES:
                self._plates.popitem(last=False)
        else:
            self._plates.move_to_end(plate)
        kind = type(event).__name__
        line = next((line for line in _latest(lines) if line.kind == kind), None)
        if line is None:
            lines.append(_Line(kind, event, now))
        else:
            line.count, line.last, line.last_event = line.count + 1, now, event
            lines.remove(line)
            lines.append(line)


def _latest(lines: deque[_Line]) -> list[_Line]:
    return [lines[index] for index in range(-1, -1 - min(_TURNS, len(lines)), -1)]


def _told(line: _Line, now: float) -> str:
    words = f"{now - line.last:.2f} s ago {_brief(line.last_event)}"
    return words if line.count == 1 else f"{words} (the last of {line.count} in {line.last - line.first:.2f} s)"


def _brief(event: object) -> str:
    """The kind of an event with its short fields."""
    names = [*getattr(event, "__struct_fields__", ()), *getattr(event, "__dataclass_fields__", ())]
    fields = []
    for name in names:
        value = getattr(event, name)
        if name == "result":
            fields += [f"{key}={getattr(value, key)}" for key in ("window", "verdict") if hasattr(value, key)]
        elif isinstance(value, str | int | float | None):
            fields.append(f"{name}={value}")
        elif isinstance(value, tuple):
            fields.append(f"{name}: {len(value)}")
        elif isinstance(value, msgspec.Struct):
            fields += [f"{key}={getattr(value, key)}" for key in value.__struct_fields__]
    return " ".join([type(event).__name__, *fields])
