"""The recorder: which write comes next, what may be confirmed, and what a store that fails means for a verdict.

It does no I/O itself: events in, instructions out. One write is under way at a time and they keep their order. While
the store cannot commit, verdicts wait here; one that waited longer than the limit is no longer given as OK. A plate
is what the supervisor says that the switch saw, so a verdict comes after the sight of its plate: what acquisition still
opens after a stop is none.

| a write is | from | until |
|---|---|---|
| unseen | PlateDecided of a plate of which no PlateSeen has come: DecidedUnseen | PlateSeen, or SeenStored |
| waiting | PlateSeen, PlateDecided | it is the first, none is under way, and the pause after a failure is over |
| under way | CommitSeen, CommitVerdict | StoreSucceeded, or StoreFailed: then it waits again |
| committed | StoreSucceeded, as SeenCommitted or PlateFinal | |
| refused | the store fails at this record alone: it is tried again bare, and then with the verdict alone | committed |
| lost | that was refused too, or that the plate was seen: RecordLost, told as INCONCLUSIVE | |
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal, assert_never

from msgspec import structs

from stages.events import (
    DecidedUnseen,
    PlateDecided,
    PlateFinal,
    PlateSeen,
    SayAgain,
    SeenCommitted,
    StoreFailing,
    StoreWorks,
)
from stages.plate import Verdict
from stages.plc import Part
from stages.weaker_results import bare, least, without_ok

StoreFailure = Literal["full", "locked", "broken", "refused"]
"""Why a write failed: "refused" concerns the one record, the others the store."""
Failing = Literal["full", "locked", "broken"]
"""How the store fails."""


# --- what only the record process says and does ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StoreSucceeded:
    """The write that was asked for last is committed."""

    write: int


@dataclass(frozen=True, slots=True)
class StoreFailed:
    """The write that was asked for last is not committed."""

    write: int
    kind: StoreFailure
    text: str


@dataclass(frozen=True, slots=True)
class StoreNotOpened:
    """At the start the store could not be opened; the first write tries it again."""

    kind: StoreFailure
    text: str


@dataclass(frozen=True, slots=True)
class SeenStored:
    """The store has the plate already, of this run: that it was seen need not be said again."""

    plate: int


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed; comes every round, for a failed write is tried again at the first one after its pause."""


@dataclass(frozen=True, slots=True)
class CommitSeen:
    """Commit that the plate was seen, and report the outcome under this number."""

    write: int
    plate: int
    image: str | None = None
    """Name of the image file that a replay shows."""
    recipe: int = 1
    """Number of its recipe."""
    part: Part | None = None
    """What the PLC said of it; None where none is asked."""
    camera: str | None = None
    """Serial number of the camera that sees it, as far as the camera knows one."""


@dataclass(frozen=True, slots=True)
class CommitVerdict:
    """Commit the verdict and its defects in one transaction, and report the outcome under this number.

    A plate that has a verdict in the store keeps it, and that counts as success.
    """

    write: int
    decided: PlateDecided
    event: str | None = None
    """Text of an event to be stored with it, where the store's failure left a trace."""

    @property
    def plate(self) -> int:
        """Number of the plate."""
        return self.decided.result.plate


@dataclass(frozen=True, slots=True)
class Refuse:
    """Too much waits already: forget what was said of this plate; its sender is asked for it again."""

    plate: int


@dataclass(frozen=True, slots=True)
class RecordRefused:
    """The store took the plate's record not as it was; what is left of it is tried next, or nothing."""

    plate: int
    text: str


@dataclass(frozen=True, slots=True)
class RecordLost:
    """The store takes nothing of this plate: it is INCONCLUSIVE for all who wait, and nothing more is tried."""

    plate: int
    reached: Verdict | None
    """The verdict that is lost; None where it was that the plate was seen."""


_MOST_REFUSALS = 2

Event = PlateSeen | PlateDecided | SeenStored | StoreNotOpened | StoreSucceeded | StoreFailed | Tick
Instruction = (
    CommitSeen
    | CommitVerdict
    | SeenCommitted
    | PlateFinal
    | DecidedUnseen
    | Refuse
    | RecordRefused
    | RecordLost
    | SayAgain
    | StoreFailing
    | StoreWorks
)


@dataclass(slots=True)
class _TurnedAway:
    """The plates of which something could not be taken lie between these, and wait since then."""

    lowest: int
    highest: int
    since: float


@dataclass(slots=True)
class _Waiting:
    """A write that is not yet committed."""

    plate: int
    decided: PlateDecided | None
    """None: only that the plate was seen."""
    since: float
    image: str | None = None
    """Of a plate that was seen; likewise the number of its recipe, the part, and the camera."""
    recipe: int = 1
    part: Part | None = None
    camera: str | None = None
    refusals: int = 0
    """After the first, `decided` is bare; after the second, the verdict alone."""


class Recorder:
    """Turns what happens to plates into writes, in order, each until it is committed.

    Args:
        limit_s: a verdict, or the sight of a plate, that could not be committed for longer than this makes an OK
            plate INCONCLUSIVE (store failed). NG stays NG. A verdict's wait ends when the write that succeeds begins.
        first_retry_s: pause after a failed write; doubles up to `last_retry_s`.
        last_retry_s: longest pause between two tries.
        most_waiting: writes that may wait; what comes beyond is refused, and asked for again when none waits.
    """

    def __init__(
        self,
        limit_s: float = 10.0,
        first_retry_s: float = 0.1,
        last_retry_s: float = 1.0,
        most_waiting: int = 4096,
    ) -> None:
        self._limit_s = limit_s
        self._first_retry_s = first_retry_s
        self._last_retry_s = last_retry_s
        self._most_waiting = most_waiting
        self._queue: deque[_Waiting] = deque()
        self._writes = 0
        self._under_way: int | None = None
        self._seen: set[int] = set()
        """Plates of which the sight is said or stored, until their verdict is committed."""
        self._unseen: dict[int, PlateDecided] = {}
        """Verdicts on plates of which the sight was not said yet; each waits for it."""
        self._unseen_forgotten = False
        self._overdue: set[int] = set()
        """Plates whose sight was committed too late; each leaves with its verdict."""
        self._turned_away: _TurnedAway | None = None
        self._ask_again = False
        self._failing: Failing | None = None
        self._failing_since = 0.0
        self._retry_s = first_retry_s
        self._retry_at = 0.0

    @property
    def waiting(self) -> int:
        """Writes that are not committed yet."""
        return len(self._queue)

    @property
    def failing(self) -> Failing | None:
        """How the store fails at present; None while it works."""
        return self._failing

    def handle(self, event: Event, now: float) -> list[Instruction]:
        """Take an event at the monotonic time `now`, s; give what is to be done, in order."""
        match event:
            case PlateSeen() | SeenStored():
                return self._saw(event, now)
            case PlateDecided():
                return self._decided(event, now)
            case StoreNotOpened(kind, text):
                return self._fails("broken" if kind == "refused" else kind, text, now)
            case StoreSucceeded() | StoreFailed():
                return self._answered(event, now) if event.write == self._under_way else []
            case Tick():
                return self._next(now)
        assert_never(event)

    def validate(self) -> None:
        """Check what always holds between two events.

        Raises:
            AssertionError: it does not.
        """
        assert self._under_way is None or self._queue, "a write is under way that nobody asked for"
        assert len(self._queue) <= self._most_waiting, "more waits than may"
        kinds = [(one.plate, one.decided is None) for one in self._queue]
        assert len(set(kinds)) == len(kinds), "the same waits twice"
        decided = [one.plate for one in self._queue if one.decided is not None]
        assert self._seen.issuperset(decided), "a verdict on a plate that nobody saw"
        assert not self._seen & self._unseen.keys(), "a verdict waits for a sight that was said"
        assert self._turned_away is None or self._turned_away.lowest <= self._turned_away.highest

    def _saw(self, said: PlateSeen | SeenStored, now: float) -> list[Instruction]:
        plate = said.plate
        done: list[Instruction] = []
        if isinstance(said, PlateSeen):
            since = self._since(plate, now)
            new = _Waiting(plate, None, since, said.image, said.recipe, said.part, said.camera)
            done = self._accept(new, now)
            if done == [Refuse(plate)]:
                return done
        self._seen.add(plate)
        if self._unseen_forgotten:
            self._unseen_forgotten, self._ask_again = False, True
        decided = self._unseen.pop(plate, None)
        # It has waited for no store, so its time begins now.
        return done if decided is None else done + self._accept(_Waiting(plate, decided, now), now)

    def _decided(self, decided: PlateDecided, now: float) -> list[Instruction]:
        plate = decided.result.plate
        if plate in self._seen:
            return self._accept(_Waiting(plate, decided, self._since(plate, now)), now)
        # Nobody has said that the switch saw it: perhaps not yet, and after a stop never.
        if plate in self._unseen:
            return []
        if len(self._unseen) >= self._most_waiting:
            self._unseen_forgotten = True
            return [Refuse(plate)]
        self._unseen[plate] = decided
        return [DecidedUnseen(plate)]

    def _accept(self, new: _Waiting, now: float) -> list[Instruction]:
        for waiting in self._queue:
            if waiting.plate == new.plate and (waiting.decided is None) == (new.decided is None):
                return []  # the first counts, and is confirmed once it is committed
        if len(self._queue) >= self._most_waiting:
            return self._turn_away(new.plate, now)
        self._queue.append(new)
        return self._next(now)

    def _turn_away(self, plate: int, now: float) -> list[Instruction]:
        away = self._turned_away
        if away is None or (plate > away.highest and not self._ask_again):
            self._turned_away = _TurnedAway(plate, plate, now)
        else:
            away.lowest, away.highest = min(away.lowest, plate), max(away.highest, plate)
        self._ask_again = True
        return [Refuse(plate)]

    def _since(self, plate: int, now: float) -> float:
        """Since when what is said of the plate waits: what was refused has waited from then on."""
        away = self._turned_away
        return away.since if away is not None and away.lowest <= plate <= away.highest else now

    def _next(self, now: float) -> list[Instruction]:
        """The next write, unless one is under way or the pause after a failure is not over."""
        if not self._queue or self._under_way is not None:
            return []
        if self._failing is not None and now < self._retry_at:
            return []
        head = self._queue[0]
        self._writes += 1
        self._under_way = self._writes
        if head.decided is None:
            return [CommitSeen(self._writes, head.plate, head.image, head.recipe, head.part, head.camera)]
        return [self._verdict(self._writes, head, head.decided, now)]

    def _verdict(self, write: int, head: _Waiting, decided: PlateDecided, now: float) -> CommitVerdict:
        waited = now - head.since
        if waited <= self._limit_s and head.plate not in self._overdue and not head.refusals:
            return CommitVerdict(write, decided)
        if head.refusals:
            text = "the store refused the result as it was; its defects and measured values are left out"
        elif head.plate in self._overdue:
            text = f"that the plate was seen could not be stored for more than {self._limit_s:g} s"
        else:
            text = f"the verdict could not be stored for {waited:.1f} s (limit {self._limit_s:g} s)"
        weaker = structs.replace(decided, result=without_ok(decided.result, text))
        return CommitVerdict(write, weaker, event=f"verdict reached: {decided.result.verdict}; {text}")

    def _answered(self, answer: StoreSucceeded | StoreFailed, now: float) -> list[Instruction]:
        if isinstance(answer, StoreSucceeded):
            return self._succeeded(now)
        return self._failed(answer.kind, answer.text, now)

    def _succeeded(self, now: float) -> list[Instruction]:
        head = self._queue.popleft()
        self._under_way = None
        done: list[Instruction] = []
        if self._failing is not None:
            done.append(StoreWorks(f"the result store works again after {now - self._failing_since:.1f} s"))
            self._failing, self._retry_s = None, self._first_retry_s
        if head.decided is None:
            if now - head.since > self._limit_s:
                self._overdue.add(head.plate)
            done.append(SeenCommitted(head.plate))
        else:
            self._overdue.discard(head.plate)
            self._seen.discard(head.plate)
            done.append(PlateFinal(head.plate))
        return done + self._go_on(now)

    def _go_on(self, now: float) -> list[Instruction]:
        """The next write; when there is none, ask for what was refused."""
        if self._queue or not self._ask_again:
            return self._next(now)
        self._ask_again = False
        return [SayAgain()]

    def _failed(self, kind: StoreFailure, text: str, now: float) -> list[Instruction]:
        self._under_way = None
        if kind == "refused":
            return [RecordRefused(self._queue[0].plate, text), *self._refused(now)]
        return self._fails(kind, text, now)

    def _fails(self, kind: Failing, text: str, now: float) -> list[Instruction]:
        """The store fails: a pause until the next write."""
        if self._failing is None:
            self._failing_since = now
        is_news, self._failing = kind != self._failing, kind
        self._retry_at = now + self._retry_s
        self._retry_s = min(2 * self._retry_s, self._last_retry_s)
        return [StoreFailing(kind, text)] if is_news else []

    def _refused(self, now: float) -> list[Instruction]:
        """A record that does not fit must not keep those behind it: try what is left of it, then go on without."""
        head = self._queue[0]
        head.refusals += 1
        if head.decided is not None and head.refusals <= _MOST_REFUSALS:
            less = bare if head.refusals == 1 else least
            head.decided = structs.replace(head.decided, result=less(head.decided.result))
            return self._go_on(now)
        plate, reached = head.plate, None if head.decided is None else head.decided.result.verdict
        self._queue = deque(waiting for waiting in self._queue if waiting.plate != plate)
        self._unseen.pop(plate, None)
        self._seen.discard(plate)
        self._overdue.discard(plate)
        return [RecordLost(plate, reached), *self._go_on(now)]
