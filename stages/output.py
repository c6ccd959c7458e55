"""What one output says: each committed verdict once as new, until it is acknowledged, refused, or of no more use.

It does no I/O itself: events in, instructions out. A verdict's sequence number is the number of its plate, which never
repeats. So whatever is said again after a death, on either side, can be told from what is new.

| a verdict is | from | until |
|---|---|---|
| waiting | VerdictDue | it is the first, and somebody is connected |
| not yet said | Clear, where its number stands in the echo already | another number stands there |
| said | Say, and again after a pause | Echoed with its number; Refused; the deadline, where nothing is said late |
| told | VerdictTold | for ever; due again, it is told again in the same words |

**The release bit is fail-safe.** It stands for one plate alone: an OK of which the right number came back, before the
plate's deadline. It falls at the deadline, before the next verdict is said, and with the connection. What is late or
unacknowledged counts as divert.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import assert_never

from stages.events import Outcome, OutputFailing, OutputWorks, SeenCommitted, VerdictDue, VerdictTold
from stages.plate import Verdict

_REMEMBERED = 4096
"""Tellings that are known by heart: record may ask for one again that it could not store."""
_LONGEST_PAUSE_S = 10.0
"""Between two tries to say the same."""


# --- what only the output process says and does ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Connected:
    """The peer can be reached from now on."""

    echo: int | None = None
    """The number that stands in its echo, from earlier; None where it has none."""


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The peer cannot be reached, or what was tried failed."""

    text: str


@dataclass(frozen=True, slots=True)
class Echoed:
    """The peer gave back a sequence number; the same may come any number of times."""

    plate: int
    text: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """The peer will never take what was said last."""

    text: str


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


@dataclass(frozen=True, slots=True)
class Ending:
    """The process ends: nothing is released any more."""


@dataclass(frozen=True, slots=True)
class Say:
    """Say the verdict."""

    due: VerdictDue
    divert: bool
    """Said with it: the plate is to be taken off the line."""
    times: int
    """1 for the first time that this process says it."""


@dataclass(frozen=True, slots=True)
class Clear:
    """Say that there is no verdict: the echo that stands there from earlier would acknowledge the next one unheard."""


@dataclass(frozen=True, slots=True)
class Release:
    """An OK stands for this plate from now on; None: nothing is released."""

    plate: int | None


@dataclass(frozen=True, slots=True)
class Beat:
    """Set the heartbeat bit so."""

    on: bool


Event = VerdictDue | SeenCommitted | Connected | Disconnected | Echoed | Refused | Tick | Ending
Instruction = Say | Clear | Release | Beat | SeenCommitted | VerdictTold | OutputFailing | OutputWorks


@dataclass(slots=True)
class _Telling:
    """The verdict that is being said."""

    due: VerdictDue
    times: int = 0
    clears: bool = False
    """Its number stands in the echo, though it was not said."""
    said_at: float | None = None
    """For the first time."""
    again_at: float = 0.0
    pause_s: float = 0.0
    answer: str = ""


class Teller:
    """Says the verdicts of one output, one after the other in the order in which they came due.

    Args:
        name: the output's name, for people.
        deadline_s: from a plate's last row, or from its commit where that is not known, until its OK is of no use.
        again_s: pause before a verdict is said again; doubles up to 10 s where late ones are said.
        says_late: a verdict that is late is said all the same, as one to divert; else nothing more is said of it.
        hold_s: a release stands for so long before the next verdict is said, for the peer to see it.
        beat_s: between two changes of the heartbeat bit.
    """

    def __init__(
        self,
        name: str,
        *,
        deadline_s: float,
        again_s: float,
        says_late: bool,
        hold_s: float = 0.0,
        beat_s: float = 0.25,
    ) -> None:
        self.name = name
        self.wrong_echoes = 0
        """Numbers that came back and were never said."""
        self._deadline_s, self._again_s, self._says_late = deadline_s, again_s, says_late
        self._hold_s, self._beat_s = hold_s, beat_s
        self._connected = False
        self._waiting: OrderedDict[int, VerdictDue] = OrderedDict()
        self._telling: _Telling | None = None
        self._told: OrderedDict[int, VerdictTold] = OrderedDict()
        self._released: tuple[int, float] | None = None
        """The plate for which an OK stands, and until when."""
        self._held_until = 0.0
        """Before this the next is not said."""
        self._echo: int | None = None
        """The number that came back last."""
        self._seen = 0
        self._beat = False
        self._beat_at = 0.0
        self._failing = ""

    @property
    def waiting(self) -> int:
        """Verdicts that are yet to be told."""
        return len(self._waiting) + (self._telling is not None)

    @property
    def connected(self) -> bool:
        """The peer can be reached, as far as is known."""
        return self._connected

    @property
    def awaits_echo(self) -> bool:
        """Something was said, and nothing came back yet."""
        telling = self._telling
        return self._connected and telling is not None and (telling.times > 0 or telling.clears)

    @property
    def released(self) -> int | None:
        """The plate for which an OK stands; None where nothing is released."""
        return None if self._released is None else self._released[0]

    def due_in(self, now: float) -> float:
        """Seconds until a Tick has something to do, 0 at least."""
        times = [self._beat_at + self._beat_s] if self._connected else []
        if self._telling is not None:
            times += [max(self._telling.again_at, self._held_until)] if self._connected else []
            times += [] if self._says_late else [self._useless_at(self._telling.due)]
        if self._released is not None:
            times.append(self._released[1])
        return max(0.0, min(times, default=now + 1.0) - now)

    def handle(self, event: Event, now: float) -> list[Instruction]:  # noqa: PLR0911 - one case for each event
        """Take an event at the monotonic time `now`, s; give what is to be done, in order."""
        match event:
            case VerdictDue():
                return self._due(event, now)
            case SeenCommitted():
                return self._saw(event)
            case Connected(echo):
                return self._connect(echo, now)
            case Disconnected(text):
                return self._disconnect(text)
            case Echoed():
                return self._echoed(event, now)
            case Refused(text):
                return self._refused(text, now)
            case Tick():
                return self._tick(now)
            case Ending():
                return self._fall()
        assert_never(event)

    def validate(self) -> None:
        """Check what always holds between two events.

        Raises:
            AssertionError: it does not.
        """
        assert self._released is None or self._connected, "released for a peer that is not there"
        assert self._telling is not None or not self._waiting or not self._connected, "nothing is said though one waits"
        saying = set() if self._telling is None else {self._telling.due.plate}
        assert not saying & self._waiting.keys(), "the same verdict waits and is said"
        assert not (saying | self._waiting.keys()) & self._told.keys(), "a verdict is told and yet to be told"

    # --- what comes ----------------------------------------------------------------------------------------------

    def _due(self, due: VerdictDue, now: float) -> list[Instruction]:
        if due.plate in self._told:
            return [self._told[due.plate]]
        if due.plate in self._waiting or (self._telling is not None and self._telling.due.plate == due.plate):
            return []
        self._waiting[due.plate] = due
        return self._go_on(now)

    def _saw(self, seen: SeenCommitted) -> list[Instruction]:
        if seen.plate <= self._seen:
            return []
        self._seen = seen.plate
        return [seen] if self._connected else []

    def _connect(self, echo: int | None, now: float) -> list[Instruction]:
        self._connected = True
        self._echo = echo if echo is not None else self._echo
        done: list[Instruction] = [Release(None)]
        if self._seen:
            done.append(SeenCommitted(self._seen))
        if self._telling is not None:
            # Whatever stands at the peer now, it was not said to this connection.
            self._telling.again_at, self._telling.pause_s = now, self._again_s
        if not self.waiting:
            done += self._works()  # else only once something comes back: a peer may take connections and nothing more
        return done + self._tick(now)

    def _disconnect(self, text: str) -> list[Instruction]:
        self._connected, self._released, self._held_until = False, None, 0.0
        return self._fails(text)

    def _echoed(self, echo: Echoed, now: float) -> list[Instruction]:
        news, self._echo = echo.plate != self._echo, echo.plate
        telling = self._telling
        if not self._connected or telling is None:
            return []
        if not telling.times:
            if telling.clears and news:
                telling.clears, telling.again_at = False, now
            return self._go_on(now)
        if echo.plate != telling.due.plate:
            if news:
                self.wrong_echoes += 1
                telling.answer = echo.text or f"echo {echo.plate}"
            return []
        telling.answer = echo.text or f"echo {echo.plate}"
        late = self._is_late(telling.due, now)
        done = self._end(telling, "late" if late else "acknowledged", now, answered=True)
        if telling.due.verdict is Verdict.OK and not late:
            self._released = (telling.due.plate, self._useless_at(telling.due))
            self._held_until = now + self._hold_s
            done.append(Release(telling.due.plate))
        return done + self._works() + self._go_on(now)

    def _refused(self, text: str, now: float) -> list[Instruction]:
        telling = self._telling
        if telling is None or not telling.times:
            return []
        telling.answer = text
        return self._end(telling, "refused", now, answered=True) + self._fails(text) + self._go_on(now)

    def _tick(self, now: float) -> list[Instruction]:
        done: list[Instruction] = []
        if self._released is not None and now >= self._released[1]:
            done += self._fall()
        done += self._go_on(now)
        if self._connected and now - self._beat_at >= self._beat_s:
            self._beat, self._beat_at = not self._beat, now
            done.append(Beat(self._beat))
        return done

    # --- what is said --------------------------------------------------------------------------------------------

    def _go_on(self, now: float) -> list[Instruction]:
        """Give up what is of no more use, and say the next, or the same again when it is time."""
        done: list[Instruction] = []
        while True:
            telling = self._telling
            if telling is None:
                if not self._waiting:
                    return done
                _, due = self._waiting.popitem(last=False)
                telling = self._telling = _Telling(due, pause_s=self._again_s)
            if self._says_late or not self._is_late(telling.due, now):
                break
            tried = telling.times > 0 or telling.clears
            outcome: Outcome = "unacknowledged" if tried else "late"
            done += self._end(telling, outcome, now, answered=False)
            if tried and self._connected:
                done += self._fails("a verdict was not acknowledged in time")
        if self._connected and now >= max(telling.again_at, self._held_until):
            done += self._say(telling, now)
        return done

    def _say(self, telling: _Telling, now: float) -> list[Instruction]:
        if not telling.times and self._echo == telling.due.plate:
            telling.clears, telling.again_at = True, now + self._again_s
            return [*self._fall(), Clear()]
        telling.times += 1
        telling.said_at = now if telling.said_at is None else telling.said_at
        telling.again_at = now + telling.pause_s
        if self._says_late:
            telling.pause_s = min(2 * telling.pause_s, _LONGEST_PAUSE_S)
        divert = telling.due.verdict is not Verdict.OK or self._is_late(telling.due, now)
        return [*self._fall(), Say(telling.due, divert, telling.times)]

    def _end(self, telling: _Telling, outcome: Outcome, now: float, *, answered: bool) -> list[Instruction]:
        told = VerdictTold(
            plate=telling.due.plate,
            outcome=outcome,
            divert=outcome != "acknowledged" or telling.due.verdict is not Verdict.OK,
            times=telling.times,
            said_at=telling.said_at,
            answered_at=now if answered else None,
            answer=telling.answer,
        )
        self._telling = None
        self._told[told.plate] = told
        if len(self._told) > _REMEMBERED:
            self._told.popitem(last=False)
        return [told]

    def _fall(self) -> list[Instruction]:
        """Nothing is released from now on."""
        if self._released is None:
            return []
        self._released = None
        return [Release(None)]

    def _useless_at(self, due: VerdictDue) -> float:
        """When an OK of that plate releases it no more; long ago where nobody knows when it was committed."""
        if due.committed_at is None:
            return float("-inf")
        return due.committed_at - (due.latency_s or 0.0) + self._deadline_s

    def _is_late(self, due: VerdictDue, now: float) -> bool:
        return now >= self._useless_at(due)

    def _fails(self, text: str) -> list[Instruction]:
        if self._failing == text:
            return []
        self._failing = text
        return [OutputFailing(self.name, text)]

    def _works(self) -> list[Instruction]:
        if not self._failing:
            return []
        self._failing = ""
        return [OutputWorks(self.name)]
