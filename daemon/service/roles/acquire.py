"""The acquire process: copies the camera's rows into the plate memory, plate by plate."""

from __future__ import annotations

import mmap
from collections import deque

import numpy as np

from daemon.service.child import Child, Plan
from daemon.wire import messages as m
from daemon.wire.channel import Event, Joined
from daemon.wire.plate_memory import Hold
from stages import acquire
from stages.acquire import Assembler, ClosePlate
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
        self._strip_at = 0.0
        self._line_ended = False
        self._done = False
        """The line has ended and every strip is done with."""
        self._free: tuple[int, ...] = ()
        self._assembler = Assembler(self.recipe, self.config.overload, switch=plan.switch, camera_row=plan.camera_row)
        self._without_slot: deque[ClosePlate] = deque(maxlen=_REMEMBERED)
        """Plates that no slot header tells a new tile stage of."""

    def start(self) -> None:
        """End what the predecessor was filling, then listen to the camera."""
        self._tile = self.connect("tile", self._on_tile)
        for facts in self._memory.all_facts():
            if Hold.ACQUIRE in facts.holds:
                causes = (*facts.causes, Cause.ACQUISITION_DIED)
                self._memory.close_plate(facts.slot, facts.rows, facts.missing, causes)
                self.log.error("a plate lost its acquisition", plate=facts.plate, rows=facts.rows)
        self._camera = self.connect("camera", self._on_line)

    def wait_s(self) -> float:
        """Look for a free slot often while strips wait for one."""
        return _WAITING_S if self._assembler.waiting else super().wait_s()

    def tick(self, now: float) -> None:
        """Tell the assembler which slots are free, and the metrics what it has counted."""
        free = self._memory.free_slots()
        if free != self._free or self._assembler.waiting:
            self._free = free
            self._do(acquire.SlotsFree(free), now)
        if self._line_ended and not self._done and not self._assembler.waiting:
            # A sheet whose strips and edges were all lost at the line's end is known to the supervisor alone.
            self._done = True
            self._tile.send(m.AcquisitionAt(_NEVER), now)
        rows, edges = self._assembler.counters, self._assembler.switch.counters
        self.tally.set("line_faults_total", rows.strips_refused, "strip refused")
        self.tally.set("line_faults_total", rows.rows_lost, "row lost")
        self.tally.set("line_faults_total", rows.rows_beyond, "row beyond the most")
        self.tally.set("line_faults_total", edges.edges_unheard, "edge not heard")
        self.note = "waits for a free slot" if self._assembler.waiting else "listens to the camera"

    def _on_line(self, event: Event, now: float) -> None:
        match event[1]:
            case m.StripReady(buffer, strip, at):
                self._strip_at = at
                self.tally.add("rows_total", strip.rows)
                self._do(acquire.StripDelivered(buffer, strip), now)
            case m.LineEnded():
                self._line_ended = True
                self._do(acquire.End(), now)
                self.supervisor.send(m.LineEnded(), now)

    def _on_tile(self, event: Event, now: float) -> None:
        if isinstance(event[1], Joined):
            # What stands in the slots the tile stage has read by itself; this is what it cannot see.
            for closed in self._without_slot:
                self._tile.send(m.PlateOpened(closed.plate, None, 0, 0), now)
                self._say_closed(closed, now)
            pending = self.plan.switch.pending_plate
            first = self.plan.switch.next_plate if pending is None else pending
            self._tile.send(m.AcquisitionAt(_NEVER if self._done else first), now)

    def _do(self, event: acquire.Event, now: float) -> None:
        for instruction in self._assembler.handle(event):
            match instruction:
                case acquire.OpenPlate(plate=plate, slot=slot):
                    generation = 0 if slot is None else self._memory.open(slot, plate)
                    columns = 0 if slot is None else self.plan.shape.columns
                    self._tile.send(m.PlateOpened(plate, slot, generation, columns), now)
                case acquire.CopyRows(buffer, source_row, rows, slot, row):
                    source = self._buffers[buffer, source_row : source_row + rows, self._columns]
                    self._memory.pixels(slot)[row : row + rows] = source
                case acquire.BlankRows(slot, row, rows):
                    self._memory.pixels(slot)[row : row + rows] = 0
                case acquire.RowsReady(plate, slot, rows):
                    self._memory.set_rows(slot, rows)
                    self._tile.send(m.RowsReady(plate, rows), now)
                case acquire.ClosePlate(plate, slot, rows, causes, missing) as closed:
                    if slot is None:
                        self._without_slot.append(closed)
                    else:
                        self._memory.close_plate(slot, rows, missing, causes, self._strip_at or None)
                    self._say_closed(closed, now)
                case acquire.ReleaseBuffer(buffer):
                    self._camera.send(m.StripTaken(buffer), now)

    def _say_closed(self, closed: ClosePlate, now: float) -> None:
        columns = 0 if closed.slot is None else self.plan.shape.columns
        body = m.PlateClosed(
            closed.plate, closed.slot, closed.rows, columns, closed.causes, closed.rows_missing, self._strip_at or None
        )
        self._tile.send(body, now)


ROLE = AcquireProcess
