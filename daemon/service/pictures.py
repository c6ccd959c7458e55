"""The pictures of final plates: written and deleted in threads of their own, and never in the way of a verdict.

Old plates and pictures are deleted every ten minutes. While room on the disk is short the oldest pictures go, and where
that is not enough new ones are left out: the room that is kept free is the result store's.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import structlog
from numpy.typing import NDArray

from config.errors import printable
from config.schema import Results
from daemon.store.evidence import Evidence, write_evidence
from daemon.store.pictures import NOTHING, Pictures, Removed, free_bytes, kept_free, plate_directory
from daemon.store.results import Store, StoreDamagedError, StoreError
from daemon.store.retention import Pruning, prune
from daemon.telemetry.counters import Tally
from daemon.wire.plate_memory import SlotFacts
from stages.events import RoomEnough, RoomShort
from stages.plate import PlateResult

_PRUNE_S = 600.0
_LOOK_S = 3600.0
"""The whole file of the store is looked at so often: a damaged page may lie where nothing is written."""
_COUNT_S = 86_400.0
"""Pictures are counted again after so long: somebody may have deleted some by hand."""
_ENOUGH_S = 60.0
"""Room is no longer short when nothing has lacked it for so long."""


@dataclass(frozen=True, slots=True)
class Written:
    """A plate whose pictures are done with."""

    facts: SlotFacts
    """Of its slot, which nobody here reads any more."""
    directory: Path | None
    """Where the pictures lie; None where none were written."""


class PictureKeeper:
    """Writes the pictures of plates and deletes old ones; what fails there is logged and counted, never raised."""

    def __init__(
        self,
        state: Path,
        run: str,
        settings: Results,
        tally: Tally,
        forget: Callable[[str, int], object] = lambda _run, _plate: None,
    ) -> None:
        """`forget` is told of each plate that is deleted for its age, from a thread."""
        self._forget = forget
        self._state, self._run, self._settings, self._tally = state, run, settings, tally
        self._log = structlog.get_logger()
        self._pictures = Pictures(state / "pictures")
        self._writer = ThreadPoolExecutor(1, "pictures", _give_way)
        self._pruner = ThreadPoolExecutor(2, "pruning", _give_way)
        self._writing: list[tuple[SlotFacts, Future[tuple[Removed, Evidence]]]] = []
        self._pruning: Future[Pruning] | None = None
        self._relief: Future[Removed] | None = None
        self._pruned_at: float | None = None
        self._looked_at: float | None = None
        """When the store was looked at whole; the start of the run has done it first."""
        self.damage: StoreDamagedError | None = None
        """What a look at the store has found; whoever sees to it sets it back."""
        self._largest = 0
        """Most bytes that a plate's pictures took in this run; the writing thread's own."""
        self._short_at: float | None = None
        """When room was short last, monotonic, s; None while there is enough."""
        self._told = False

    @property
    def writing(self) -> bool:
        """Whether pictures are in work, whose slots others wait for."""
        return bool(self._writing)

    def write(self, facts: SlotFacts, pixels: NDArray[np.uint8], result: PlateResult, title: str) -> None:
        """Write a plate's pictures; the pixels are read until `written` names the plate."""
        self._writing.append((facts, self._writer.submit(self._write, pixels, result, title)))

    def written(self, now: float, *, wait: bool = False) -> list[Written]:
        """The plates whose pictures are done with since the last call; with `wait` all, once they are."""
        done = [one for one in self._writing if wait or one[1].done()]
        self._writing = self._writing[len(done) :]  # one thread: they end in their order
        return [Written(facts, self._outcome(facts.plate, future, now)) for facts, future in done]

    def make_room(self, now: float) -> None:
        """The result store, or a picture, found no room: delete some of the oldest pictures."""
        self._short_at = now
        if self._relief is None:
            self._relief = self._pruner.submit(self._relieve)

    def tick(self, store: Store | None, now: float) -> list[RoomShort | RoomEnough]:
        """Prune when it is due, and ask what became of it; what the supervisor has to know of the room."""
        if self._pruning is not None and self._pruning.done():
            pruning, self._pruning = self._pruning, None
            self._tell_pruning(pruning)
        if self._relief is not None and self._relief.done():
            relief, self._relief = self._relief, None
            self._tell_relief(relief, now)
        if self._pruning is None and (self._pruned_at is None or now - self._pruned_at > _PRUNE_S):
            self._pruned_at = now
            self._pruning = self._pruner.submit(self._prune, store, now)
        return self._news(now)

    def stop(self, now: float) -> list[Written]:
        """Finish the pictures in work, and end what is deleted at the next plate."""
        done = self.written(now, wait=True)
        self._writer.shutdown()
        self._pictures.stop()
        self._pruner.shutdown(cancel_futures=True)
        if self._pruning is not None and not self._pruning.cancelled():
            self._tell_pruning(self._pruning)
        if self._relief is not None and not self._relief.cancelled():
            self._tell_relief(self._relief, now)
        return done

    # --- in the threads --------------------------------------------------------------------------------------

    def _write(self, pixels: NDArray[np.uint8], result: PlateResult, title: str) -> tuple[Removed, Evidence]:
        keep = kept_free(self._pictures.folder)
        lacking = keep + self._largest - free_bytes(self._pictures.folder)
        removed = self._pictures.free(lacking) if lacking > 0 else NOTHING
        directory = plate_directory(self._state, self._run, result.plate)
        evidence = write_evidence(pixels, result, directory, self._settings, title=title, keep_free=keep)
        if evidence.overview is not None:
            self._largest = max(self._largest, self._pictures.add(self._run, result.plate))
        else:
            with suppress(OSError):  # nothing was written: no empty folder is left
                directory.rmdir()
        return removed, evidence

    def _prune(self, store: Store | None, now: float) -> Pruning:
        counted_at = self._pictures.counted_at
        if counted_at is None or now - counted_at > _COUNT_S:
            self._pictures.count(lambda run: _knows(store, run))
        if store is None:
            return Pruning()
        self._looked_at = now if self._looked_at is None else self._looked_at
        if now - self._looked_at > _LOOK_S:
            self._looked_at = now
            # By a connection of its own: a verdict does not wait for it.
            with Store.open(store.path, read_only=True) as whole:
                whole.check()
        return prune(store, self._pictures, self._settings.retention, self._forget)

    def _relieve(self) -> Removed:
        """A tenth of what is to be free, whatever the disk says: a quota may be full where it is not."""
        return self._pictures.free(kept_free(self._pictures.folder) / 10)

    # --- what became of it -----------------------------------------------------------------------------------

    def _outcome(self, plate: int, future: Future[tuple[Removed, Evidence]], now: float) -> Path | None:
        try:
            removed, evidence = future.result()
        except Exception as error:  # noqa: BLE001 - a picture that fails ends no service
            self._log.exception("a picture could not be written", plate=plate, error=str(error))
            self._tally.add("store_failures_total", 1, "pictures")
            return None
        self._tell_removed(removed, "room")
        if evidence.no_room:
            self._log.warning("pictures of a plate are left out: room is short", plate=plate)
            self._tally.add("pictures_left_out_total", 1)
            self.make_room(now)
        elif evidence.errors:
            for failure in evidence.errors:
                self._log.error("a picture could not be written", plate=plate, error=failure)
            self._tally.add("store_failures_total", len(evidence.errors), "pictures")
        if removed.plates:
            self._short_at = now
        return None if evidence.overview is None else evidence.directory

    def _tell_pruning(self, future: Future[Pruning]) -> None:
        try:
            pruning = future.result()
        except StoreDamagedError as error:
            self.damage = error
            return
        except Exception as error:  # noqa: BLE001 - what cannot be deleted ends no service
            self._log.exception("old results could not be deleted", error=str(error))
            self._tally.add("store_failures_total", 1, "pruning")
            return
        if pruning.plates:
            days = self._settings.retention.days
            self._log.info("old plates were deleted", plates=pruning.plates, days_of_running=days)
            self._tally.add("plates_pruned_total", pruning.plates)
        self._tell_removed(pruning.aged, "age")
        self._tell_removed(pruning.oversized, "size")
        if pruning.failure is not None:
            self._log.error("old plates could not be deleted", kind=pruning.failure.kind, error=str(pruning.failure))
            self._tally.add("store_failures_total", 1, "pruning")

    def _tell_relief(self, future: Future[Removed], now: float) -> None:
        self._short_at = now
        try:
            self._tell_removed(future.result(), "room")
        except Exception as error:  # noqa: BLE001 - as above
            self._log.exception("no room could be made", error=str(error))
            self._tally.add("store_failures_total", 1, "pruning")

    def _tell_removed(self, removed: Removed, reason: str) -> None:
        if removed.plates:
            megabytes = round(removed.bytes / 1e6, 1)
            self._log.info("old pictures were deleted", plates=removed.plates, megabytes=megabytes, reason=reason)
            self._tally.add("pictures_pruned_total", removed.plates, reason)
        for error in removed.errors:
            self._log.error("a picture could not be deleted", error=error)
            self._tally.add("store_failures_total", 1, "pruning")

    def _news(self, now: float) -> list[RoomShort | RoomEnough]:
        if self._short_at is None:
            return []
        if not self._told:
            self._told = True
            text = "room on the disk is short: the oldest pictures are deleted, new ones may be left out"
            self._log.warning(text, advice="make room, or lower results.retention.most_gb")
            return [RoomShort(text)]
        if now - self._short_at <= _ENOUGH_S or not self._has_room():
            return []
        self._short_at, self._told = None, False
        text = "room on the disk is enough again"
        self._log.warning(text)
        return [RoomEnough(text)]

    def _has_room(self) -> bool:
        """Whether as much of the disk is free as is to be; a disk that does not answer has no room."""
        try:
            return free_bytes(self._pictures.folder) >= kept_free(self._pictures.folder)
        except OSError:
            return False


def _knows(store: Store | None, run: str) -> bool:
    """Whether the store has plates of that run; where it does not answer, no picture goes before its turn."""
    try:
        return store is None or store.knows(run)
    except StoreError:
        return True


def _give_way() -> None:
    """Let this thread run when nothing else wants to: a picture can wait, a verdict cannot."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)


def title_of(recipe: str, result: PlateResult) -> str:
    """What stands above the picture of a plate that was judged by that recipe."""
    title = f"{recipe} plate {result.plate}"
    return title if result.image is None else f"{title}, {printable(result.image)}"
