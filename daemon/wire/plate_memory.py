"""The plate memory: a ring of plate slots in one anonymous shared mapping, read in place by every process.

The mapping is a memfd reserved in full when it is made, so it has no name to leak, no size limit of a tmpfs, and
no page that could be missing later; children inherit the descriptor. A slot is free when no role holds it, never
by a timer or a guess. See docs/decisions/0004-plate-memory-on-memfd.md.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from config.errors import shown_bytes
from config.schema import MOST_WORKERS
from models.detector.swaths import MOST_WINDOWS
from models.machine.memory import Need, shortage
from stages.camera import Sheet
from stages.events import Place, PlateClosed, PlateOpened, RowsReady
from stages.plate import Cause


class PlateMemoryError(Exception):
    """The plate memory could not be reserved or attached; the message says how much was wanted."""


class Hold(IntEnum):
    """Roles that can hold a slot; the value is the byte of the slot's header that says so."""

    ACQUIRE = 0
    TILE = 1
    RECORD = 2


class State(IntEnum):
    """What a slot is doing."""

    FREE = 0
    FILLING = 1
    HELD = 2


CAUSES = tuple(Cause)
_SHEET_BYTES = 4096
"""Room in a header for what the camera knew of the sheet."""
_TOLD_BYTES = 1022
"""Room in a header for what acquisition told of a plate that has ended."""
_SHORT = 100
"""Characters of each text where it does not fit: nine texts of four bytes a character."""

_SLOT = np.dtype(
    [
        ("generation", "<u8"),
        ("plate", "<u8"),
        ("rows", "<u8"),
        ("rows_missing", "<u8"),
        ("last_row_at", "<f8"),
        ("causes", "<u8"),
        ("columns", "<u4"),
        ("recipe", "<u4"),
        ("closed", "u1"),
        ("holds", "u1", 8),
        ("sheet_bytes", "<u2"),
        ("sheet", "u1", _SHEET_BYTES),
        ("spare", "u1", 5),
        ("told_bytes", "<u2"),
        ("told", "u1", _TOLD_BYTES),
    ]
)
"""Of a slot; each number of it aligned, for a slot's length is a multiple of 8."""
_BOARD = np.dtype(
    {
        "names": ["plate", "count", "windows"],
        "formats": ["<u8", "<u8", ("<i4", MOST_WINDOWS)],
        "itemsize": 16 + 4 * MOST_WINDOWS,
    }
)
_PAGE = mmap.PAGESIZE


def _pages(size: int) -> int:
    return -(-size // _PAGE) * _PAGE


@dataclass(frozen=True, slots=True)
class Shape:
    """Size of the plate memory: slots of rows x columns px, uint8."""

    slots: int
    rows: int
    columns: int

    @property
    def need(self) -> Need:
        """What it takes of the machine."""
        return Need(f"{self.slots} plate slots of {self.rows} x {self.columns} px", self.total_bytes, ("slots",))

    @property
    def slot_bytes(self) -> int:
        """Bytes of one slot, whole pages."""
        return _pages(self.rows * self.columns)

    @property
    def header_bytes(self) -> int:
        """Bytes of the slot headers and the workers' boards, whole pages."""
        return _pages(self.slots * _SLOT.itemsize + MOST_WORKERS * _BOARD.itemsize)

    @property
    def total_bytes(self) -> int:
        """Bytes of the whole mapping."""
        return self.header_bytes + self.slots * self.slot_bytes


@dataclass(frozen=True, slots=True)
class SlotFacts:
    """What a slot's header says."""

    plate: int
    place: Place
    rows: int
    """Final rows written so far; all of them once it is closed."""
    rows_missing: int
    closed: bool
    causes: tuple[Cause, ...]
    holds: frozenset[Hold]
    last_row_at: float | None = None
    """Monotonic time when the strip with its last row was delivered, s; None while it is open, or not known."""
    sheet: Sheet | None = None
    """What the camera knew of it."""
    doubt: str = ""
    """Why the switch cannot be trusted here."""
    losses: dict[str, int] = field(default_factory=dict)
    """Why rows are missing, and how often."""

    @property
    def slot(self) -> int:
        """Its number."""
        return self.place.slot

    @property
    def said(self) -> list[PlateOpened | RowsReady | PlateClosed]:
        """What acquisition has said of the plate by now: in messages, too, but those may be lost."""
        said: list[PlateOpened | RowsReady | PlateClosed] = [
            PlateOpened(self.plate, self.place, self.sheet),
            RowsReady(self.plate, self.slot, self.rows),
        ]
        if self.closed:
            size = self.rows, self.causes, self.rows_missing, self.last_row_at
            said.append(PlateClosed(self.plate, self.place, *size, self.doubt, self.losses))
        return said

    @property
    def state(self) -> State:
        """Free when no role holds it; filling while acquisition does."""
        if not self.holds:
            return State.FREE
        return State.FILLING if Hold.ACQUIRE in self.holds else State.HELD


class PlateMemory:
    """The ring of plate slots, mapped into this process.

    Acquisition alone opens, fills and closes slots; every other role only clears its own hold. Each field of a
    header has one writer at a time and is one aligned machine word or byte, so that no lock is needed.
    """

    def __init__(self, fd: int, shape: Shape) -> None:
        self.fd = fd
        self.shape = shape
        found = os.fstat(fd).st_size
        if found != shape.total_bytes:
            raise PlateMemoryError(f"plate memory has {found} bytes, but {shape} needs {shape.total_bytes}")
        self._map = mmap.mmap(fd, shape.total_bytes)
        self._slots: NDArray[Any] = np.frombuffer(self._map, _SLOT, shape.slots)
        self._boards: NDArray[Any] = np.frombuffer(self._map, _BOARD, MOST_WORKERS, offset=shape.slots * _SLOT.itemsize)

    @classmethod
    def create(cls, shape: Shape) -> PlateMemory:
        """Reserve the whole mapping now.

        Raises:
            PlateMemoryError: when the machine cannot give that much.
        """
        fd = reserve("linesentry-plates", shape.need)
        try:
            return cls(fd, shape)
        except OSError as error:
            os.close(fd)
            raise PlateMemoryError(f"cannot map the plate memory: {error.strerror}") from error

    def close(self) -> None:
        """Close the descriptor; the mapping goes with the last view of its pixels."""
        os.close(self.fd)
        self._slots, self._boards = self._slots[:0].copy(), self._boards[:0].copy()
        # It has a descriptor of its own.
        with suppress(BufferError):
            self._map.close()

    def pixels(self, slot: int) -> NDArray[np.uint8]:
        """The slot's pixels, uint8 (rows, columns), in place."""
        shape = self.shape
        offset = shape.header_bytes + slot * shape.slot_bytes
        return np.frombuffer(self._map, np.uint8, shape.rows * shape.columns, offset).reshape(shape.rows, shape.columns)

    # --- headers ---------------------------------------------------------------------------------------------

    def facts(self, slot: int) -> SlotFacts:
        """What the slot's header says now."""
        header = self._slots[slot]
        bits = int(header["causes"])
        told = _told(header["told"][: int(header["told_bytes"])].tobytes())
        return SlotFacts(
            plate=int(header["plate"]),
            place=Place(slot, int(header["generation"]), int(header["columns"]), int(header["recipe"])),
            rows=int(header["rows"]),
            rows_missing=int(header["rows_missing"]),
            closed=bool(header["closed"]),
            causes=tuple(cause for bit, cause in enumerate(CAUSES) if bits >> bit & 1),
            holds=frozenset(role for role in Hold if header["holds"][role]),
            last_row_at=float(header["last_row_at"]) or None,
            sheet=_sheet(header["sheet"][: int(header["sheet_bytes"])].tobytes()),
            doubt=told.doubt,
            losses=told.losses,
        )

    def all_facts(self) -> list[SlotFacts]:
        """What the headers of all slots say now."""
        return [self.facts(slot) for slot in range(self.shape.slots)]

    def free_places(self) -> tuple[Place, ...]:
        """Slots that no role holds, each as the place of the plate that it is opened for next."""
        free = np.flatnonzero(~self._slots["holds"].any(axis=1)).tolist()
        return tuple(Place(slot, int(self._slots["generation"][slot]) + 1, self.shape.columns) for slot in free)

    def is_current(self, place: Place) -> bool:
        """Whether the slot still holds what it held when it had that generation; asked after reading."""
        return bool(self._slots["generation"][place.slot] == place.generation)

    def open(self, place: Place, plate: int, sheet: Sheet | None = None) -> None:
        """Give a free slot to a plate, held by every role; its generation is the place's from now on.

        `sheet` is what the camera knew of it.

        Raises:
            PlateMemoryError: the slot is held, or is not at the generation before.
        """
        header = self._slots[place.slot]
        if header["holds"].any():
            held = sorted(self.facts(place.slot).holds)
            raise PlateMemoryError(f"slot {place.slot} is held by {held}: it cannot be opened")
        if header["generation"] + 1 != place.generation:
            raise PlateMemoryError(f"slot {place.slot} has generation {header['generation']}: {place} cannot be opened")
        header["generation"] = place.generation
        header["plate"] = plate
        header["columns"] = place.columns
        header["recipe"] = place.recipe
        header["rows"] = 0
        header["rows_missing"] = 0
        header["last_row_at"] = 0.0
        header["causes"] = 0
        header["closed"] = 0
        header["told_bytes"] = 0
        packed = np.frombuffer(_packed(sheet), np.uint8)
        header["sheet_bytes"] = packed.size
        header["sheet"][: packed.size] = packed
        for role in Hold:
            header["holds"][role] = 1

    def set_rows(self, slot: int, rows: int) -> None:
        """Say that so many rows are final."""
        self._slots["rows"][slot] = rows

    def close_plate(self, closed: PlateClosed) -> None:
        """Say in its slot that the plate has ended, and with what; gives up acquisition's hold."""
        assert closed.place is not None
        header = self._slots[closed.place.slot]
        header["rows"] = closed.rows
        header["rows_missing"] = closed.rows_missing
        header["last_row_at"] = closed.last_row_at or 0.0
        header["causes"] = sum(1 << CAUSES.index(cause) for cause in set(closed.causes))
        packed = np.frombuffer(_packed_told(_Told(closed.doubt, closed.losses)), np.uint8)
        header["told"][: packed.size] = packed
        header["told_bytes"] = packed.size
        header["closed"] = 1
        self.release(closed.place.slot, Hold.ACQUIRE)

    def release(self, slot: int, role: Hold) -> None:
        """Clear a role's hold."""
        self._slots["holds"][slot, role] = 0

    def counts(self) -> dict[str, int]:
        """Slots by state; free + filling + held = slots, always."""
        states = [facts.state for facts in self.all_facts()]
        return {state.name.lower(): states.count(state) for state in State}

    # --- the workers' boards ---------------------------------------------------------------------------------

    def write_board(self, worker: int, plate: int, windows: Iterable[int]) -> None:
        """Publish which windows a worker is about to touch; what stands there when it dies is blamed."""
        board = self._boards[worker]
        board["count"] = 0
        for index, window in enumerate(windows):
            board["windows"][index] = window
            board["plate"] = plate
            board["count"] = index + 1

    def read_board(self, worker: int) -> tuple[tuple[int, int], ...]:
        """The (plate, window) pairs that a worker was on."""
        board = self._boards[worker]
        return tuple((int(board["plate"]), int(window)) for window in board["windows"][: int(board["count"])])


def _packed(sheet: Sheet | None) -> bytes:
    """What the camera knew of a sheet, shortened where it does not fit into a header."""
    if sheet is None:
        return b""
    data = msgspec.msgpack.encode(sheet)
    if len(data) > _SHEET_BYTES:
        faults = tuple((cause, words[:_SHORT]) for cause, words in sheet.faults[:4])
        warnings = tuple(words[:_SHORT] for words in sheet.warnings[:4])
        data = msgspec.msgpack.encode(Sheet(sheet.image[:_SHORT], faults, warnings, sheet.pixels))
    return data


def _sheet(data: bytes) -> Sheet | None:
    """What `_packed` has packed; None also for a header that is just being written."""
    try:
        return msgspec.msgpack.decode(data, type=Sheet) if data else None
    except msgspec.DecodeError:
        return None


class _Told(msgspec.Struct, frozen=True):
    """What acquisition says of a plate's end in words and by cause."""

    doubt: str = ""
    losses: dict[str, int] = msgspec.field(default_factory=dict)


def _packed_told(told: _Told) -> bytes:
    """As bytes; shortened where they do not fit into a header."""
    some = dict(list(told.losses.items())[:4])
    shorter = _Told(told.doubt[:_SHORT], some), _Told(told.doubt[:_SHORT]), _Told()
    return next(data for one in (told, *shorter) if len(data := msgspec.msgpack.encode(one)) <= _TOLD_BYTES)


def _told(data: bytes) -> _Told:
    """What `_packed_told` has packed; nothing for a header that is just being written."""
    try:
        return msgspec.msgpack.decode(data, type=_Told) if data else _Told()
    except msgspec.DecodeError:
        return _Told()


def reserve(name: str, need: Need) -> int:
    """Make an anonymous shared mapping of so many bytes, all of them reserved now; returns its descriptor.

    Raises:
        PlateMemoryError: when the machine cannot give that much, which is asked before any of it is taken.
    """
    if why := shortage([need]):
        raise PlateMemoryError(why)
    fd = os.memfd_create(name)
    try:
        os.ftruncate(fd, need.size)
        os.posix_fallocate(fd, 0, need.size)
    except OSError as error:
        os.close(fd)
        raise PlateMemoryError(f"cannot reserve {shown_bytes(need.size)} for {need.what}: {error}") from error
    return fd
