"""The window ledger: which windows of which plates are waiting, leased to a worker, or merged.

A state machine without I/O. It learns of plates from acquisition, of committed sightings and final verdicts from
record, of workers and of merged windows; it answers with leases. A window is leased as soon as its rows are there,
the oldest plate first, and again when its worker dies, hangs or when the merger that had acknowledged it is gone.
A plate leaves the ledger only when its verdict is committed.

| a window is | from | until |
|---|---|---|
| to come | its plate is opened | its band of rows is final |
| waiting | its rows are there; again when a lease is lost or overdue | a worker has room for it |
| leased | Lease, to two workers at most | it is merged; or its last lease is lost: its worker is gone, or lacks it |
| merged | WindowsMerged | its plate is final, or the merger is a new one: then it waits again |
| quarantined | a third worker died on it: WindowQuarantined | its plate is final |
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from config.schema import Lease as LeaseSettings
from config.schema import Windows
from models.detector.swaths import swath_of
from stages.events import (
    AcquisitionAt,
    Lease,
    Place,
    PlateClosed,
    PlateFinal,
    PlateOpened,
    RowsReady,
    SeenCommitted,
    WindowQuarantined,
    WindowsMerged,
    WorkerGone,
    WorkerReady,
)
from stages.leases import InFlight, Workers
from stages.plate import Cause, window_at, window_columns
from stages.plate_windows import MOST_LEASES_OF_A_WINDOW, PlateWindows
from stages.recipes import FIRST
from stages.story import Stories

SUSPECT_DEATHS = 2

# --- what only the tile process says and does ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MergerRestarted:
    """The merger is a new one and knows of nothing that is not final."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


@dataclass(frozen=True, slots=True)
class ReleaseSlot:
    """Clear this stage's hold on the slot."""

    plate: int
    place: Place


Event = (
    SeenCommitted
    | PlateOpened
    | RowsReady
    | PlateClosed
    | AcquisitionAt
    | WorkerReady
    | WorkerGone
    | WindowsMerged
    | PlateFinal
    | MergerRestarted
    | Tick
)
Instruction = Lease | PlateOpened | PlateClosed | WindowQuarantined | ReleaseSlot


class WindowLedger:
    """The state of the tile stage. `handle(event, now)` takes an event and returns what to do, in order."""

    def __init__(self, windows: Windows, most: int, lease: LeaseSettings, incarnation: int = 1) -> None:
        """`most` is how many windows a swath has at most (models/detector/swaths.py)."""
        self.counters: Counter[str] = Counter()
        self._cuts = {FIRST: (windows, most)}
        """How the plates of each recipe are cut: their windows, and the most of a swath."""
        self._plates: dict[int, PlateWindows] = {}
        self._final_before: set[int] = set()
        self._acquisition_at = 0
        self._workers = Workers(lease, incarnation)
        self._deaths: Counter[tuple[int, int]] = Counter()
        self._left: dict[int, tuple[int, set[tuple[int, int]]]] = {}
        """Of each worker whose process is gone before it was said how: its incarnation and what it had."""
        self._stories = Stories(self._plates)

    def add_recipe(self, number: int, windows: Windows, most: int) -> None:
        """Plates of that recipe are cut so; `most` is as above."""
        self._cuts[number] = (windows, most)

    def forget_recipe(self, number: int) -> None:
        """No plate of that recipe will come any more."""
        if number != FIRST and all(one.place is None or one.place.recipe != number for one in self._plates.values()):
            del self._cuts[number]

    @property
    def open_plates(self) -> tuple[int, ...]:
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
            case SeenCommitted(plate):
                if plate not in self._final_before:
                    self._plate(plate).seen = True
                    done += self._close_unheard()
            case PlateOpened():
                done += self._opened(event)
            case RowsReady(plate=plate, rows=rows):
                known = self._plates.get(plate)
                if known is not None and known.opened and rows > known.rows:
                    known.rows = rows
                    known.add_bands(self._windows_of(known.place))
            case PlateClosed():
                done += self._closed(event)
            case AcquisitionAt(next_plate):
                self._acquisition_at = max(self._acquisition_at, next_plate)
                done += self._close_unheard()
            case WorkerReady():
                done += self._ready(event, now)
            case WorkerGone():
                done += self._gone(event)
            case WindowsMerged(plate, windows):
                self._merged(plate, windows)
            case PlateFinal(plate):
                done += self._final(plate)
            case MergerRestarted():
                done += self._merger_restarted()
            case Tick():
                done += self._overdue(now)
        done += self._leases(now)
        self._stories.add(event, done)
        return done

    def last_row_at(self, plate: int) -> float | None:
        """Monotonic time when the last row of an open plate was delivered, s; None where that is not known."""
        known = self._plates.get(plate)
        return None if known is None or known.closed is None else known.closed.last_row_at

    def waits_for(self, plate: int) -> str:
        """What an open plate waits for here, in words; empty for any other."""
        known = self._plates.get(plate)
        if known is None:
            return ""
        if not known.seen:
            return "record, to commit that it was seen"
        if known.closed is None:
            return "acquisition, to say that it has ended"
        waiting = set(known.waiting) - known.merged - known.quarantined
        leased = known.leases.keys() - known.merged - waiting
        if waiting or leased:
            return f"workers: {len(waiting)} windows wait for one, {len(leased)} are with one"
        return "its verdict: every window is merged or given up"

    def story(self, plate: int) -> list[str]:
        """What was said of a plate that is not final, for people who ask why it hangs."""
        return self._stories.of(plate)

    # --- plates ----------------------------------------------------------------------------------------------

    def _plate(self, plate: int) -> PlateWindows:
        if plate not in self._plates:
            self._plates[plate] = PlateWindows(plate)
        return self._plates[plate]

    def _opened(self, event: PlateOpened) -> list[Instruction]:
        if event.plate in self._final_before:
            self.counters["plate final"] += 1
            return [] if event.place is None else [ReleaseSlot(event.plate, event.place)]
        known = self._plate(event.plate)
        if known.opened is not None:
            return []
        known.opened, known.place = event, event.place
        return [event]

    def _closed(self, event: PlateClosed) -> list[Instruction]:
        if event.plate in self._final_before:
            return []
        known = self._plate(event.plate)
        if known.closed is not None:
            return []
        known.closed = event
        known.rows = event.rows
        known.add_bands(self._windows_of(known.place))
        return [event]

    def _close_unheard(self) -> list[Instruction]:
        """Close plates that the switch saw and that acquisition, being past them, never opened or gave no slot."""
        done: list[Instruction] = []
        for known in self._plates.values():
            if known.seen and known.place is None and known.closed is None and known.plate < self._acquisition_at:
                self.counters["plates without rows"] += 1
                cause = Cause.ACQUISITION_DIED if known.opened else Cause.NO_ROWS
                done += self._closed(PlateClosed(known.plate, None, 0, (cause,)))
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
        if known is None or known.place is None:
            return []
        return [ReleaseSlot(plate, known.place)]

    def _merger_restarted(self) -> list[Instruction]:
        # What workers are done with and the old merger had not said it has, it may never have had.
        done = self._drop_finished(lambda _flight: True)
        for plate in self.open_plates:
            known = self._plates[plate]
            if known.opened is not None:
                done.append(known.opened)
            done += [WindowQuarantined(plate, window) for window in sorted(known.quarantined)]
            if known.closed is not None:
                done.append(known.closed)
            known.forget_merged()
        return done

    # --- windows ---------------------------------------------------------------------------------------------

    def _merged(self, plate: int, windows: tuple[int, ...]) -> None:
        known = self._plates.get(plate)
        if known is not None:
            known.merged.update(windows)

    def _wait_again(self, plate: int, window: int) -> WindowQuarantined | None:
        """Put a window that lost a lease back, or into quarantine when it kills its workers."""
        known = self._plates.get(plate)
        if known is None or window in known.merged or window in known.quarantined or window in known.waiting:
            return None
        if self._deaths[plate, window] > SUSPECT_DEATHS:
            known.quarantined.add(window)
            self.counters["windows quarantined"] += 1
            return WindowQuarantined(plate, window)
        self.counters["windows leased again"] += 1
        known.wait([window])
        return None

    # --- workers ---------------------------------------------------------------------------------------------

    def _ready(self, event: WorkerReady, now: float) -> list[Instruction]:
        done: list[Instruction] = []
        if 0 < self._workers.incarnation(event.worker) < event.incarnation:
            done += self._gone(WorkerGone(event.worker, event.incarnation - 1))
        lost = self._workers.ready(event, now)
        self.counters["leases lost"] += len(lost)
        return done + [found for flight in lost for found in self._drop_lease(flight)]

    def _gone(self, event: WorkerGone) -> list[Instruction]:
        known = self._workers.incarnation(event.worker)
        lost = self._workers.gone(event.worker, event.incarnation)
        held = {(flight.plate, window) for flight in lost for window in flight.windows}
        if lost:
            # Its successor may join before the supervisor says on which windows it died.
            self._left[event.worker] = known, held
        elif event.worker in self._left and self._left[event.worker][0] == event.incarnation:
            held = self._left[event.worker][1]
        if event.blamed:
            self._left.pop(event.worker, None)
        for key in event.blamed:
            if key in held and key[0] in self._plates:
                self._deaths[key] += 1
        return [found for flight in lost for found in self._drop_lease(flight)]

    def _drop_lease(self, flight: InFlight) -> list[Instruction]:
        self._workers.drop(flight)
        known = self._plates.get(flight.plate)
        left = known.drop_lease(flight) if known is not None else []
        quarantined = [self._wait_again(flight.plate, window) for window in left]
        return [found for found in quarantined if found is not None]

    def _overdue(self, now: float) -> list[Instruction]:
        """Offer the windows of a worker that is late to another; lease again those whose results never came."""
        for flights in self._workers.overdue(now):
            self.counters["leases overdue"] += 1
            for flight in flights:
                if flight.plate in self._plates:
                    self._plates[flight.plate].offer_again(flight.windows)
        # The worker is done with it, but the merger never had (all of) it.
        return self._drop_finished(lambda flight: now >= flight.deadline)

    def _drop_finished(self, which: Callable[[InFlight], bool]) -> list[Instruction]:
        """Drop leases that their workers are done with; their windows wait again unless they are merged."""
        return [found for flight in self._workers.finished(which) for found in self._drop_lease(flight)]

    def _leases(self, now: float) -> list[Instruction]:
        for flight in self._workers.finished(self._is_merged):
            self._drop_lease(flight)
        done: list[Instruction] = []
        for plate in self.open_plates:
            known = self._plates[plate]
            while known.seen and known.place is not None and known.waiting:
                worker = self._workers.able()
                if worker is None:
                    return done
                windows = self._take(known, known.place, worker)
                if not windows:
                    break
                done.append(self._lease(known, known.place, worker, windows, now))
        return done

    def _is_merged(self, flight: InFlight) -> bool:
        known = self._plates.get(flight.plate)
        return known is None or known.merged.issuperset(flight.windows)

    def _take(self, known: PlateWindows, place: Place, worker: int) -> tuple[int, ...]:
        """The next windows of one swath for the worker: none that it has already, suspect ones without the others."""
        taken: list[int] = []
        kept: list[int] = []
        swath, suspect = range(0), False
        while known.waiting and (not taken or known.waiting[0] in swath):
            window = heapq.heappop(known.waiting)
            if window in known.merged or window in known.quarantined:
                continue
            leases = known.leases.get(window, ())
            died = self._deaths[known.plate, window] >= SUSPECT_DEATHS
            has_it = any(self._workers.of(lease) == worker for lease in leases)
            if len(leases) >= MOST_LEASES_OF_A_WINDOW or has_it or (taken and died != suspect):
                kept.append(window)
                continue
            if not taken:
                swath, suspect = self._swath(window, place), died
            taken.append(window)
        known.wait(kept)
        return tuple(taken)

    def _windows_of(self, place: Place | None) -> Windows:
        """How windows lie on a plate; of one without a place, which has none, as on any."""
        return self._cuts[FIRST if place is None else place.recipe][0]

    def _swath(self, window: int, place: Place) -> range:
        """The windows that are computed with one."""
        windows, most = self._cuts[place.recipe]
        across = window_columns(place.columns, windows)
        row, column = divmod(window, across)
        columns = swath_of(column, across, most)
        return range(row * across + columns.start, row * across + columns.stop)

    def _lease(self, known: PlateWindows, place: Place, worker: int, windows: tuple[int, ...], now: float) -> Lease:
        number = self._workers.give(worker, known.plate, windows, now)
        for window in windows:
            known.leases.setdefault(window, []).append(number)
        self.counters["windows leased"] += len(windows)
        return Lease(
            lease=number,
            worker=worker,
            plate=known.plate,
            place=place,
            rows=known.rows,
            windows=tuple(window_at(index, known.rows, place.columns, self._windows_of(place)) for index in windows),
        )

    # --- for those who ask -----------------------------------------------------------------------------------

    def validate(self) -> None:
        """Check what always holds between two events.

        Raises:
            AssertionError: it does not.
        """
        self._workers.validate()
        flights = {flight.lease: flight for flight in self._workers.flights()}
        for plate, known in self._plates.items():
            assert plate == known.plate
            assert plate not in self._final_before, f"plate {plate} is final, and open"
            known.validate(self._windows_of(known.place), flights)
        assert all(plate in self._plates for plate, _ in self._deaths), "deaths are kept of a plate that is not open"
