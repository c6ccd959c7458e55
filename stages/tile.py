"""The window ledger: which windows of which plates are waiting, leased to a worker, or merged.

A state machine without I/O. It learns of plates from acquisition, of committed sightings and final verdicts from
record, of workers and of merged windows; it answers with leases. A window is leased as soon as its rows are there,
the oldest plate first, and again when its worker dies, hangs or when the merger that had acknowledged it is gone.
A plate leaves the ledger only when its verdict is committed.
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from config.schema import Lease as LeaseSettings
from config.schema import Windows
from models.detector.halo import HALO
from stages.plate import Cause, Window, window_at, window_columns, window_rows

SUSPECT_DEATHS = 2
MOST_LEASES_OF_A_WINDOW = 2
_RECENT_LEASES = 200

# --- events ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Seen:
    """The sighting of the plate is committed; its windows may be leased."""

    plate: int


@dataclass(frozen=True, slots=True)
class Opened:
    """Acquisition has begun a plate; `slot` is None when it has no pixels."""

    plate: int
    slot: int | None
    generation: int
    columns: int


@dataclass(frozen=True, slots=True)
class Rows:
    """So many rows of the plate are final."""

    plate: int
    rows: int


@dataclass(frozen=True, slots=True)
class Closed:
    """The plate has ended."""

    plate: int
    slot: int | None
    rows: int
    columns: int
    causes: tuple[Cause, ...]
    missing: int
    last_row_at: float | None = None


@dataclass(frozen=True, slots=True)
class AcquisitionAt:
    """Plates before this one have been opened by acquisition, or never will be."""

    next_plate: int


@dataclass(frozen=True, slots=True)
class Ready:
    """A worker holds at most so many windows (absolute); `finished` is the last lease it has done with."""

    worker: str
    credits: int
    finished: int | None = None


@dataclass(frozen=True, slots=True)
class Gone:
    """A worker is no more, or is a new incarnation; the windows it was on are blamed when it died by itself."""

    worker: str
    blamed: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Merged:
    """The merger has these windows."""

    plate: int
    windows: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Final:
    """The plate's verdict is committed."""

    plate: int


@dataclass(frozen=True, slots=True)
class MergerRestarted:
    """The merger is a new one and knows of nothing that is not final."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


Event = Seen | Opened | Rows | Closed | AcquisitionAt | Ready | Gone | Merged | Final | MergerRestarted | Tick

# --- instructions ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Lease:
    """Send these windows of the plate to the worker."""

    worker: str
    lease: int
    plate: int
    slot: int
    generation: int
    columns: int
    rows: int
    closed: bool
    windows: tuple[Window, ...]


@dataclass(frozen=True, slots=True)
class Announce:
    """Tell the merger that the plate is open."""

    plate: int
    columns: int


@dataclass(frozen=True, slots=True)
class Conclude:
    """Tell the merger that the plate has ended."""

    closed: Closed


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Tell the merger that the window will not be scored."""

    plate: int
    window: int


@dataclass(frozen=True, slots=True)
class LetGo:
    """Clear this stage's hold on the slot."""

    slot: int
    generation: int


Instruction = Lease | Announce | Conclude | Quarantine | LetGo

# --- state -----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Plate:
    plate: int
    slot: int | None = None
    generation: int = 0
    columns: int = 0
    rows: int = 0
    opened: bool = False
    seen: bool = False
    closed: Closed | None = None
    bands: int = 0
    """Rows of windows that have been put into `waiting`."""
    waiting: list[int] = field(default_factory=list)
    """Heap of windows to lease."""
    leases: dict[int, list[int]] = field(default_factory=dict)
    """Leases of each window that some worker still has, or whose result the merger does not have."""
    merged: set[int] = field(default_factory=set)
    quarantined: set[int] = field(default_factory=set)


@dataclass(slots=True)
class _InFlight:
    worker: str
    plate: int
    windows: tuple[int, ...]
    start: float
    deadline: float


@dataclass(slots=True)
class _Worker:
    credits: int = 0
    queue: deque[int] = field(default_factory=deque)
    """Its leases, in the order in which it does them."""
    stuck: bool = False
    """The first of them is overdue: it gets no more until it finishes one."""


class WindowLedger:
    """The state of the tile stage. `handle(event, now)` takes an event and returns what to do, in order."""

    def __init__(self, windows: Windows, batch: int, lease: LeaseSettings) -> None:
        self.counters: Counter[str] = Counter()
        self._windows = windows
        self._batch = batch
        self._settings = lease
        self._plates: dict[int, _Plate] = {}
        self._final_before: set[int] = set()
        self._acquisition_at = 0
        self._workers: dict[str, _Worker] = {}
        self._in_flight: dict[int, _InFlight] = {}
        self._next_lease = 1
        self._deaths: Counter[tuple[int, int]] = Counter()
        self._durations: deque[float] = deque(maxlen=_RECENT_LEASES)

    @property
    def plates(self) -> tuple[int, ...]:
        """Plates that are not final, the oldest first."""
        return tuple(sorted(self._plates))

    @property
    def windows_waiting(self) -> int:
        """Windows whose rows are there and that no worker has."""
        return sum(len(plate.waiting) for plate in self._plates.values())

    @property
    def windows_leased(self) -> int:
        """Windows that some worker has."""
        return sum(len(plate.leases.keys() - plate.merged) for plate in self._plates.values())

    def handle(self, event: Event, now: float) -> list[Instruction]:
        """Take an event at a monotonic time, s; returns what to do."""
        done: list[Instruction] = []
        match event:
            case Seen(plate):
                if plate not in self._final_before:
                    self._plate(plate).seen = True
                    done += self._close_unheard()
            case Opened():
                done += self._opened(event)
            case Rows(plate, rows):
                known = self._plates.get(plate)
                if known is not None and known.opened and rows > known.rows:
                    known.rows = rows
                    self._add_bands(known)
            case Closed():
                done += self._closed(event)
            case AcquisitionAt(next_plate):
                self._acquisition_at = max(self._acquisition_at, next_plate)
                done += self._close_unheard()
            case Ready():
                self._ready(event, now)
            case Gone(worker, blamed):
                done += self._gone(worker, blamed)
            case Merged(plate, windows):
                self._merged(plate, windows)
            case Final(plate):
                done += self._final(plate)
            case MergerRestarted():
                done += self._merger_restarted()
            case Tick():
                done += self._overdue(now)
        return done + self._leases(now)

    # --- plates ----------------------------------------------------------------------------------------------

    def _plate(self, plate: int) -> _Plate:
        if plate not in self._plates:
            self._plates[plate] = _Plate(plate)
        return self._plates[plate]

    def _opened(self, event: Opened) -> list[Instruction]:
        if event.plate in self._final_before:
            self.counters["plate final"] += 1
            return [] if event.slot is None else [LetGo(event.slot, event.generation)]
        known = self._plate(event.plate)
        if known.opened:
            return []
        known.opened = True
        known.slot, known.generation, known.columns = event.slot, event.generation, event.columns
        return [Announce(known.plate, known.columns)]

    def _closed(self, event: Closed) -> list[Instruction]:
        if event.plate in self._final_before:
            return []
        known = self._plate(event.plate)
        if known.closed is not None:
            return []
        known.closed = event
        known.rows = event.rows
        self._add_bands(known)
        return [Conclude(event)]

    def _close_unheard(self) -> list[Instruction]:
        """Close plates that the switch saw and that acquisition, being past them, never opened or gave no slot."""
        done: list[Instruction] = []
        for known in self._plates.values():
            if known.seen and known.slot is None and known.closed is None and known.plate < self._acquisition_at:
                self.counters["plates without rows"] += 1
                cause = Cause.ACQUISITION_DIED if known.opened else Cause.NO_ROWS
                done += self._closed(Closed(known.plate, None, 0, 0, (cause,), 0))
        return done

    def _final(self, plate: int) -> list[Instruction]:
        known = self._plates.pop(plate, None)
        if known is not None and known.opened and known.closed is None:
            # Its verdict came before its end (a deadline, an abort): acquisition still fills the slot, and frees it.
            self.counters["final before closed"] += 1
        self._final_before.add(plate)
        if len(self._final_before) > 10_000:
            self._final_before = set(sorted(self._final_before)[-5_000:])
        for window in [key for key in self._deaths if key[0] == plate]:
            del self._deaths[window]
        if known is None or known.slot is None:
            return []
        return [LetGo(known.slot, known.generation)]

    def _merger_restarted(self) -> list[Instruction]:
        # What workers are done with and the old merger had not said it has, it may never have had.
        done = self._drop_finished(lambda _flight: True)
        for plate in self.plates:
            known = self._plates[plate]
            if known.opened:
                done.append(Announce(plate, known.columns))
            done += [Quarantine(plate, window) for window in sorted(known.quarantined)]
            if known.closed is not None:
                done.append(Conclude(known.closed))
            for window in known.merged.difference(known.waiting):
                heapq.heappush(known.waiting, window)
            known.merged = set()
        return done

    # --- windows ---------------------------------------------------------------------------------------------

    def _add_bands(self, known: _Plate) -> None:
        """Put the windows of every band into `waiting` whose rows, and those that are seen below them, are final."""
        if known.slot is None:
            return
        size, stride = self._windows.size, self._windows.stride
        below = known.rows - size - HALO
        complete = below // stride + 1 if below >= 0 else 0
        if known.closed is not None:
            complete = window_rows(known.rows, self._windows)
        across = window_columns(known.columns, self._windows)
        for index in range(known.bands * across, complete * across):
            heapq.heappush(known.waiting, index)
        known.bands = max(known.bands, complete)

    def _merged(self, plate: int, windows: tuple[int, ...]) -> None:
        known = self._plates.get(plate)
        if known is not None:
            known.merged.update(windows)

    def _wait_again(self, plate: int, window: int) -> Quarantine | None:
        """Put a window that lost a lease back, or into quarantine when it kills its workers."""
        known = self._plates.get(plate)
        if known is None or window in known.merged or window in known.quarantined or window in known.waiting:
            return None
        if self._deaths[plate, window] > SUSPECT_DEATHS:
            known.quarantined.add(window)
            self.counters["windows quarantined"] += 1
            return Quarantine(plate, window)
        self.counters["windows leased again"] += 1
        heapq.heappush(known.waiting, window)
        return None

    # --- workers ---------------------------------------------------------------------------------------------

    def _ready(self, event: Ready, now: float) -> None:
        worker = self._workers.setdefault(event.worker, _Worker())
        if event.finished is not None and event.finished in worker.queue:
            # A worker does its leases in order: those before the finished one are done with, too.
            while worker.queue:
                number = worker.queue.popleft()
                flight = self._in_flight[number]
                if number == event.finished:
                    self._durations.append(now - flight.start)
                    break
            worker.stuck = False
            if worker.queue:
                following = self._in_flight[worker.queue[0]]
                following.start, following.deadline = now, now + self._patience()
        worker.credits = max(0, event.credits - self._batch * len(worker.queue))

    def _gone(self, worker: str, blamed: tuple[tuple[int, int], ...]) -> list[Instruction]:
        self._workers.pop(worker, None)
        lost = [number for number, flight in self._in_flight.items() if flight.worker == worker]
        held = {(self._in_flight[n].plate, window) for n in lost for window in self._in_flight[n].windows}
        for key in blamed:
            if key in held:
                self._deaths[key] += 1
        quarantined: list[Instruction] = []
        for number in lost:
            quarantined += self._drop_lease(number)
        return quarantined

    def _drop_lease(self, number: int) -> list[Instruction]:
        flight = self._in_flight.pop(number)
        quarantined: list[Instruction] = []
        known = self._plates.get(flight.plate)
        for window in flight.windows:
            if known is None or number not in known.leases.get(window, ()):
                continue
            known.leases[window].remove(number)
            if not known.leases[window]:
                del known.leases[window]
                found = self._wait_again(flight.plate, window)
                if found is not None:
                    quarantined.append(found)
        return quarantined

    def _patience(self) -> float:
        if not self._durations:
            # Nothing has been measured yet: the first lease pays for a worker's warming up.
            return self._settings.least_s * 4
        recent = float(np.quantile(np.array(self._durations), 0.99))
        return max(self._settings.least_s, self._settings.factor * recent)

    def _overdue(self, now: float) -> list[Instruction]:
        """Offer the windows of a worker that is late to another; lease again those whose results never came."""
        for worker in self._workers.values():
            if not worker.queue or worker.stuck or now < self._in_flight[worker.queue[0]].deadline:
                continue
            worker.stuck = True
            self.counters["leases overdue"] += 1
            for number in worker.queue:
                self._offer_again(self._in_flight[number])
        # The worker is done with it, but the merger never had (all of) it.
        return self._drop_finished(lambda flight: now >= flight.deadline)

    def _drop_finished(self, which: Callable[[_InFlight], bool]) -> list[Instruction]:
        """Drop leases that their workers are done with; their windows wait again unless they are merged."""
        numbers = [n for n, flight in self._in_flight.items() if which(flight) and not self._is_working(n, flight)]
        return [found for number in numbers for found in self._drop_lease(number)]

    def _offer_again(self, flight: _InFlight) -> None:
        known = self._plates.get(flight.plate)
        for window in flight.windows:
            if known is None or window in known.merged or window in known.waiting:
                continue
            if len(known.leases.get(window, ())) < MOST_LEASES_OF_A_WINDOW:
                heapq.heappush(known.waiting, window)

    def _is_working(self, number: int, flight: _InFlight) -> bool:
        worker = self._workers.get(flight.worker)
        return worker is not None and number in worker.queue

    def _leases(self, now: float) -> list[Instruction]:
        for number in [n for n, flight in self._in_flight.items() if self._is_done(n, flight)]:
            self._drop_lease(number)
        done: list[Instruction] = []
        for plate in self.plates:
            known = self._plates[plate]
            while known.seen and known.slot is not None and known.waiting:
                able = [n for n, state in self._workers.items() if state.credits >= self._batch and not state.stuck]
                if not able:
                    return done
                worker = max(able, key=lambda name: self._workers[name].credits)
                windows = self._take(known, worker, self._batch)
                if not windows:
                    break
                done.append(self._lease(known, worker, windows, now))
        return done

    def _is_done(self, number: int, flight: _InFlight) -> bool:
        if self._is_working(number, flight):
            return False
        known = self._plates.get(flight.plate)
        return known is None or known.merged.issuperset(flight.windows)

    def _take(self, known: _Plate, worker: str, most: int) -> tuple[int, ...]:
        """The next windows for the worker: none that it has already, and a suspect one alone."""
        taken: list[int] = []
        kept: list[int] = []
        while known.waiting and len(taken) < most:
            window = heapq.heappop(known.waiting)
            if window in known.merged or window in known.quarantined:
                continue
            leases = known.leases.get(window, ())
            if len(leases) >= MOST_LEASES_OF_A_WINDOW or any(self._in_flight[n].worker == worker for n in leases):
                kept.append(window)
                continue
            if self._deaths[known.plate, window] >= SUSPECT_DEATHS:
                if taken:
                    kept.append(window)
                    break
                taken.append(window)
                break
            taken.append(window)
        for window in kept:
            heapq.heappush(known.waiting, window)
        return tuple(taken)

    def _lease(self, known: _Plate, worker: str, windows: tuple[int, ...], now: float) -> Lease:
        number = self._next_lease
        self._next_lease += 1
        state = self._workers[worker]
        # A batch is padded to its size, so that part of one takes as long as a whole one.
        state.credits -= self._batch
        state.queue.append(number)
        self._in_flight[number] = _InFlight(worker, known.plate, windows, now, now + self._patience())
        for window in windows:
            known.leases.setdefault(window, []).append(number)
        self.counters["windows leased"] += len(windows)
        assert known.slot is not None
        return Lease(
            worker=worker,
            lease=number,
            plate=known.plate,
            slot=known.slot,
            generation=known.generation,
            columns=known.columns,
            rows=known.rows,
            closed=known.closed is not None,
            windows=tuple(window_at(index, known.rows, known.columns, self._windows) for index in windows),
        )
