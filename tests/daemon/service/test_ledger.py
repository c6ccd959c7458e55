"""The plates of a run as the supervisor counts them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import structlog

from config.schema import Pitch
from daemon.service.ledger import RunLedger
from daemon.store.results import Store, store_path
from daemon.store.rows import RunFacts
from daemon.telemetry.metrics import Metrics
from stages.events import VerdictCommitted
from stages.plate import Cause, Defect, PlateResult, Verdict

CRACK = Defect(100, 200, 12, 80, 500, 0.8, 105, 240, edge=False)
RESULT = PlateResult(
    run="a" * 32,
    plate=7,
    verdict=Verdict.NG,
    causes=(Cause.DEFECT,),
    reason="",
    complete=True,
    rows=1000,
    columns=500,
    windows=4,
    windows_scored=3,
    coverage=1.0,
    defects=(CRACK, replace(CRACK, vetoed=True)),
)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics("1", "small")


@pytest.fixture
def ledger(metrics: Metrics) -> RunLedger:
    return RunLedger(metrics, Pitch(row_mm=0.05, column_mm=0.04), structlog.get_logger())


def test_seen_is_verdicts_and_open_and_the_metrics_say_the_same(ledger: RunLedger, metrics: Metrics) -> None:
    for plate in (7, 8):
        ledger.saw(plate)
    assert ledger.committed(VerdictCommitted(RESULT, None))
    assert str(ledger) == "2 plates seen: 0 OK, 1 NG, 0 INCONCLUSIVE, 1 open"
    assert ledger.last == 8
    assert metrics.total("plates_seen_total") == 2
    assert metrics.registry.get_sample_value("linesentry_open_plates") == 1
    assert metrics.total("plates_total", "NG") == metrics.total("plate_causes_total", Cause.DEFECT) == 1


def test_pixels_and_area_count_what_was_scored_and_a_vetoed_defect_is_none(ledger: RunLedger, metrics: Metrics) -> None:
    ledger.saw(7)
    ledger.committed(VerdictCommitted(RESULT, None))
    assert metrics.total("pixels_total") == 375_000
    assert metrics.total("inspected_area_mm2_total") == pytest.approx(750.0)
    assert (metrics.total("defects_total"), metrics.total("defects_vetoed_total")) == (1, 1)


def test_a_verdict_on_a_plate_that_is_not_open_counts_nothing(ledger: RunLedger, metrics: Metrics) -> None:
    ledger.saw(7)
    assert ledger.committed(VerdictCommitted(RESULT, None))
    assert not ledger.committed(VerdictCommitted(RESULT, None))
    assert metrics.total("plates_total", "NG") == 1


def test_open_plates_that_no_process_is_left_to_end_get_their_verdict_in_the_store(
    ledger: RunLedger, tmp_path: Path
) -> None:
    for plate in (7, 8):
        ledger.saw(plate)
    ledger.close_in_store(tmp_path, RunFacts(run="a" * 32, recipe="small", simulated=True), Cause.SHUTDOWN)
    with Store.open(store_path(tmp_path)) as store:
        rows = store.plates(limit=None)
    assert [(row.plate, row.verdict, row.causes) for row in rows] == [
        (plate, Verdict.INCONCLUSIVE, (Cause.SHUTDOWN,)) for plate in (8, 7)
    ]
    assert not ledger.open


def test_a_store_that_cannot_be_opened_leaves_them_to_the_next_start(ledger: RunLedger, tmp_path: Path) -> None:
    ledger.saw(7)
    store_path(tmp_path).write_bytes(b"this is no database" * 100)
    ledger.close_in_store(tmp_path, RunFacts(run="a" * 32, recipe="small", simulated=True), Cause.SHUTDOWN)
    assert ledger.open == {7}
