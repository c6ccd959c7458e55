"""The alarm about a plate that gets no verdict: in health, metrics and log, with what it waits for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import structlog
from prometheus_client import generate_latest
from structlog.testing import capture_logs

from config.load import load_recipe
from config.schema import Config, Restart
from daemon.service.ledger import RunLedger
from daemon.service.overdue import within_s
from daemon.service.overdue_alarm import OverdueAlarm
from daemon.telemetry.metrics import Metrics
from daemon.wire.messages import Heartbeat
from daemon.wire.plate_memory import PlateMemory
from stages.events import Place, PlateClosed
from tests.daemon.conftest import SHAPE
from tests.daemon.service.test_children import Watch

CONFIG = Config(restart=Restart(hang_s=2.0, start_s=8.0))


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    made = Watch(tmp_path, CONFIG.restart)
    for role in ("tile", "merge"):
        made.children.add(role, 0)
    yield made
    made.close()


def test_a_plate_that_gets_no_verdict_is_said_everywhere_with_what_it_waits_for_until_it_has_one(watch: Watch) -> None:
    recipe, metrics = load_recipe("P10B"), Metrics("0", "P10B")
    ledger = RunLedger(metrics, lambda _: recipe.pitch, structlog.get_logger())
    alarm = OverdueAlarm(CONFIG, lambda _: recipe, metrics, ledger)
    started = time.monotonic()

    def after(seconds: float) -> str | None:
        return alarm.look(started + seconds, memory, watch.children, line_ended=False)

    with closing(PlateMemory.create(SHAPE)) as memory, capture_logs() as logs:
        place = Place(0, 1, SHAPE.columns)
        memory.open(place, 12)
        memory.close_plate(PlateClosed(12, place, 100, last_row_at=started))
        ledger.open.add(12)
        words = {12: "workers: 2 windows wait for one, 0 are with one"}
        watch.children.heard("tile", 0, Heartbeat(watch.children.pids("tile")[0], {}, waits_for=words), started)
        for second in range(round(within_s(CONFIG, recipe)) + 1):
            assert after(second) is None
        assert after(12.0) == f"plate 12 has had no verdict for 12 s: tile waits for {words[12]}"
        assert after(13.0) == f"plate 12 has had no verdict for 13 s: tile waits for {words[12]}"
        assert "linesentry_plate_overdue_seconds 13.0" in generate_latest(metrics.registry).decode()
        ledger.open.clear()
        assert after(14.0) is None
        assert "linesentry_plate_overdue_seconds 0.0" in generate_latest(metrics.registry).decode()
    assert [(line["event"], line["plate"]) for line in logs if "verdict" in line["event"]] == [
        ("no verdict in time", 12),
        ("plates get their verdicts again", 12),
    ]
