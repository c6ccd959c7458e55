"""The windows of one plate as the tile stage knows them. A part of the window ledger, without I/O."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from config.schema import Windows
from models.detector.swaths import rows_seen
from stages.events import Place, PlateClosed, PlateOpened
from stages.leases import InFlight
from stages.plate import window_columns, window_rows

MOST_LEASES_OF_A_WINDOW = 2


@dataclass(slots=True)
class PlateWindows:
    """What is known of a plate that is not final, and where each of its windows stands."""

    plate: int
    place: Place | None = None
    rows: int = 0
    opened: PlateOpened | None = None
    seen: bool = False
    closed: PlateClosed | None = None
    bands: int = 0
    """Rows of windows that have been put into `waiting`."""
    waiting: list[int] = field(default_factory=list)
    """Heap of windows to lease."""
    leases: dict[int, list[int]] = field(default_factory=dict)
    """Leases of each window that some worker still has, or whose result the merger does not have."""
    merged: set[int] = field(default_factory=set)
    quarantined: set[int] = field(default_factory=set)

    def wait(self, windows: Iterable[int]) -> None:
        """Put windows into `waiting`."""
        for window in windows:
            heapq.heappush(self.waiting, window)

    def add_bands(self, windows: Windows) -> None:
        """Put the windows of every band into `waiting` whose rows, and those that are seen below them, are final."""
        if self.place is None:
            return
        complete = self.bands
        if self.closed is not None:
            complete = window_rows(self.rows, windows)
        else:
            while rows_seen(complete * windows.stride, windows.size)[1] <= self.rows:
                complete += 1
        across = window_columns(self.place.columns, windows)
        self.wait(range(self.bands * across, complete * across))
        self.bands = max(self.bands, complete)

    def forget_merged(self) -> None:
        """What was merged waits again, for the merger that had it is no more."""
        self.wait(self.merged.difference(self.waiting))
        self.merged = set()

    def offer_again(self, windows: Iterable[int]) -> None:
        """Let others have windows, too, that one worker is late with."""
        for window in windows:
            if window in self.merged or window in self.waiting:
                continue
            if len(self.leases.get(window, ())) < MOST_LEASES_OF_A_WINDOW:
                self.wait([window])

    def drop_lease(self, flight: InFlight) -> list[int]:
        """Take a lease from its windows; those that have none now."""
        left = []
        for window in flight.windows:
            if flight.lease not in self.leases.get(window, ()):
                continue
            self.leases[window].remove(flight.lease)
            if not self.leases[window]:
                del self.leases[window]
                left.append(window)
        return left

    def validate(self, windows: Windows, flights: Mapping[int, InFlight]) -> None:
        """Check what always holds between two events.

        Args:
            windows: how they lie on a plate.
            flights: all leases in flight, by their number.

        Raises:
            AssertionError: it does not.
        """
        across = 0 if self.place is None else window_columns(self.place.columns, windows)
        there = self.bands * across
        assert there == 0 or self.opened is not None, f"plate {self.plate} has windows, and was not opened"
        waiting = set(self.waiting)
        assert len(waiting) == len(self.waiting), f"plate {self.plate}: a window waits twice"
        for window in range(there):
            states = (window in waiting, window in self.leases, window in self.merged, window in self.quarantined)
            assert any(states), f"plate {self.plate}: window {window} is lost"
        for window, leases in self.leases.items():
            assert 0 < len(leases) <= MOST_LEASES_OF_A_WINDOW, f"plate {self.plate}: window {window} has {leases}"
            workers = {flights[lease].worker for lease in leases}
            assert len(workers) == len(leases), f"plate {self.plate}: window {window} is twice with one worker"
            assert all(window in flights[lease].windows for lease in leases)
