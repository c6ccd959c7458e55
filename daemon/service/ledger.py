"""The plates of one run as the supervisor hears of them: seen = with a verdict + open, always.

The store's ledger is what counts; this one is what the supervisor waits for, shows and exports. At the end of the run
it takes its counts from the store. Each plate is in the journal before anybody is told that it was seen.
"""

from __future__ import annotations

import shlex
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import structlog

from config.schema import Pitch
from config.schema import Store as StoreSettings
from daemon.store.carry_over import CarriedOver
from daemon.store.journal import NOTHING, Journal, Kept, journal_path, read_journal
from daemon.store.part_ids import part_ids
from daemon.store.reading import is_alone
from daemon.store.reconcile import Missing
from daemon.store.results import Store, StoreError, store_path
from daemon.store.rows import RunFacts
from daemon.store.shared import Opened, when_free
from daemon.store.sound import open_sound
from daemon.store.state import RunEnd
from daemon.store.where import note_url
from daemon.telemetry.metrics import Metrics
from stages.events import VerdictCommitted
from stages.plate import Cause, PlateResult, Verdict, found_and_vetoed
from stages.plc import Part

_START_S = 10.0
"""Longest wait at the start for a program that holds the store; at the end less, for nobody waits for a stop."""
_END_S = 3.0
_LONG_LOOK_BYTES = 200_000_000
"""To look at a store of that size takes about a second."""

_PART_IDS = 4096
"""Plates of earlier runs whose part ids no sheet may have again."""

IMAGES_LEFT = 3
"""Exit code of a run that gave every plate its verdict, and could not inspect some images of a replayed folder."""
_NOT_INSPECTED = frozenset({Cause.UNREADABLE, Cause.WRONG_WIDTH})

FILE = StoreSettings()


class RunLedger:
    """Counts plates and their verdicts, in the metrics and the log too."""

    def __init__(
        self, metrics: Metrics, pitch_of: Callable[[int], Pitch | None], log: structlog.typing.FilteringBoundLogger
    ) -> None:
        """`pitch_of` says how large the pixels of a plate are."""
        self.seen = 0
        self.last = 0
        """Number of the plate that was seen last; 0 before the first."""
        self.open: set[int] = set()
        """Plates seen that have no verdict yet."""
        self.images: dict[int, str] = {}
        """Names of the image files that a replay showed, of open plates."""
        self.parts: dict[int, Part] = {}
        """What a PLC said of open plates."""
        self.cameras: dict[int, str] = {}
        """Serial numbers of the cameras that see open plates."""
        self.not_inspected = 0
        """Plates of image files that could not be read, or are no sheet of this recipe."""
        self.part_ids: dict[str, int] = {}
        """Part ids that plates of earlier runs have, the latest last, and their numbers."""
        self.cut_short: tuple[int, ...] = ()
        """Plates that got their verdict from `end_in_store`."""
        self.verdicts = dict.fromkeys(Verdict, 0)
        self._metrics = metrics
        self._pitch_of = pitch_of
        self._log = log
        self._journal: Journal | None = None
        """None before the run has begun."""
        self._journal_told: str | None = None

    def begin_in_store(self, state: Path, facts: RunFacts, previous: RunEnd, where: StoreSettings = FILE) -> int:
        """Begin the run in the store and the journal; the number of its first plate.

        Plates that an earlier run left open get their verdict by this, and are counted as verdicts here. `where`
        says in what the store lies.

        Raises:
            StoreError: the store cannot be used.
            JournalError: the journal is there and cannot be read.
        """
        note_url(store_path(state), where.url)
        kept = read_journal(journal_path(state))
        self._tell_journal(kept, journal_path(state))
        self._tell_long_look(store_path(state))
        alone = is_alone(store_path(state))
        store, aside = self._when_free(lambda: open_sound(store_path(state)), _START_S)
        with store:
            if alone and store.in_use():
                self._log.warning("the result store is a copy made at work: its latest plates may be missing")
            begun = store.begin_run(facts, kept)
            self.part_ids = part_ids(store, _PART_IDS)
        self._metrics.begun(previous, len(begun.closed))
        if previous in (RunEnd.DIED, RunEnd.FAILED):
            self._log.warning("nobody stopped the run before", end=previous)
        if aside is not None:
            self._metrics.count("store_failures_total", 1, "broken")
            self._log.error(
                "the result store is damaged: it was set aside, and a new one is begun",
                error=aside.damage,
                set_aside=str(aside.path),
                advice=f"rescue its rows: sqlite3 {shlex.quote(str(aside.path))} .recover",
            )
        self._tell_carried_over(store.carried_over)
        self._tell_missing(begun.found, begun.last_stored, kept)
        if begun.closed:
            self._log.warning(
                "plates that an earlier run left open are INCONCLUSIVE now",
                cause=Cause.SERVICE_DIED,
                plates=list(begun.closed),
            )
        self._journal = Journal(journal_path(state), facts, begun.first_plate - 1, time.monotonic)
        return begun.first_plate

    @property
    def journal_failure(self) -> str | None:
        """Why sightings are not written to the journal; None while they are."""
        return None if self._journal is None else self._journal.failure

    def tick(self) -> None:
        """See to the journal; say when it begins or ceases to fail."""
        if self._journal is None:
            return
        self._journal.tick()
        failure = self._journal.failure
        if failure is not None and self._journal_told is None:
            self._metrics.count("store_failures_total", 1, "journal")
            self._log.error(
                "the journal of plates cannot be written: only the result store has what is seen", error=failure
            )
        elif failure is None and self._journal_told is not None:
            self._log.warning("the journal of plates works again")
        self._journal_told = failure

    def saw(
        self,
        plate: int,
        image: str | None = None,
        facts: RunFacts | None = None,
        part: Part | None = None,
        camera: str | None = None,
    ) -> None:
        """The switch saw a plate begin, of which these facts are stored.

        A replay showed this image file, a PLC said this of the sheet, and the camera has this serial number.
        """
        if image is not None:
            self.images[plate] = image
        if part is not None:
            self.parts[plate] = part
        if camera is not None:
            self.cameras[plate] = camera
        if self._journal is not None:
            self._journal.seen(plate, datetime.now(UTC), image, facts, part, camera)
        self.last = plate
        self.seen += 1
        self.open.add(plate)
        # Open before seen here, and after the verdict below: no scrape finds a plate that is neither.
        self._metrics.set_open_plates(len(self.open))
        self._metrics.count("plates_seen_total")

    def judged_by(self, plate: int, facts: RunFacts) -> None:
        """These facts are stored of an open plate; again is no harm."""
        if self._journal is not None and self._journal.facts_of(plate) not in (None, facts):
            image, part, camera = self.images.get(plate), self.parts.get(plate), self.cameras.get(plate)
            self._journal.seen(plate, datetime.now(UTC), image, facts, part, camera)

    def committed(self, committed: VerdictCommitted) -> bool:
        """A verdict is committed; False, and nothing is counted, for a plate that is not open."""
        result = committed.result
        if result.plate not in self.open:
            return False
        if self._journal is not None:
            self._journal.final(result.plate, result.verdict)
        self.open.discard(result.plate)
        self.verdicts[result.verdict] += 1
        image = self.images.pop(result.plate, result.image)
        part = self.parts.pop(result.plate, None)
        self.cameras.pop(result.plate, None)
        ids = {} if part is None else {"part_id": part.part_id, "batch_id": part.batch_id}
        self.not_inspected += bool(_NOT_INSPECTED & set(result.causes))
        self._count(result)
        if committed.optics is not None:
            self._metrics.set_optics(committed.optics)
        self._metrics.set_open_plates(len(self.open))
        found, vetoed = found_and_vetoed(result.defects)
        self._log.info(
            "plate final",
            plate=result.plate,
            verdict=result.verdict,
            **({} if image is None else {"image": image}),
            **ids,
            reason=result.reason,
            defects=found,
            vetoed=vetoed,
            coverage=result.coverage,
            classifier=result.classifier,
            latency_s=committed.latency_s,
        )
        return True

    @property
    def exit_code(self) -> int:
        """What a run ends with that lost no role."""
        return 1 if self.open else IMAGES_LEFT if self.not_inspected else 0

    def end_in_store(self, state: Path, facts: RunFacts, cause: Cause) -> None:
        """End in the store the plates that no process is left to end, and count from there what the run came to.

        Without a store the next start does it, from the journal.
        """
        if self._journal is None:
            return
        try:
            with self._when_free(lambda: Store.open(store_path(state)), _END_S) as store:
                store.check()
                begun = store.begin_run(facts, self._journal.kept)
                self.cut_short = store.close_open(facts.run, cause)
                counted = store.ledger(facts.run)
                store.end_run()
        except StoreError as error:
            # The next start gives open plates their verdict: service died.
            self._log.error(
                "the result store could not be closed in order: the next start sees to it",
                open_plates=sorted(self.open),
                error=str(error),
            )
        else:
            self._tell_missing(
                Missing(untold=begun.found.untold, changed=begun.found.changed), begun.last_stored, NOTHING
            )
            if self.cut_short:
                # The others were committed by a record that was not heard any more.
                self._log.error("plates ended without their windows", plates=list(self.cut_short), cause=cause)
            self.seen = counted.seen
            self.verdicts = {Verdict.OK: counted.ok, Verdict.NG: counted.ng, Verdict.INCONCLUSIVE: counted.inconclusive}
            self.open.clear()
        self._journal.close()
        self.tick()

    def __str__(self) -> str:
        counts = ", ".join(f"{count} {verdict}" for verdict, count in self.verdicts.items())
        return f"{self.seen} plates seen: {counts}, {len(self.open)} open"

    def _when_free(self, use: Callable[[], Opened], most_s: float) -> Opened:
        """Use the store, once a program that holds it has let go; raises StoreError when it has not in that time."""

        def waiting(error: StoreError) -> None:
            self._log.warning("waiting for the result store", error=str(error), most_s=most_s)

        return when_free(use, most_s, waiting)

    def _tell_long_look(self, path: Path) -> None:
        size = path.stat().st_size if path.is_file() else 0
        if size > _LONG_LOOK_BYTES:
            self._log.info("looking at the whole result store", megabytes=round(size / 1e6))

    def _tell_carried_over(self, done: CarriedOver | None) -> None:
        if done is None:
            return
        if done.copy is not None:
            self._log.info(
                "the result store of a former version was brought up to this one, and a copy kept: delete it once you "
                "will not go back to the former release",
                version=done.version,
                copy=str(done.copy),
            )
        else:
            self._log.warning(
                "the result store of a former version was brought up to this one, and no copy could be kept: without "
                "a backup the former release cannot read it",
                version=done.version,
                error=done.why_no_copy,
            )

    def _tell_journal(self, kept: Kept, path: Path) -> None:
        """Say what of the journal could not be read; keep it for people where more than its end is missing."""
        if kept.damaged:
            aside = path.with_name(f"{path.name}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S%f}")
            try:
                shutil.copyfile(path, aside)
            except OSError as error:
                self._log.error("the damaged journal could not be kept", error=str(error))
            self._log.error(
                "lines of the journal of plates cannot be read: plates that only they knew are lost",
                lines=kept.damaged,
                copy=str(aside),
            )
        if kept.torn:
            self._log.warning("the last line of the journal of plates is not whole: it was being written at the end")

    def _tell_missing(self, found: Missing, last_stored: int, kept: Kept) -> None:
        """Say what the journal knew and the store did not."""
        if found.unseen:
            self._log.warning(
                "plates that were seen and not yet stored are stored now", plates=[one.plate for one in found.unseen]
            )
        if found.untold:
            self._metrics.count("store_failures_total", len(found.untold), "lost")
            self._log.error(
                "verdicts that were told are not in the result store: they are stored again, without their defects",
                plates={one.plate: one.verdict for one in found.untold},
            )
        if found.changed:
            self._metrics.count("store_failures_total", len(found.changed), "lost")
            self._log.error(
                "the result store has other verdicts than were told: they stay as they are",
                told={one.plate: one.verdict for one in found.changed},
            )
        if last_stored < kept.before:
            self._metrics.count("store_failures_total", 1, "lost")
            self._log.error(
                "plates are not in the result store: it is new, or an older copy",
                first=last_stored + 1,
                last=kept.before,
            )

    def _count(self, result: PlateResult) -> None:
        self._metrics.count("plates_total", 1, result.verdict)
        for cause in result.causes:
            self._metrics.count("plate_causes_total", 1, cause)
        pixels = result.inspected_px
        self._metrics.count("pixels_total", pixels)
        found, vetoed = found_and_vetoed(result.defects)
        self._metrics.count("defects_total", found)
        self._metrics.count("defects_vetoed_total", vetoed)
        pitch = self._pitch_of(result.plate)
        if pitch is not None:
            self._metrics.count("inspected_area_mm2_total", pixels * pitch.row_mm * pitch.column_mm)
