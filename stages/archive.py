"""Which plates are archived, and when each lets go of its slot: no line waits for evidence unless it was told to.

State machines without I/O. One plate is with the archiver at a time: it copies the pixels, and the slot is free before
the file is written. The others wait in their slots, as long as there is another one that is free.

| a plate is | from | until |
|---|---|---|
| waiting | it is final and chosen | the archiver is idle: ArchivePlate; or no slot is free: LetGo, LeftOut |
| being copied | ArchivePlate | PlateCopied: LetGo. Its slot is let go, too, when none is free and it takes too long |
| being written | PlateCopied | PlateArchived; or PlateNotArchived, or the archiver is a new one: LeftOut |
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal

from config.schema import Archive, Recipe
from stages.events import (
    ArchiveInStep,
    ArchiveLacks,
    ArchivePlate,
    ArchiverLost,
    PlateArchived,
    PlateCopied,
    PlateNotArchived,
)
from stages.plate import PlateResult, Verdict

COPY_S = 1.0
"""Longest time that a copy keeps the last slot."""
ENOUGH_S = 60.0
"""The archive works again when a plate is archived and none has been missing for so long."""

Missing = Literal["behind", "no room", "not written", "archiver lost"]
"""Why a plate that was chosen has no file."""
MISSING: tuple[Missing, ...] = ("behind", "no room", "not written", "archiver lost")

_BEHIND = "the archive is behind: its slot was needed"


# --- what only the record process says and does ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Chosen:
    """A plate that is final is to be archived; its slot is held for that."""

    order: ArchivePlate


@dataclass(frozen=True, slots=True)
class ArchiverJoined:
    """A process of the archiver is there, and knows nothing."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed; so many slots are free."""

    free: int


@dataclass(frozen=True, slots=True)
class LetGo:
    """The plate's slot is read no more."""

    plate: int


@dataclass(frozen=True, slots=True)
class LeftOut:
    """The plate was chosen and has no file."""

    plate: int
    why: Missing
    text: str


Event = Chosen | ArchiverJoined | ArchiverLost | PlateCopied | PlateArchived | PlateNotArchived | Tick
Instruction = ArchivePlate | LetGo | LeftOut | PlateArchived


class Choice:
    """Says of each plate of one product whether it is archived."""

    def __init__(self, settings: Archive) -> None:
        self._settings = settings
        self._passed = 0
        self._doubts: deque[tuple[float, int]] = deque(maxlen=settings.ok_every - 1)

    def takes(self, result: PlateResult) -> bool:
        """Whether a plate with this result is archived; to be asked once a plate, in their order."""
        if result.verdict is not Verdict.OK:
            return result.verdict.value in self._settings.verdicts
        if self._settings.ok == "every":
            self._passed += 1
            return (self._passed - 1) % self._settings.ok_every == 0
        if self._settings.ok == "none":
            return False
        doubt = doubt_of(result)
        is_most = doubt > (0.0, 0) and all(doubt > other for other in self._doubts)
        self._doubts.append(doubt)
        return is_most


class Choices:
    """The choice of each product by its own recipe: its OK plates are counted by themselves."""

    def __init__(self, settings: Archive) -> None:
        self._settings = settings
        self._of: dict[str, tuple[Archive, Choice]] = {}

    def takes(self, result: PlateResult, recipe: Recipe) -> bool:
        """Whether a plate that the recipe judged is archived; to be asked once a plate, in their order."""
        asked = self._settings.of(recipe.archive)
        known = self._of.get(recipe.name)
        if known is None or known[0] != asked:
            known = self._of[recipe.name] = (asked, Choice(asked))
        return known[1].takes(result)


def doubt_of(result: PlateResult) -> tuple[float, int]:
    """How doubtful an OK is: the highest chance of a crack that the classifier gave, then the number of warnings."""
    return max((defect.probability or 0.0 for defect in result.defects), default=0.0), len(result.warnings)


class Archiving:
    """The plates on their way into the archive. `handle(event, now)` returns what is to be done, in order."""

    def __init__(self, behind: Literal["skip", "wait"]) -> None:
        self._behind = behind
        self._waiting: deque[ArchivePlate] = deque()
        self._order: ArchivePlate | None = None
        """With the archiver."""
        self._copied = False
        self._held = False
        """The slot of that one is held."""
        self._sent_at = 0.0
        self._lost = False

    @property
    def holds(self) -> bool:
        """Whether it holds any slot."""
        return bool(self._waiting) or self._held

    @property
    def waiting(self) -> int:
        """Plates that no archiver has yet."""
        return len(self._waiting)

    def handle(self, event: Event, now: float) -> list[Instruction]:
        """Take an event at a monotonic time, s; returns what to do."""
        done: list[Instruction] = []
        match event:
            case Chosen(order):
                self._waiting.append(order)
                if self._lost:
                    done += self._give_up("archiver lost", "the archiver is lost")
            case ArchiverJoined():
                done += self._begin_anew(now)
            case ArchiverLost():
                self._lost = True
                done += self._end("archiver lost", "the archiver is lost")
                done += self._give_up("archiver lost", "the archiver is lost")
            case PlateCopied(plate):
                if self._is(plate):
                    self._copied = True
                    done += self._let_go()
            case PlateArchived(plate):
                done += self._done(plate)
                done.append(event)
            case PlateNotArchived(plate, why, text):
                done += self._done(plate)
                done.append(LeftOut(plate, why, text))
            case Tick(free):
                if free == 0 and self._behind == "skip":
                    done += self._give_up("behind", _BEHIND, most=1)
                    if self._held and now - self._sent_at > COPY_S:
                        done += self._let_go()
        return done + self._next(now)

    def validate(self) -> None:
        """Check what always holds between two events. Raises AssertionError: it does not."""
        assert self._order is not None or not (self._copied or self._held), "a slot is held for no plate"
        assert not (self._copied and self._held), "a plate that is copied keeps its slot"
        assert not (self._lost and self._waiting), "plates wait for an archiver that is lost"

    # --- inside ----------------------------------------------------------------------------------------------

    def _is(self, plate: int) -> bool:
        return self._order is not None and self._order.plate == plate

    def _next(self, now: float) -> list[Instruction]:
        if self._order is not None or not self._waiting:
            return []
        self._order, self._held, self._sent_at = self._waiting.popleft(), True, now
        return [self._order]

    def _begin_anew(self, now: float) -> list[Instruction]:
        """What the process before had copied is gone; what it had not stands in its slot, if that is still held."""
        self._lost = False
        if self._order is None:
            return []
        if self._held:
            self._sent_at = now
            return [self._order]
        if self._copied:
            return self._end("not written", "the archiver ended in the middle of it")
        return self._end("behind", _BEHIND)

    def _done(self, plate: int) -> list[Instruction]:
        if not self._is(plate):
            return []
        done = self._let_go()
        self._order, self._copied = None, False
        return done

    def _end(self, why: Missing, text: str) -> list[Instruction]:
        if self._order is None:
            return []
        plate = self._order.plate
        return [*self._done(plate), LeftOut(plate, why, text)]

    def _let_go(self) -> list[Instruction]:
        if not self._held or self._order is None:
            return []
        self._held = False
        return [LetGo(self._order.plate)]

    def _give_up(self, why: Missing, text: str, most: int | None = None) -> list[Instruction]:
        """Leave out so many of those that wait, or all of them: OK plates first, then the oldest."""
        done: list[Instruction] = []
        for one in sorted(self._waiting, key=lambda one: (one.verdict is not Verdict.OK, one.plate))[:most]:
            self._waiting.remove(one)
            done += [LetGo(one.plate), LeftOut(one.plate, why, text)]
        return done


class Shortage:
    """Says once that plates are missing in the archive, once more for each other reason, and once that none are."""

    def __init__(self) -> None:
        self._reasons: set[Missing] = set()
        """What was said already."""
        self._lacked_at = 0.0
        self._archived_since = False
        self._news: list[ArchiveLacks | ArchiveInStep] = []
        self.missing = 0
        """Plates that are missing since it began."""

    def lacks(self, why: Missing, text: str, now: float) -> bool:
        """A plate is left out; whether that is news."""
        self._lacked_at, self._archived_since = now, False
        self.missing += 1
        if why in self._reasons:
            return False
        self._reasons.add(why)
        self._news.append(ArchiveLacks(text))
        return True

    def has(self) -> None:
        """A plate is archived."""
        self._archived_since = True

    def news(self, now: float) -> list[ArchiveLacks | ArchiveInStep]:
        """What has not been said yet, in order."""
        if self._reasons and self._archived_since and now - self._lacked_at > ENOUGH_S:
            self._reasons.clear()
            self._news.append(ArchiveInStep())
        said, self._news = self._news, []
        return said
