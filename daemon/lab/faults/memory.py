"""The plate memory as plain objects, with the promises of the real one (daemon/wire/plate_memory.py)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from daemon.wire.plate_memory import Hold, PlateMemoryError, Shape, SlotFacts
from stages.camera import Sheet
from stages.events import Place, PlateClosed

_NO_HOLDS: frozenset[Hold] = frozenset()
_ALL_HOLDS = frozenset(Hold)


@dataclass(slots=True)
class _Slot:
    facts: SlotFacts
    pixels: NDArray[np.uint8]


@dataclass(slots=True)
class _Board:
    plate: int = 0
    windows: list[int] = field(default_factory=list)


class SimulatedMemory:
    """A ring of plate slots and the workers' boards; outlives every process but the service."""

    def __init__(self, shape: Shape, workers: int) -> None:
        self.shape = shape
        self._slots = [
            _Slot(
                SlotFacts(0, Place(slot, 0, shape.columns), 0, 0, closed=False, causes=(), holds=_NO_HOLDS),
                np.zeros((shape.rows, shape.columns), np.uint8),
            )
            for slot in range(shape.slots)
        ]
        self._boards = [_Board() for _ in range(workers)]

    def pixels(self, slot: int) -> NDArray[np.uint8]:
        """The slot's pixels, uint8 (rows, columns), in place."""
        return self._slots[slot].pixels

    def facts(self, slot: int) -> SlotFacts:
        """What the slot's header says now."""
        return self._slots[slot].facts

    def all_facts(self) -> list[SlotFacts]:
        """What all headers say now."""
        return [slot.facts for slot in self._slots]

    def free_places(self) -> tuple[Place, ...]:
        """Slots that no role holds, each as the place of the next plate in it."""
        free = (slot.facts.place for slot in self._slots if not slot.facts.holds)
        return tuple(Place(place.slot, place.generation + 1, self.shape.columns) for place in free)

    def is_current(self, place: Place) -> bool:
        """Whether the slot still holds that plate."""
        return self._slots[place.slot].facts.place.generation == place.generation

    def open(self, place: Place, plate: int, sheet: Sheet | None = None) -> None:
        """Give a free slot to a plate. Raises PlateMemoryError for one that is held, or of another generation."""
        slot = self._slots[place.slot]
        if slot.facts.holds or slot.facts.place.generation + 1 != place.generation:
            raise PlateMemoryError(f"{place} of plate {plate} cannot be opened: {slot.facts}")
        slot.facts = SlotFacts(plate, place, 0, 0, closed=False, causes=(), holds=_ALL_HOLDS, sheet=sheet)

    def set_rows(self, slot: int, rows: int) -> None:
        """Say that so many rows are final."""
        self._slots[slot].facts = replace(self._slots[slot].facts, rows=rows)

    def close_plate(self, closed: PlateClosed) -> None:
        """Say that the plate has ended; gives up acquisition's hold."""
        assert closed.place is not None
        slot = self._slots[closed.place.slot]
        slot.facts = replace(
            slot.facts,
            rows=closed.rows,
            rows_missing=closed.rows_missing,
            closed=True,
            causes=tuple(dict.fromkeys(closed.causes)),
            holds=slot.facts.holds - {Hold.ACQUIRE},
            last_row_at=closed.last_row_at,
            doubt=closed.doubt,
            losses=closed.losses,
        )

    def release(self, slot: int, role: Hold) -> None:
        """Clear a role's hold."""
        facts = self._slots[slot].facts
        self._slots[slot].facts = replace(facts, holds=facts.holds - {role})

    def write_board(self, worker: int, plate: int, windows: Iterable[int]) -> None:
        """Publish which windows a worker is about to touch."""
        self._boards[worker] = _Board(plate, list(windows))

    def read_board(self, worker: int) -> tuple[tuple[int, int], ...]:
        """The (plate, window) pairs that a worker was on."""
        board = self._boards[worker]
        return tuple((board.plate, window) for window in board.windows)

    @property
    def held(self) -> list[SlotFacts]:
        """Slots that are not free."""
        return [slot.facts for slot in self._slots if slot.facts.holds]
