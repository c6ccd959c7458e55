"""The acquire process: copies the camera's rows into the plate memory, plate by plate."""

from __future__ import annotations

import mmap
from collections import deque

import numpy as np

from daemon.service.child import Child, Plan
from daemon.service.unusable import UnusableError
from daemon.wire.channel import Event, Joined
from daemon.wire.plate_memory import Hold
from models.optics import flat_field
from models.optics.flat_field import Correction
from stages.acquire import Assembler, BlankRows, CopyRows, SlotsFree
from stages.acquire import Event as AcquireEvent
from stages.events import (
    AcquisitionAt,
    AcquisitionEnded,
    BufferReleased,
    LineEnded,
    Place,
    PlateClosed,
    PlateOpened,
    RowsReady,
    StripDelivered,
)
from stages.plate import Cause

_WAITING_S = 0.005
_REMEMBERED = 256
_NEVER = 2**62
"""A plate number beyond any: when the line has ended, what was not opened never will be."""


class AcquireProcess(Child):
    """Moves strips through the plate assembler; the only place where pixels are copied."""

    role = "acquire"

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        camera = self.config.camera
        size = camera.buffers * camera.strip_rows * camera.width
        self._buffers = np.frombuffer(mmap.mmap(plan.camera_fd, size, prot=mmap.PROT_READ), np.uint8).reshape(
            camera.buffers, camera.strip_rows, camera.width
        )
        self._memory = self.plate_memory()
        columns = self.recipe.columns
        first = columns.first if columns else 0
        self._columns = slice(first, first + plan.shape.columns)
        self._correction: Correction | None = None
        """Of the columns' light; None: rows are taken as they are."""
        self._line_ended = False
        self._done = False
        """The line has ended and every strip is done with."""
        self._free: tuple[Place, ...] = ()
        self._assembler = Assembler(self.recipe, self.config.overload, switch=plan.switch, camera_row=plan.camera_row)
        self._without_slot: deque[PlateOpened | PlateClosed] = deque(maxlen=2 * _REMEMBERED)
        """Plates that no slot header tells a new tile stage of."""

    def start(self) -> None:
        """End what the predecessor was filling, then listen to the camera.

        Raises:
            UnusableError: the flat field cannot be used.
        """
        self._load_flat_field()
        self._tile = self.connect("tile", self._on_tile)
        for facts in self._memory.all_facts():
            if Hold.ACQUIRE in facts.holds:
                causes = (*facts.causes, Cause.ACQUISITION_DIED)
                closed = PlateClosed(facts.plate, facts.place, facts.rows, causes, facts.rows_missing)
                self._memory.close_plate(closed)
                self.log.error("a plate lost its acquisition", plate=facts.plate, rows=facts.rows)
        self._camera = self.connect("camera", self._on_line)

    def _load_flat_field(self) -> None:
        camera, columns = self.config.camera, (self._columns.start, self._columns.stop)
        if camera.flat_field is None:
            return
        try:
            flat = flat_field.read(camera.flat_field, camera.width, columns)
        except flat_field.FlatFieldError as error:
            raise UnusableError(f"camera.flat_field: {error}") from error
        self._correction = Correction(flat, columns)
        self.log.info("flat field", file=str(camera.flat_field), made_at=flat.made_at, sha256=flat.sha256)

    def wait_s(self) -> float:
        """Look for a free slot often while strips wait for one."""
        return _WAITING_S if self._assembler.waiting else super().wait_s()

    def tick(self, now: float) -> None:
        """Tell the assembler which slots are free, and the metrics what it has counted."""
        free = self._memory.free_places()
        if free != self._free or self._assembler.waiting:
            self._free = free
            self._do(SlotsFree(free), now)
        if self._line_ended and not self._done and not self._assembler.waiting:
            # A sheet whose strips and edges were all lost at the line's end is known to the supervisor alone.
            self._done = True
            self._tile.send(AcquisitionAt(_NEVER), now)
        rows, edges = self._assembler.counters, self._assembler.switch.counters
        self.tally.set("line_faults_total", rows.strips_refused, "strip refused")
        self.tally.set("line_faults_total", rows.rows_lost, "row lost")
        self.tally.set("line_faults_total", rows.rows_beyond, "row beyond the most")
        self.tally.set("line_faults_total", edges.edges_unheard, "edge not heard")
        self.note = "waits for a free slot" if self._assembler.waiting else "listens to the camera"

    def _on_line(self, event: Event, now: float) -> None:
        match event[1]:
            case StripDelivered() as delivered:
                self.tally.add("rows_total", delivered.strip.rows)
                self._do(delivered, now)
            case LineEnded() as ended:
                self._line_ended = True
                self._do(ended, now)
                self.supervisor.send(AcquisitionEnded(), now)

    def _on_tile(self, event: Event, now: float) -> None:
        if isinstance(event[1], Joined):
            # What stands in the slots the tile stage has read by itself; this is what it cannot see.
            for said in self._without_slot:
                self._tile.send(said, now)
            pending = self.plan.switch.pending_plate
            first = self.plan.switch.next_plate if pending is None else pending
            self._tile.send(AcquisitionAt(_NEVER if self._done else first), now)

    def _do(self, event: AcquireEvent, now: float) -> None:
        for order in self._assembler.handle(event):
            match order:
                case CopyRows():
                    source = self._buffers[
                        order.buffer, order.source_row : order.source_row + order.rows, self._columns
                    ]
                    into = self._memory.pixels(order.slot)[order.row : order.row + order.rows]
                    if self._correction is None:
                        into[:] = source
                    else:
                        self._correction.copy(source, into)
                case BlankRows():
                    self._memory.pixels(order.slot)[order.row : order.row + order.rows] = 0
                case PlateOpened():
                    if order.place is None:
                        self._without_slot.append(order)
                    else:
                        self._memory.open(order.place, order.plate, order.sheet)
                    self._tile.send(order, now)
                case RowsReady():
                    self._memory.set_rows(order.slot, order.rows)
                    self._tile.send(order, now)
                case PlateClosed():
                    if order.place is None:
                        self._without_slot.append(order)
                    else:
                        self._memory.close_plate(order)
                    self._tile.send(order, now)
                case BufferReleased():
                    self._camera.send(order, now)


ROLE = AcquireProcess
