"""The evidence of final plates: pictures, and pixels in the archive. A slot is free when neither reads it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import structlog

from config.schema import Config, Recipe
from daemon.service.archiving import PROCESS, ArchiveDesk, Said
from daemon.service.pictures import PictureKeeper, Written, title_of
from daemon.store.results import Store, StoreDamagedError, StoreError
from daemon.telemetry.counters import Tally
from daemon.wire.channel import Server
from daemon.wire.plate_memory import Hold, PlateMemory, SlotFacts
from stages.events import ArchiveInStep, ArchiveLacks, PlateChallenged, RoomEnough, RoomShort
from stages.plate import PlateResult

News = RoomShort | RoomEnough | ArchiveLacks | ArchiveInStep


class EvidenceDesk:
    """Record's evidence of one run.

    Args:
        config: of the service.
        state: state directory.
        run: id of the run.
        memory: where the plates lie.
        failed: told where the store does not take what it is to know of pictures.
        tally: of record.
    """

    def __init__(
        self,
        config: Config,
        state: Path,
        run: str,
        memory: PlateMemory,
        failed: Callable[[StoreError], None],
        tally: Tally,
    ) -> None:
        self._memory, self._failed = memory, failed
        self._pictures_on = config.results.pictures
        self._held: dict[int, tuple[SlotFacts, int]] = {}
        """Plates whose slots are read, and by how many."""
        plate_bytes = memory.shape.rows * memory.shape.columns
        self.archive = ArchiveDesk(config, state, run, plate_bytes, self._let_go, tally)
        self._pictures = PictureKeeper(state, run, config.results, tally, self.archive.forget)

    @property
    def busy(self) -> bool:
        """Whether slots wait for evidence."""
        return self._pictures.writing or self.archive.holds

    def begin(self, links: Server) -> None:
        """The sockets are there."""
        self.archive.begin(links)

    def keep(
        self, facts: SlotFacts, result: PlateResult | None, recipe: Recipe, store: Store | None, now: float
    ) -> None:
        """Keep what is to be kept of a final plate; its slot is let go when that is done, or at once.

        A plate may be final more than once, for a verdict is said again to who has not heard it.
        """
        if facts.plate in self._held:
            return
        # All rows that came: those of a plate that was cut off are a lower bound, and defects may lie below.
        self._held[facts.plate] = (facts, 1)
        if result is not None and result.rows:
            if self._pictures_on:
                self._hold(facts.plate)
                pixels = self._memory.pixels(facts.slot)[: facts.rows, : result.columns]
                self._pictures.write(facts, pixels, result, title_of(recipe.name, result))
            self._hold(facts.plate)
            if not self.archive.take(facts, result, recipe, store, now):
                self._let_go(facts.plate)
        self._let_go(facts.plate)

    def lost(self, facts: SlotFacts) -> None:
        """The record process before had the plate's evidence in work."""
        structlog.get_logger().warning("pictures of a plate are lost: record was restarted", plate=facts.plate)
        self._memory.release(facts.slot, Hold.RECORD)

    def joined(self, process: str, now: float) -> None:
        """A process is there: perhaps the archiver."""
        if process == PROCESS:
            self.archive.joined(now)

    def challenged(self, said: PlateChallenged) -> None:
        """What a candidate says of a plate in the archive."""
        self.archive.challenged(said)

    def hear(self, said: Said, now: float) -> None:
        """What the archiver says, or that there is none any more."""
        self.archive.hear(said, now)

    def make_room(self, now: float) -> None:
        """The result store found no room."""
        self._pictures.make_room(now)

    def tick(self, store: Store | None, now: float) -> list[News]:
        """Finish what is done, delete what is old; what the supervisor has to know."""
        for written in self._pictures.written(now):
            self._finish(written, store)
        free = len(self._memory.free_places())
        return [*self._pictures.tick(store, now), *self.archive.tick(store, free, now)]

    def damage(self) -> StoreDamagedError | None:
        """What a look at the whole store has found since it was asked last."""
        found, self._pictures.damage = self._pictures.damage, None
        return found

    def stop(self, store: Store | None, now: float) -> None:
        """Finish the pictures in work, and store what became of plates in the archive."""
        for written in self._pictures.stop(now):
            self._finish(written, store)
        self.archive.stop(store)

    def _finish(self, written: Written, store: Store | None) -> None:
        self._let_go(written.facts.plate)
        if store is not None and written.directory is not None:
            try:
                store.set_pictures(written.facts.plate, written.directory)
            except StoreError as error:
                self._failed(error)

    def _hold(self, plate: int) -> None:
        facts, readers = self._held[plate]
        self._held[plate] = (facts, readers + 1)

    def _let_go(self, plate: int) -> None:
        facts, readers = self._held.pop(plate)
        if readers > 1:
            self._held[plate] = (facts, readers - 1)
        else:
            self._memory.release(facts.slot, Hold.RECORD)
