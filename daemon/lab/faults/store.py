"""The result store and the pictures as plain objects, with the promises of the real ones (daemon/store/results.py)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from daemon.lab.faults.history import History
from daemon.lab.faults.world import Clock, World
from daemon.service.pictures import Written
from daemon.store.rows import Telling
from daemon.store.schema import StoreError
from daemon.wire.plate_memory import SlotFacts
from stages.events import PlateDecided, VerdictDue
from stages.plate import Cause, PlateResult, Verdict, without_windows
from stages.record import StoreFailure


@dataclass(slots=True)
class Row:
    """A plate as it is stored."""

    plate: int
    run: str
    image: str | None = None
    verdict: Verdict | None = None
    latency_s: float | None = None
    result: PlateResult | None = None
    told: dict[str, Telling] = field(default_factory=dict)


@dataclass(slots=True)
class Disk:
    """What outlives the processes, and how it fails just now."""

    world: World
    history: History
    rows: dict[int, Row] = field(default_factory=dict)
    failing: StoreFailure | None = None
    fails_until: float = 0.0
    written: bool = False
    """What fails is written all the same: only the answer is lost."""
    refuses: int = 0
    """So many of the next verdicts are not taken as they are."""
    slow_until: float = 0.0

    def use(self, *, write: bool) -> None:
        """Do what an access does. Raises StoreError."""
        if self.world.now < self.slow_until:
            self.world.running.sleep(self.world.some(0.05, 1.5))
        elif write:
            self.world.running.sleep(self.world.some(0.001, 0.004))
        if self.failing is not None and not self.fails_now:
            self.failing = None
        if self.failing is not None and not (write and self.written):
            raise StoreError(self.failing, "the disk of the simulation")

    @property
    def fails_now(self) -> bool:
        """Whether it does."""
        return self.world.now < self.fails_until

    def answer(self) -> None:
        """Say that a write is done. Raises StoreError where the answer is lost."""
        if self.failing is not None and self.fails_now:
            raise StoreError(self.failing, "written, and not answered")


class SimulatedStore:
    """What the record process opens."""

    def __init__(self, disk: Disk) -> None:
        self.disk = disk

    def close(self) -> None:
        """Nothing is kept open."""

    def begin_run(self, _facts: object, _kept: object = None) -> None:
        """The run has begun already."""
        self.disk.use(write=True)
        self.disk.answer()

    def settle(self) -> None:
        """There is one file."""

    def seen(self, run: str, plate: int, _at: object, image: str | None = None, *_more: object) -> None:
        """Commit that the switch saw a plate."""
        self.disk.use(write=True)
        row = self.disk.rows.setdefault(plate, Row(plate, run))
        row.image = row.image or image
        self.disk.answer()

    def commit_verdict(self, result: PlateResult, *, latency_s: float | None = None, **_more: object) -> bool:
        """Commit a verdict; False where there is one, which stays."""
        self.disk.use(write=True)
        if self.disk.refuses:
            self.disk.refuses -= 1
            raise StoreError("refused", "this result of the simulation")
        new = self._commit(result, latency_s)
        self.disk.answer()
        return new

    def _commit(self, result: PlateResult, latency_s: float | None) -> bool:
        row = self.disk.rows.setdefault(result.plate, Row(result.plate, result.run, result.image))
        if row.verdict is not None:
            return False
        row.verdict, row.latency_s, row.result = result.verdict, latency_s, result
        self.disk.history.verdicts.append((result.plate, result.verdict.value, result.rows))
        return True

    def close_open(self, run: str, cause: Cause) -> tuple[int, ...]:
        """Give the open plates INCONCLUSIVE for that cause."""
        self.disk.use(write=True)
        plates = [row.plate for row in self.disk.rows.values() if row.verdict is None]
        for plate in plates:
            self._commit(without_windows(run, plate, Verdict.INCONCLUSIVE, (cause,), cause.value), None)
        return tuple(sorted(plates))

    def set_pictures(self, _plate: int, _directory: Path) -> None:
        """There are none."""

    def open_plates(self, _run: str) -> tuple[int, ...]:
        """Plates without a verdict, oldest first."""
        self.disk.use(write=False)
        return tuple(sorted(row.plate for row in self.disk.rows.values() if row.verdict is None))

    def has(self, _run: str, plate: int) -> bool:
        """Whether the plate is stored."""
        self.disk.use(write=False)
        return plate in self.disk.rows

    def plates(self, limit: int | None = 20, *, run: str | None = None) -> list[Row]:
        """The latest plates, latest first."""
        del run
        self.disk.use(write=False)
        return [self.disk.rows[plate] for plate in sorted(self.disk.rows, reverse=True)[:limit]]

    def plate(self, number: int) -> Row | None:
        """One plate."""
        self.disk.use(write=False)
        return self.disk.rows.get(number)

    def last_plate(self) -> int:
        """Highest number that is stored; 0 where none is."""
        return max(self.disk.rows, default=0)


def result_of(row: Row) -> PlateResult:
    """The stored result."""
    assert row.result is not None
    return row.result


class SimulatedTellings:
    """What outputs were told of, in the store."""

    def __init__(self, store: SimulatedStore) -> None:
        self._disk = store.disk

    def begin(self, _names: Collection[str]) -> None:
        """They are told of all plates from the first on."""
        self._disk.use(write=True)
        self._disk.answer()

    def owed(self, name: str, most: int, but: Collection[int]) -> list[VerdictDue]:
        """Plates of which the output has yet to be told, oldest first."""
        self._disk.use(write=False)
        rows = (self._disk.rows[plate] for plate in sorted(self._disk.rows))
        owed = [row for row in rows if row.verdict is not None and name not in row.told and row.plate not in but]
        return [VerdictDue(row.plate, row.verdict, latency_s=row.latency_s) for row in owed[:most] if row.verdict]

    def store(self, said: Sequence[tuple[int, Telling]]) -> list[tuple[int, Telling]]:
        """Commit what was said; those of it that are new."""
        self._disk.use(write=True)
        new = [(plate, one) for plate, one in said if plate in self._disk.rows]
        new = [(plate, one) for plate, one in new if one.output not in self._disk.rows[plate].told]
        for plate, one in new:
            self._disk.rows[plate].told.setdefault(one.output, one)
        self._disk.answer()
        return new


class SimulatedPictures:
    """Pictures take a while, and hold the plate's slot meanwhile."""

    damage: StoreError | None = None

    def __init__(self, *_how: object) -> None:
        self._writing: list[tuple[SlotFacts, float]] = []

    @property
    def writing(self) -> bool:
        """Whether some are in work."""
        return bool(self._writing)

    def write(self, facts: SlotFacts, *_what: object) -> None:
        """Begin with a plate's."""
        self._writing.append((facts, Clock.monotonic() + World.current.some(0.005, 0.2)))

    def written(self, now: float, *, wait: bool = False) -> list[Written]:
        """Those that are done, in their order."""
        done: list[Written] = []
        while self._writing and (wait or self._writing[0][1] <= now):
            done.append(Written(self._writing.pop(0)[0], None))
        return done

    def make_room(self, now: float) -> None:
        """There is room."""

    def tick(self, _store: object, _now: float) -> list[Any]:
        """Nothing is deleted."""
        return []

    def stop(self, now: float) -> list[Written]:
        """Finish them."""
        return self.written(now, wait=True)


class NoOptics:
    """What record says of the optics is no part of the simulation."""

    def __init__(self, *_how: object) -> None: ...

    def take(self, _store: object, _decided: PlateDecided) -> None:
        """Nothing is known of them."""

    def keep(self, _store: object, *, now: bool = False) -> None:
        """Nothing is kept."""


class NoGolden:
    """Nor is the check standard."""

    def __init__(self, *_how: object) -> None: ...

    def saw(self, _seen: object) -> None:
        """No golden sheet passes."""

    def judged(self, _store: object, result: PlateResult, *_more: object) -> PlateResult:
        """The result as it is."""
        return result

    def tick(self, *_what: object) -> None:
        """Nothing is overdue."""
