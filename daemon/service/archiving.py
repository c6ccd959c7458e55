"""Record's side of the archive: names the plates to the archiver, stores what became of them, and deletes old files."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import structlog

from config.schema import Config, Recipe
from daemon.store.archive import Deleted, Retention, about, adopt, enter, leave_out
from daemon.store.archive_files import archive_directory, archive_path, remove
from daemon.store.challenges import enter_challenge
from daemon.store.results import Store, StoreError
from daemon.telemetry.counters import Tally
from daemon.wire.channel import Server
from daemon.wire.plate_memory import SlotFacts
from stages import archive
from stages.archive import Archiving, Choices, LeftOut, LetGo, Shortage
from stages.events import (
    ArchiveInStep,
    ArchiveLacks,
    ArchivePlate,
    ArchiverLost,
    PlateArchived,
    PlateChallenged,
    PlateCopied,
    PlateNotArchived,
)
from stages.plate import PlateResult

PROCESS = "archive-0"
_AGE_S = 600.0
_RETRY_S = 1.0

Said = PlateCopied | PlateArchived | PlateNotArchived | ArchiverLost


class ArchiveDesk:
    """The archive of one run; does nothing at all where it is off.

    Args:
        config: of the service.
        state: state directory.
        run: id of the run.
        plate_bytes: most pixels of a plate.
        let_go: told of each plate that was taken, once its slot is not needed here any more.
        tally: of record.
    """

    def __init__(
        self, config: Config, state: Path, run: str, plate_bytes: int, let_go: Callable[[int], None], tally: Tally
    ) -> None:
        self._settings, self._run, self._tally, self._let_go = config.archive, run, tally, let_go
        self._plate_bytes = plate_bytes
        self._directory = archive_directory(config.archive, state)
        self._log = structlog.get_logger()
        self._choices = Choices(config.archive)
        self._archiving = Archiving(config.archive.behind)
        self._rows: deque[PlateArchived | LeftOut | PlateChallenged] = deque()
        """What is yet to be stored."""
        self._store_at = 0.0
        self._shortage = Shortage()
        self._stopped = threading.Event()
        self._keeper = ThreadPoolExecutor(1, "archive", _give_way)
        self._keeping: Future[Deleted] | None = None
        self._aged_at: float | None = None
        self._wants_room = False

    @property
    def holds(self) -> bool:
        """Whether a slot waits for the archive."""
        return self._archiving.holds

    def begin(self, links: Server) -> None:
        """The sockets are there."""
        self._links = links

    def take(self, facts: SlotFacts, result: PlateResult, recipe: Recipe, store: Store | None, now: float) -> bool:
        """Whether the plate, which is final, is archived; its slot is then held until `let_go`."""
        if not self._settings.on or not result.rows or not self._choices.takes(result, recipe):
            return False
        pitch = None if recipe.pitch is None else (recipe.pitch.row_mm, recipe.pitch.column_mm)
        order = ArchivePlate(
            plate=facts.plate,
            place=facts.place,
            rows=facts.rows,
            verdict=result.verdict,
            about=self._about(result, recipe, store),
            pitch_mm=pitch,
        )
        self._do(archive.Chosen(order), now)
        return True

    def forget(self, run: str, plate: int) -> None:
        """The plate was deleted for its age: its file goes too. Called from another thread."""
        errors: list[str] = []
        remove(archive_path(self._directory, run, plate), run, plate, errors)
        for failure in errors:
            self._log.error("a file of the archive could not be deleted", error=failure)

    def joined(self, now: float) -> None:
        """A process of the archiver is there."""
        self._links.forget_kept(PROCESS)
        self._do(archive.ArchiverJoined(), now)

    def hear(self, said: Said, now: float) -> None:
        """What the archiver says, or that there is none any more."""
        self._do(said, now)

    def challenged(self, said: PlateChallenged) -> None:
        """What a candidate says of a plate; stored by the next `tick`."""
        self._rows.append(said)
        self._tally.add("challenger_plates_total", 1, said.challenge.kind.value)

    def tick(self, store: Store | None, free: int, now: float) -> list[ArchiveLacks | ArchiveInStep]:
        """Store what is to be stored, and see to the room; so many slots are free. What the supervisor is to know."""
        if not self._settings.on:
            return []
        self._do(archive.Tick(free), now)
        if store is not None and self._rows and now >= self._store_at:
            self._store_rows(store, now)
        self._keep(store, now)
        return self._news(now)

    def stop(self, store: Store | None) -> None:
        """Store what is left, and end what is deleted at the next file."""
        if store is not None and self._rows:
            self._store_rows(store, time.monotonic())
        self._stopped.set()
        self._keeper.shutdown(cancel_futures=True)

    # --- inside ----------------------------------------------------------------------------------------------

    def _do(self, event: archive.Event, now: float) -> None:
        for order in self._archiving.handle(event, now):
            match order:
                case ArchivePlate():
                    self._links.send(PROCESS, order, now)
                case LetGo(plate):
                    self._let_go(plate)
                case PlateArchived():
                    self._rows.append(order)
                    self._wants_room = True
                    self._shortage.has()
                    self._tally.add("archive_plates_total", 1, "archived")
                    self._tally.add("archive_bytes_total", order.bytes)
                    self._log.info("a plate is archived", plate=order.plate, bytes=order.bytes, seconds=order.seconds)
                case LeftOut(plate, why, text):
                    self._rows.append(order)
                    self._wants_room = self._wants_room or why == "no room"
                    self._tally.add("archive_plates_total", 1, why)
                    if self._shortage.lacks(why, text, now):
                        self._log.warning("plates are missing in the archive", plate=plate, why=why, detail=text)

    def _store_rows(self, store: Store, now: float) -> None:
        while self._rows:
            row = self._rows[0]
            try:
                match row:
                    case LeftOut(plate, _, text):
                        leave_out(store, plate, text)
                    case PlateChallenged(plate, challenge):
                        enter_challenge(store, plate, challenge)
                    case PlateArchived(plate, size, digest):
                        enter(store, plate, self._path(plate), size, digest)
            except StoreError as error:
                if error.kind != "refused":
                    self._store_at = now + _RETRY_S
                    return
                # The plate was deleted meanwhile.
                self._log.warning("what became of a plate in the archive is not stored", error=str(error))
            self._rows.popleft()

    def _about(self, result: PlateResult, recipe: Recipe, store: Store | None) -> dict[str, str]:
        known = {"plate": str(result.plate), "run": self._run, "recipe": recipe.name, "verdict": result.verdict.value}
        try:
            return known | (about(store, result.plate) if store is not None else {})
        except StoreError as error:
            self._log.warning("a plate's file says less of it than it should", plate=result.plate, error=str(error))
            return known

    def _path(self, plate: int) -> Path:
        return archive_path(self._directory, self._run, plate)

    def _keep(self, store: Store | None, now: float) -> None:
        if self._keeping is not None and self._keeping.done():
            keeping, self._keeping = self._keeping, None
            self._tell(keeping)
        if store is None or self._keeping is not None:
            return
        is_due = self._aged_at is None or now - self._aged_at > _AGE_S
        if is_due or (self._wants_room and not self._rows):
            self._wants_room = False
            self._aged_at = now if is_due else self._aged_at
            self._keeping = self._keeper.submit(self._delete, store, whole=is_due)

    def _delete(self, store: Store, *, whole: bool) -> Deleted:
        retention = Retention(self._settings, self._directory, lambda: not self._stopped.is_set())
        if not whole:
            return retention.step(store, self._plate_bytes)
        strangers = adopt(store, self._directory)
        aged = retention.age(store)
        room = retention.step(store, self._plate_bytes, strangers)
        return Deleted(aged.age, room.size, room.room, aged.errors + room.errors)

    def _tell(self, future: Future[Deleted]) -> None:
        try:
            deleted = future.result()
        except Exception as error:  # noqa: BLE001 - what cannot be deleted ends no service
            self._log.error("old files of the archive could not be deleted", error=str(error))
            self._tally.add("store_failures_total", 1, "archive")
            return
        for reason in ("age", "size", "room"):
            if count := getattr(deleted, reason):
                self._log.info("files of the archive were deleted", plates=count, reason=reason)
                self._tally.add("archive_deleted_total", count, reason)
        for failure in deleted.errors:
            self._log.error("a file of the archive could not be deleted", error=failure)
            self._tally.add("store_failures_total", 1, "archive")

    def _news(self, now: float) -> list[ArchiveLacks | ArchiveInStep]:
        news = self._shortage.news(now)
        if any(isinstance(one, ArchiveInStep) for one in news):
            self._log.warning("the archive works again", missing=self._shortage.missing)
            self._shortage.missing = 0
        return news


def _give_way() -> None:
    """Let this thread run when nothing else wants to."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
