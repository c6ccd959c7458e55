"""The merge process between tile, a worker and record."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs
from structlog.testing import capture_logs

from config.load import load_recipe
from config.schema import Decision
from daemon.service.roles.merge import MergeProcess
from daemon.wire import messages as m
from daemon.wire.channel import Client, Server
from models.detector.findings import Quality
from stages.events import (
    Place,
    PlateClosed,
    PlateDecided,
    PlateFinal,
    PlateOpened,
    SayAgain,
    WindowScored,
    WindowsMerged,
)
from stages.plate import Cause, WindowResult
from tests.daemon.conftest import KEY, RUN, Parent, plan_of

LATE = load_recipe("P10B").model_copy(update={"decision": Decision(deadline_s=5.0)})
PLACE = Place(slot=0, generation=1, columns=50)
WINDOW = WindowResult(RUN, 1, 0, (), truncated=False, quality=Quality(), threshold=0.0, seconds=0.0)


class Neighbours:
    """Tile, a worker and record of one merge process."""

    def __init__(self, directory: Path, merge: Parent) -> None:
        self.parent = merge
        tile, worker, record = (m.Sender(RUN, role, 0, 1) for role in ("tile", "detect", "record"))
        self.record = Server(merge.context, record, directory / "record", KEY)
        self.tile = Client(merge.context, tile, directory / "merge", KEY)
        self.worker = Client(merge.context, worker, directory / "results", KEY)
        self.merged: list[int] = []
        self.decided: list[PlateDecided] = []

    def wait(self, done: Callable[[], object]) -> None:
        until = time.monotonic() + 30
        while not done():
            assert time.monotonic() < until
            now = time.monotonic()
            self.merged += [
                w for _, body in self.tile.receive(now) if isinstance(body, WindowsMerged) for w in body.windows
            ]
            self.decided += [body for _, body in self.record.receive(now) if isinstance(body, PlateDecided)]
            self.worker.receive(now)
            time.sleep(0.01)

    def close(self) -> None:
        for endpoint in (self.record, self.tile, self.worker):
            endpoint.close()


@pytest.fixture
def merge(tmp_path: Path, parent: Callable[..., Parent]) -> Iterator[Neighbours]:
    with closing(Neighbours(tmp_path, parent("merge", recipe=LATE))) as made:
        yield made


def test_a_plate_whose_last_news_comes_after_its_deadline_is_late(merge: Neighbours) -> None:
    """Also where every window is there by then."""
    now = time.monotonic()
    merge.worker.send(WindowScored(WINDOW, PLACE), now)
    merge.wait(lambda: merge.merged)
    merge.tile.send(PlateClosed(1, PLACE, 100, last_row_at=now - 6.0), now)
    merge.wait(lambda: merge.decided)
    result = merge.decided[0].result
    assert result.windows_scored == 1
    assert Cause.LATE in result.causes


@contextmanager
def unlooped(directory: Path) -> Iterator[MergeProcess]:
    """A merge process that was started and whose rounds the test makes."""
    lifeline, end = os.pipe()
    process = MergeProcess(plan_of(directory, "merge", lifeline, recipe=LATE))
    process.start()
    yield process
    for endpoint in process._endpoints:
        endpoint.close()
    process.context.destroy(linger=0)
    os.close(lifeline)
    os.close(end)


@pytest.mark.parametrize(("final", "said"), [(None, 1), (False, 0), (True, 0)])
def test_only_a_plate_that_is_not_decided_by_its_deadline_is_said_to_be_late(
    tmp_path: Path, final: bool | None, said: int
) -> None:
    """Not one that record is late to commit, and not one that a new tile process tells of again."""
    now = time.monotonic()
    with unlooped(tmp_path) as process, capture_logs() as logs:
        process._do(PlateOpened(1, PLACE), now)
        if final is not None:
            process._do(PlateClosed(1, None, 0, (Cause.OVERLOAD,), 0, now), now)
        if final:
            process._do(PlateFinal(1), now)
        process._on_tile((m.Sender(RUN, "tile", 0, 2), PlateClosed(1, PLACE, 100, last_row_at=now)), now + 6.0)
        process.tick(now + 6.0)
        process.tick(now + 7.0)
    late = [one for one in logs if one["event"] == "plate is late"]
    assert len(late) == said
    assert all(one["waits_for"] == "tile, to say that it has ended" for one in late)


def test_results_that_come_twice_or_of_no_window_are_counted_for_the_metrics(merge: Neighbours) -> None:
    now = time.monotonic()
    for result in (WINDOW, WINDOW, replace(WINDOW, window=10_000), replace(WINDOW, run="b" * 32)):
        merge.worker.send(WindowScored(result, PLACE), now)
    merge.wait(lambda: len(merge.merged) == 2)
    found = merge.parent.hear(m.Heartbeat).counters
    while "results_dropped_total/repeated" not in found or not found["results_dropped_total/foreign run"]:
        found = merge.parent.hear(m.Heartbeat).counters
    dropped = {key.partition("/")[2]: count for key, count in found.items() if key.startswith("results_dropped")}
    assert dropped == {"repeated": 1, "plate final": 0, "no such window": 1, "foreign run": 1, "another recipe": 0}


def test_a_window_of_a_slot_that_cannot_be_is_refused_and_counted(merge: Neighbours) -> None:
    """Whoever reads the pixels there would read beyond the plate memory."""
    now = time.monotonic()
    for slot in (-1, 10_000):
        merge.worker.send(WindowScored(WINDOW, structs.replace(PLACE, slot=slot)), now)
    merge.worker.send(WindowScored(WINDOW, PLACE), now)
    merge.wait(lambda: merge.merged)
    assert merge.merged == [0]
    found = merge.parent.hear(m.Heartbeat).counters
    while not found.get("messages_refused_total/no such slot"):
        found = merge.parent.hear(m.Heartbeat).counters
    assert found["messages_refused_total/no such slot"] == 2


def test_a_decision_that_record_could_not_take_is_said_again_when_asked_for(merge: Neighbours) -> None:
    now = time.monotonic()
    merge.tile.send(PlateClosed(1, None, 0, (Cause.OVERLOAD,), 0, now), now)
    merge.wait(lambda: merge.decided)
    merge.record.send("merge-0", SayAgain(), time.monotonic())
    # Once more, if it decided before it had heard that record is there.
    merge.wait(lambda: len(merge.decided) >= 2)
    assert all(decided == merge.decided[0] for decided in merge.decided)


def test_a_verdict_says_how_long_its_plate_was_worked_on_from_its_opening_to_its_last_window(merge: Neighbours) -> None:
    before = time.monotonic()
    merge.tile.send(PlateOpened(1, PLACE), before)
    while 1 not in merge.parent.hear(m.Heartbeat).plates:
        merge.tile.receive(time.monotonic())
    merge.worker.send(WindowScored(WINDOW, PLACE), time.monotonic())
    merge.wait(lambda: merge.merged)
    after = time.monotonic()
    merge.tile.send(PlateClosed(1, PLACE, 100), time.monotonic())
    merge.wait(lambda: merge.decided)
    seconds = merge.decided[0].inspection_s
    assert seconds is not None
    assert 0 < seconds < after - before
