"""What a PLC asks for beside the verdicts: the ids of the next sheet, a reset of alarms, another recipe.

State machines without I/O. What a PLC asks for is what stands in its registers, not what is sent once: it is read again
and again, and the same says nothing new. So whoever restarts, on either side, finds what is asked for where it was.

| ids for a plate are | from | until |
|---|---|---|
| taken | they stand in the registers, for the next plate | it comes, they are taken back, or cannot be read |
| refused | they are for another plate, unreadable, others than before, or a plate has them | they are taken back |
| used | the plate came, and they had been read before it can have come | |

**Ids are never guessed.** A plate whose ids did not come, came too late, or came twice in two wordings has none, and
its result says why.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping
from enum import StrEnum

import msgspec

from stages.said import Said

_NUMBERS = 0xFFFF_FFFF
"""PLCs count plates in 32 bit."""
_REMEMBERED = 4096
"""Plates whose part ids are known by heart."""
_CHANGE_S = 1.0
"""Between two changes of the recipe: a PLC that asks all the time keeps nobody from work."""


class Part(msgspec.Struct, frozen=True):
    """What the PLC said of a sheet before it came."""

    part_id: str | None = None
    batch_id: str | None = None
    unknown: str | None = None
    """Why its ids are not known; None where they are."""


class Asked(msgspec.Struct, frozen=True):
    """What stands in the PLC's registers. Texts are None where they cannot be read, and empty where there is none."""

    at: float
    """Monotonic time at which it had been read, s."""
    plate: int = 0
    """Number of the plate that the ids are for, in 32 bit; 0: there are none."""
    part_id: str | None = ""
    batch_id: str | None = ""
    reset: int = 0
    """Another number than before asks for a reset; 0: none is asked for."""
    change: int = 0
    """Another number than before asks for the recipe; 0: none is asked for."""
    recipe: str | None = ""


class Trouble(StrEnum):
    """What is not well with a service, as far as a PLC can act on it."""

    STARTING = "starting"
    STOPPING = "stopping"
    PROCESS_DOWN = "process down"
    STORE_FAILS = "store fails"
    NO_VERDICT = "no verdict"
    NO_SLOT = "no slot"
    CAMERA = "camera"
    CHECK_OVERDUE = "check overdue"
    ATTENTION = "attention"


INSPECTS = frozenset({Trouble.ATTENTION})
"""With these the next plate is inspected all the same."""
_PASSES = frozenset({Trouble.STARTING, Trouble.STOPPING, Trouble.NO_SLOT})
"""These are no alarms: each passes by itself, and belongs to normal work."""


class IdsAnswer(StrEnum):
    """What became of the ids that the PLC gave."""

    TAKEN = "taken"
    USED = "used"
    TOO_LATE = "too late"
    TOO_EARLY = "too early"
    OTHERS = "others than before"
    UNREADABLE = "unreadable"
    GIVEN = "given to another plate"


class ResetAnswer(StrEnum):
    """What became of a reset."""

    DONE = "done"
    STANDS = "still stands"


class ChangeAnswer(StrEnum):
    """What became of a change of the recipe."""

    DONE = "done"
    REFUSED = "refused"
    UNREADABLE = "unreadable"


class Answers(msgspec.Struct, frozen=True):
    """What the supervisor says to the PLC; the whole of it, each time."""

    next_plate: int = 0
    """Number that the next sheet gets; 0 where that is not known."""
    troubles: tuple[Trouble, ...] = ()
    alarms: tuple[Trouble, ...] = ()
    """Troubles that stood since the last reset."""
    plate: int = 0
    """The plate that the answer to its ids is about; 0: none were given."""
    ids: IdsAnswer | None = None
    reset: int = 0
    """The reset that is answered; 0: none."""
    done: ResetAnswer | None = None

    @property
    def ready(self) -> bool:
        """The next plate would be inspected, and could be OK."""
        return self.next_plate > 0 and INSPECTS.issuperset(self.troubles)


class PlcAsks(Said, frozen=True):
    """output -> supervisor: what stands in the PLC's registers, whenever it has changed."""

    asked: Asked | None
    """None: they cannot be read."""
    fault: str = ""
    """Why they cannot."""


class PlcAnswers(Said, frozen=True):
    """supervisor -> output: what the PLC is to read, whenever it has changed and now and then."""

    answers: Answers


class PartIds:
    """Gives each plate the ids that the PLC gave for it, or says why it has none.

    Args:
        next_plate: number of the next plate.
        given: part ids that plates have, the latest last, and their numbers.
        shared: a part id that any number of plates may have.
    """

    def __init__(self, next_plate: int, given: Mapping[str, int] | None = None, shared: str | None = None) -> None:
        self.next_plate = next_plate
        self._read = False
        self._asked: Asked | None = None
        """As read first with these words; None where nothing stands there, or the PLC cannot be read."""
        self._answer: IdsAnswer | None = None
        self._first: tuple[str | None, str | None] | None = None
        """The ids that were given first for the next plate."""
        self._early = 0
        """A number that was refused as too early: it stays so until another one stands there."""
        self._used: Asked | None = None
        """The ids that were used last."""
        self._shared = shared
        self._given: OrderedDict[str, int] = OrderedDict(
            [one for one in (given or {}).items() if one[0] != shared][-_REMEMBERED:]
        )
        """Part ids and the plates that have them."""

    @property
    def answer(self) -> tuple[int, IdsAnswer | None]:
        """What became of the ids that stand in the registers, and the plate that they are for; 0 and None: none do."""
        return (0, None) if self._asked is None else (self._asked.plate, self._answer)

    def asked(self, asked: Asked | None) -> None:
        """What stands in the registers now; None where they cannot be read: then no ids stand."""
        self._read = asked is not None
        if asked is None or asked.plate == 0:
            self._asked = self._answer = None
            if asked is not None:
                self._first, self._early = None, 0
            return
        if self._early != asked.plate:
            self._early = 0
        before = self._asked
        if before is not None and before.plate == asked.plate and _ids(before) == _ids(asked):
            return
        if before is not None and before.plate == asked.plate and asked.plate != self._number:
            return  # the texts of the next ones are written before their number
        self._asked, self._answer = asked, self._judged(asked)

    def came(self, plate: int, not_before: float | None) -> Part:
        """The ids of a plate that the switch saw; each plate is asked about once, by rising numbers.

        A number that was passed over was a bounce of the switch: the ids are for the sheet that came then.

        Args:
            plate: its number.
            not_before: monotonic time before which it cannot have begun, s; None where that is not known.
        """
        asked, part = self._asked, Part(unknown="the PLC gave none before the sheet came")
        if not self._read:
            part = Part(unknown="the PLC could not be read")
        elif asked is not None and asked.plate == self._number:
            if self._answer is IdsAnswer.TAKEN:
                in_time = not_before is not None and asked.at < not_before
                self._answer = IdsAnswer.USED if in_time else IdsAnswer.TOO_LATE
            part = self._part(plate, asked)
        self.next_plate, self._first = plate + 1, None
        return part

    def validate(self) -> None:
        """Check what always holds between two events.

        Raises:
            AssertionError: it does not.
        """
        assert (self._asked is None) == (self._answer is None), "ids without an answer"
        if self._answer is IdsAnswer.TAKEN:
            assert self._asked is not None
            assert self._asked.plate == self._number, "ids are taken for another plate than the next"
            assert self._first == _ids(self._asked), "ids are taken that are not the first"
            assert self._asked.part_id not in self._given, "a part id is taken twice"
        assert len(set(self._given.values())) == len(self._given), "a plate has two part ids"
        assert self._shared not in self._given, "a part id that may be shared belongs to one plate"
        assert len(self._given) <= _REMEMBERED

    @property
    def _number(self) -> int:
        """The next plate as a PLC counts."""
        return self.next_plate & _NUMBERS

    def _judged(self, asked: Asked) -> IdsAnswer:
        if asked.plate != self._number:
            return self._judged_of_another(asked)
        first = self._first
        self._first = first or _ids(asked)
        if self._early:
            return IdsAnswer.TOO_EARLY
        if first is not None and first != _ids(asked):
            self._first = (None, None)  # and no third wording puts that right
            return IdsAnswer.OTHERS
        if asked.part_id is None or asked.batch_id is None or not (asked.part_id or asked.batch_id):
            return IdsAnswer.UNREADABLE
        return IdsAnswer.GIVEN if asked.part_id in self._given else IdsAnswer.TAKEN

    def _judged_of_another(self, asked: Asked) -> IdsAnswer:
        """The answer to ids for another plate than the next."""
        if self._used is not None and (self._used.plate, _ids(self._used)) == (asked.plate, _ids(asked)):
            return IdsAnswer.USED
        # Numbers go round: the half before the next one is of plates that have come.
        if (self._number - asked.plate) & _NUMBERS <= _NUMBERS >> 1:
            return IdsAnswer.TOO_LATE
        self._early = asked.plate
        return IdsAnswer.TOO_EARLY

    def _part(self, plate: int, asked: Asked) -> Part:
        match self._answer:
            case IdsAnswer.USED:
                self._used = asked
                if asked.part_id and asked.part_id != self._shared:
                    self._given[asked.part_id] = plate
                    if len(self._given) > _REMEMBERED:
                        self._given.popitem(last=False)
                return Part(asked.part_id or None, asked.batch_id or None)
            case IdsAnswer.TOO_LATE:
                why = "the PLC gave them too late: the sheet may have come before"
            case IdsAnswer.OTHERS:
                why = "the PLC gave two wordings for one sheet"
            case IdsAnswer.UNREADABLE:
                why = "what the PLC gave is empty, or no printable ASCII"
            case IdsAnswer.GIVEN:
                why = f"the PLC gave part id {asked.part_id}, which plate {self._given.get(asked.part_id or '')} has"
            case _:
                why = "the PLC gave them too early, before the number was the next"
        return Part(unknown=why)


class Alarms:
    """Troubles stand as alarms until somebody resets them, and they are gone."""

    def __init__(self) -> None:
        self.standing: frozenset[Trouble] = frozenset()
        self.answer: tuple[int, ResetAnswer | None] = (0, None)
        """The reset that was answered last, and how."""
        self._troubles: frozenset[Trouble] = frozenset()

    def look(self, troubles: Collection[Trouble]) -> None:
        """These stand now."""
        self._troubles = frozenset(troubles) - _PASSES
        self.standing |= self._troubles

    def asked(self, number: int) -> frozenset[Trouble] | None:
        """The number that asks for a reset; gives the alarms that it reset, None where it asks for nothing new."""
        if number == self.answer[0]:
            return None
        gone = self.standing - self._troubles
        self.standing = self._troubles
        answer = ResetAnswer.STANDS if self.standing else ResetAnswer.DONE
        self.answer = (number, answer if number else None)
        return gone if number else None


class RecipeAsked:
    """Which change of the recipe is asked for, and what became of it."""

    def __init__(self) -> None:
        self.number = 0
        """Of the request that stands; 0: none."""
        self.answer: ChangeAnswer | None = None
        """None while it is not answered."""
        self.first_plate = 0
        """The first plate that the recipe judges; 0 where nothing was changed."""
        self.why = ""
        """Why it was refused."""
        self._awaited: tuple[int, str] | None = None
        """Number and recipe that an answer is still to come for, also once they stand there no more."""
        self._not_before = 0.0
        """Monotonic time before which none is asked for, s."""

    def asked(self, asked: Asked, now: float) -> str | None:
        """What stands in the registers; gives the recipe to be asked for, None where that is nothing new.

        To be called again and again: a request waits until the one before is answered, and its time has come.
        """
        waits = self._awaited is not None
        if asked.change == self.number or (asked.change and (waits or now < self._not_before)):
            return None
        self._not_before = now + _CHANGE_S
        self.number, self.answer, self.first_plate, self.why = asked.change, None, 0, ""
        if not asked.change:
            return None
        if not asked.recipe:
            self.answer, self.why = ChangeAnswer.UNREADABLE, "the name is empty, or no printable ASCII"
            return None
        self._awaited = asked.change, asked.recipe
        return asked.recipe

    def answered(self, number: int, name: str, first_plate: int | None, refused: str) -> bool:
        """The answer to a request of that number for that recipe; False where the PLC has taken it back by now."""
        if (number, name) != self._awaited:
            return False
        self._awaited = None
        if number != self.number:
            return False
        self.answer = ChangeAnswer.REFUSED if refused else ChangeAnswer.DONE
        self.first_plate, self.why = first_plate or 0, refused
        return True


def _ids(asked: Asked) -> tuple[str | None, str | None]:
    return asked.part_id, asked.batch_id
