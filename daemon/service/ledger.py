"""The plates of one run as the supervisor hears of them: seen = with a verdict + open, always.

The store's ledger is what counts; this one is what the supervisor waits for, shows and exports.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import structlog

from config.schema import Pitch
from daemon.store.results import Store, StoreError, store_path
from daemon.store.rows import RunFacts
from daemon.store.state import RunEnd
from daemon.telemetry.metrics import Metrics
from stages.events import VerdictCommitted
from stages.plate import Cause, PlateResult, Verdict, found_and_vetoed

IMAGES_LEFT = 3
"""Exit code of a run that gave every plate its verdict, and could not inspect some images of a replayed folder."""
_NOT_INSPECTED = frozenset({Cause.UNREADABLE, Cause.WRONG_WIDTH})


class RunLedger:
    """Counts plates and their verdicts, in the metrics and the log too."""

    def __init__(self, metrics: Metrics, pitch: Pitch | None, log: structlog.typing.FilteringBoundLogger) -> None:
        self.seen = 0
        self.last = 0
        """Number of the plate that was seen last; 0 before the first."""
        self.open: set[int] = set()
        """Plates seen that have no verdict yet."""
        self.images: dict[int, str] = {}
        """Names of the image files that a replay showed, of open plates."""
        self.not_inspected = 0
        """Plates of image files that could not be read, or are no sheet of this recipe."""
        self.cut_short: tuple[int, ...] = ()
        """Plates that got their verdict from `close_in_store`."""
        self.verdicts = dict.fromkeys(Verdict, 0)
        self._metrics = metrics
        self._pitch = pitch
        self._log = log

    def begin_in_store(self, state: Path, facts: RunFacts, previous: RunEnd) -> int:
        """Begin the run in the store; the number of its first plate. Raises StoreError.

        Plates that an earlier run left open get their verdict by this, and are counted as verdicts here.
        """
        with Store.open(store_path(state)) as store:
            begun = store.begin_run(facts)
        self._metrics.begun(previous, len(begun.closed))
        if previous in (RunEnd.DIED, RunEnd.FAILED):
            self._log.warning("nobody stopped the run before", end=previous)
        if begun.closed:
            self._log.warning(
                "plates that an earlier run left open are INCONCLUSIVE now",
                cause=Cause.SERVICE_DIED,
                plates=list(begun.closed),
            )
        return begun.first_plate

    def saw(self, plate: int, image: str | None = None) -> None:
        """The switch saw a plate begin, and a replay showed this image file."""
        if image is not None:
            self.images[plate] = image
        self.last = plate
        self.seen += 1
        self.open.add(plate)
        # Open before seen here, and after the verdict below: no scrape finds a plate that is neither.
        self._metrics.set_open_plates(len(self.open))
        self._metrics.count("plates_seen_total")

    def committed(self, committed: VerdictCommitted) -> bool:
        """A verdict is committed; False, and nothing is counted, for a plate that is not open."""
        result = committed.result
        if result.plate not in self.open:
            return False
        self.open.discard(result.plate)
        self.verdicts[result.verdict] += 1
        image = self.images.pop(result.plate, result.image)
        self.not_inspected += bool(_NOT_INSPECTED & set(result.causes))
        self._count(result)
        self._metrics.set_open_plates(len(self.open))
        found, vetoed = found_and_vetoed(result.defects)
        self._log.info(
            "plate final",
            plate=result.plate,
            verdict=result.verdict,
            **({} if image is None else {"image": image}),
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

    def close_in_store(self, state: Path, facts: RunFacts, cause: Cause) -> None:
        """End in the store the plates that no process is left to end; without a store the next start does it."""
        if not self.open:
            return
        try:
            with Store.open(store_path(state)) as store:
                store.begin_run(facts)
                for plate in sorted(self.open):
                    store.seen(facts.run, plate, datetime.now(UTC), self.images.get(plate))
                self.cut_short = store.close_open(facts.run, cause)
        except StoreError as error:
            # The next start gives them their verdict: service died.
            self._log.error("plates are left without a verdict", plates=sorted(self.open), error=str(error))
            return
        # The others were committed by a record that was not heard any more.
        self._log.error("plates ended without their windows", plates=list(self.cut_short), cause=cause)
        self.open.clear()

    def __str__(self) -> str:
        counts = ", ".join(f"{count} {verdict}" for verdict, count in self.verdicts.items())
        return f"{self.seen} plates seen: {counts}, {len(self.open)} open"

    def _count(self, result: PlateResult) -> None:
        self._metrics.count("plates_total", 1, result.verdict)
        for cause in result.causes:
            self._metrics.count("plate_causes_total", 1, cause)
        pixels = result.inspected_px
        self._metrics.count("pixels_total", pixels)
        found, vetoed = found_and_vetoed(result.defects)
        self._metrics.count("defects_total", found)
        self._metrics.count("defects_vetoed_total", vetoed)
        if self._pitch is not None:
            self._metrics.count("inspected_area_mm2_total", pixels * self._pitch.row_mm * self._pitch.column_mm)
