"""The archive process: copies a plate out of its slot at once, and writes its file at leisure.

Nothing waits for it. It is a process of its own, so that a slow disk, a full one, its memory and its death are no
other's, and that it can give way to all who work on verdicts.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from daemon.service.child import Child, Plan
from daemon.store.archive_file import write_plate
from daemon.store.archive_files import archive_directory, archive_path, archive_room, remove_parts
from daemon.wire.channel import Event
from stages.events import ArchivePlate, PlateArchived, PlateCopied, PlateNotArchived

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_LOOK_S = 0.02
_SAY_S = 1.0
"""At a stop: longest time until record has heard what became of the last plate."""
_NICENESS = 10


class ArchiveProcess(Child):
    """Writes the plates that record names, one after the other, and says what became of each."""

    role = "archive"

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._memory = self.plate_memory()
        self._settings = self.config.archive
        self._directory = archive_directory(self._settings, Path(plan.state))
        self._orders: deque[ArchivePlate] = deque()
        self._copy: NDArray[np.uint8] | None = None
        """Room for one plate; kept, for pages that are new take ten times as long as the copy itself."""
        self._writer = ThreadPoolExecutor(1, "archive", _give_way)
        self._writing: tuple[ArchivePlate, Future[PlateArchived]] | None = None

    def start(self) -> None:
        """Delete what a predecessor has left half written."""
        cv2.setNumThreads(1)
        remove_parts(self._directory)
        self._record = self.connect("record", self._on_record)

    def wait_s(self) -> float:
        """Look often while a file is written: the next plate waits in its slot."""
        return super().wait_s() if self._writing is None else _LOOK_S

    def tick(self, now: float) -> None:
        """Say what became of the plate that was written; take the next one."""
        if self._writing is not None and self._writing[1].done():
            self._tell(now)
        while self._writing is None and self._orders:
            self._take(self._orders.popleft(), now)
        busy = len(self._orders) + (self._writing is not None)
        self.note = f"{busy} plates to write" if busy else "all is archived"

    def stop(self) -> None:
        """Finish the file that is being written, and see that record hears of it."""
        self._writer.shutdown()
        if self._writing is not None:
            self._tell(time.monotonic())
        until = time.monotonic() + _SAY_S
        while self._record.kept and time.monotonic() < until:
            self._record.receive(time.monotonic())
            self._record.tick(time.monotonic())
            time.sleep(_LOOK_S / 4)

    def _on_record(self, event: Event, _now: float) -> None:
        # A new record has let go of all slots; what is not copied by then is told by its generation.
        match event[1]:
            case ArchivePlate() as order:
                busy = [] if self._writing is None else [self._writing[0]]
                if order not in (*busy, *self._orders):
                    self._orders.append(order)

    def _take(self, order: ArchivePlate, now: float) -> None:
        """Copy the plate, unless its slot is another's by now."""
        try:
            copied = self._copied(order)
        except MemoryError as error:
            self._record.send(PlateNotArchived(order.plate, "not written", f"no memory for a copy: {error}"), now)
            return
        if copied is None:
            text = "its slot was given to another plate before it was copied"
            self._record.send(PlateNotArchived(order.plate, "not written", text), now)
            return
        self._record.send(PlateCopied(order.plate), time.monotonic())
        self._writing = order, self._writer.submit(self._write, order, copied)

    def _copied(self, order: ArchivePlate) -> NDArray[np.uint8] | None:
        rows, columns = order.rows, order.place.columns
        if self._copy is None:
            self._copy = np.empty(self._memory.shape.rows * self._memory.shape.columns, np.uint8)
        copied = self._copy[: rows * columns].reshape(rows, columns)
        np.copyto(copied, self._memory.pixels(order.place.slot)[:rows, :columns])
        return copied if self._memory.is_current(order.place) else None

    def _tell(self, now: float) -> None:
        assert self._writing is not None
        order, future = self._writing
        self._writing = None
        try:
            outcome: PlateArchived | PlateNotArchived = future.result()
        except Exception as error:  # noqa: BLE001 - whatever ails a file, the next one is tried
            no_room = isinstance(error, OSError) and error.errno in _NO_ROOM
            text = f"{type(error).__name__}: {error}"
            outcome = PlateNotArchived(order.plate, "no room" if no_room else "not written", text)
        self._record.send(outcome, now)

    # --- in the thread ---------------------------------------------------------------------------------------

    def _write(self, order: ArchivePlate, pixels: NDArray[np.uint8]) -> PlateArchived:
        began, expected = time.monotonic(), pixels.size
        path = archive_path(self._directory, self.plan.run, order.plate)
        path.parent.mkdir(parents=True, exist_ok=True)

        def proceed(needed: int = 0) -> None:
            if archive_room(self._settings, self._directory) < needed:
                raise OSError(errno.ENOSPC, "the room left on the disk is kept free", str(self._directory))

        proceed(expected)
        name = f"plate {order.plate}"
        size, digest = write_plate(pixels, path, name=name, about=order.about, pitch_mm=order.pitch_mm, proceed=proceed)
        return PlateArchived(order.plate, size, digest, time.monotonic() - began)


def _give_way() -> None:
    """Let this thread run when nothing else wants to: a file can wait, a verdict cannot."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)


ROLE = ArchiveProcess
