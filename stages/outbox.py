"""Which verdicts record has handed to one output, and when it looks in the store for more.

The store knows what each output was told, so nothing is kept here but what is with the output now, and that is never
much: what it was not handed in time is read from the store later. So an output that is slow, dead or lost costs the
others nothing, and the line nothing.

| the output is | what is committed | until |
|---|---|---|
| away | is left in the store | it joins: it is behind |
| behind | is left in the store | all that the store has for it is handed over |
| in step | is handed over at once | it has too much, or another that joins is behind |
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

MOST_HANDED = 64
"""Verdicts that are with one output at once."""


class Outbox:
    """The verdicts that are with one output and not yet told, as far as the store knows."""

    def __init__(self, most: int = MOST_HANDED) -> None:
        self._most = most
        self._handed: set[int] = set()
        self._joined = False
        self._behind = False

    @property
    def handed(self) -> Collection[int]:
        """Plates whose verdicts the output has."""
        return self._handed

    def joined(self) -> None:
        """A new process of the output is there; it knows nothing."""
        self._joined, self._behind = True, True
        self._handed.clear()

    def committed(self, plate: int) -> bool:
        """A verdict is committed; whether it is to be handed over now."""
        if not self._joined or self._behind or len(self._handed) >= self._most:
            self._behind = True
            return False
        if plate in self._handed:
            return False
        self._handed.add(plate)
        return True

    def missed(self) -> None:
        """The store may have a verdict that was not handed over."""
        self._behind = True

    @property
    def room(self) -> int:
        """How many verdicts to read from the store now; 0 while the output has enough, or needs none."""
        if not self._joined or not self._behind or 2 * len(self._handed) > self._most:
            return 0
        return self._most - len(self._handed)

    def read(self, plates: Sequence[int], asked: int) -> None:
        """These were read, when so many were asked for, and are handed over."""
        self._handed.update(plates)
        self._behind = len(plates) >= asked

    def told(self, plate: int) -> None:
        """What the output said of it is stored."""
        self._handed.discard(plate)
