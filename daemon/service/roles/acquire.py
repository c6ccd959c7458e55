"""The acquire process: copies the camera's rows into the plate memory, plate by plate."""

from __future__ import annotations

import mmap
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from config.schema import Recipe
from daemon.service.child import Child, Plan
from daemon.service.unusable import UnusableError
from daemon.wire.channel import Event, Joined
from daemon.wire.messages import JudgeBy, JudgesBy
from daemon.wire.plate_memory import Hold
from models.optics import flat_field
from models.optics.flat_field import Correction
from stages.acquire import Assembler
from stages.acquire import Event as AcquireEvent
from stages.copies import BlankRows, CopyRows, SlotsFree
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
from stages.recipes import FIRST, Schedule

_WAITING_S = 0.005
_REMEMBERED = 256
_NEVER = 2**62
"""A plate number beyond any: when the line has ended, what was not opened never will be."""


@dataclass(frozen=True, slots=True)
class _Source:
    """What of the camera's rows goes into the plate memory, and how."""

    columns: slice
    correction: Correction | None = None
    """Of the columns' light; None: rows are taken as they are."""

    def copy(self, rows: NDArray[np.uint8], into: NDArray[np.uint8]) -> None:
        """Copy the columns of rows of the camera, uint8 (n, width), to the left of rows of a slot, once."""
        source = rows[:, self.columns]
        into = into[:, : source.shape[1]]
        if self.correction is None:
            into[:] = source
        else:
            self.correction.copy(source, into)


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
        self._sources: dict[int, _Source] = {}
        """Which columns are copied, by the number of the recipe."""
        self._source = _Source(slice(0, plan.shape.columns))
        """Those of the plate that is being filled."""
        self._line_ended = False
        self._done = False
        """The line has ended and every strip is done with."""
        self._free: tuple[Place, ...] = ()
        self._assembler = Assembler(self.recipe, self.config.overload, switch=plan.switch, camera_row=plan.camera_row)
        self._assembler.sizes.schedule = Schedule(plan.begins)
        self._without_slot: deque[PlateOpened | PlateClosed] = deque(maxlen=2 * _REMEMBERED)
        """Plates that no slot header tells a new tile stage of."""

    def start(self) -> None:
        """End what the predecessor was filling, then listen to the camera.

        Raises:
            UnusableError: the flat field cannot be used.
        """
        self._sources[FIRST] = self._source_of(self.recipe)
        self._tile = self.connect("tile", self._on_tile)
        for facts in self._memory.all_facts():
            if Hold.ACQUIRE in facts.holds:
                causes = (*facts.causes, Cause.ACQUISITION_DIED)
                closed = PlateClosed(facts.plate, facts.place, facts.rows, causes, facts.rows_missing)
                self._memory.close_plate(closed)
                self.log.error("a plate lost its acquisition", plate=facts.plate, rows=facts.rows)
        self._camera = self.connect("camera", self._on_line)

    def _source_of(self, recipe: Recipe) -> _Source:
        """The columns of a recipe, evened out where there is a flat field. Raises UnusableError for one that is not."""
        camera, kept = self.config.camera, recipe.columns
        columns = (0, self.plan.shape.columns) if kept is None else (kept.first, kept.last)
        if camera.flat_field is None:
            return _Source(slice(*columns))
        try:
            flat = flat_field.read(camera.flat_field, camera.width, columns)
        except flat_field.FlatFieldError as error:
            raise UnusableError(f"camera.flat_field: {error}") from error
        self.log.info("flat field", file=str(camera.flat_field), made_at=flat.made_at, sha256=flat.sha256)
        return _Source(slice(*columns), Correction(flat, columns))

    def load_recipe(self, number: int, recipe: Recipe) -> None:
        """Know which columns to keep of its plates, and how many rows. Raises UnusableError without a flat field."""
        self._sources[number] = self._source_of(recipe)
        self._assembler.sizes.add(number, recipe)

    def forget_recipe(self, number: int) -> None:
        """Nothing of it will be copied any more."""
        if number != FIRST:
            self._assembler.sizes.forget(number)
            self._sources.pop(number, None)

    def on_supervisor(self, event: Event, now: float) -> None:
        """The recipe of the plates to come is another one."""
        super().on_supervisor(event, now)
        if isinstance(event[1], JudgeBy):
            first = self._assembler.change(event[1].number, event[1].not_before)
            self.supervisor.send(JudgesBy(event[1].number, first), now)

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
                    rows = self._buffers[order.buffer, order.source_row : order.source_row + order.rows]
                    into = self._memory.pixels(order.slot)[order.row : order.row + order.rows]
                    self._source.copy(rows, into)
                case BlankRows():
                    self._memory.pixels(order.slot)[order.row : order.row + order.rows] = 0
                case PlateOpened():
                    if order.place is None:
                        self._without_slot.append(order)
                    else:
                        self._memory.open(order.place, order.plate, order.sheet)
                        self._source = self._sources[order.place.recipe]
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
