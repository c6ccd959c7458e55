"""Pictures give way: verdicts are committed on a full disk, and what is deleted or left out is said."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from config.schema import Results, Retention
from daemon.service.pictures import PictureKeeper, Written
from daemon.store.pictures import free_bytes, kept_free, plate_directory
from daemon.store.results import Store, store_path
from daemon.telemetry.counters import Tally
from daemon.wire.plate_memory import Hold, SlotFacts
from stages.events import Place, RoomEnough, RoomShort
from stages.plate import Cause, PlateResult, Verdict
from tests.daemon.conftest import FACTS, RUN

NOW = datetime.now(UTC)
IMAGE = np.random.default_rng(1).integers(0, 256, (600, 600), dtype=np.uint8)
"""Noise: its overview takes some 300 KB."""


def result(plate: int) -> PlateResult:
    rows, columns = IMAGE.shape
    return PlateResult(RUN, plate, Verdict.NG, (Cause.DEFECT,), "why", True, rows, columns, 1, 1, 1.0)


class Record:
    """A store and the keeper of its pictures, as the record process drives them."""

    def __init__(self, state: Path, store: Store, settings: Results) -> None:
        self.state, self.store = state, store
        self.tally = Tally()
        self.keeper = PictureKeeper(state, RUN, settings, self.tally)
        self.news: list[RoomShort | RoomEnough] = []
        self.plate = 0
        self.tick()

    def tick(self, later: float = 0.0) -> None:
        self.news += self.keeper.tick(self.store, time.monotonic() + later)

    def inspect(self) -> Written:
        """Commit a verdict, and write the plate's pictures."""
        self.plate += 1
        assert self.store.commit_verdict(result(self.plate), decided_at=NOW)
        facts = SlotFacts(
            self.plate, Place(0, 1, IMAGE.shape[1]), IMAGE.shape[0], 0, True, (), frozenset({Hold.RECORD})
        )
        self.keeper.write(facts, IMAGE, result(self.plate), "title")
        (written,) = self.keeper.written(time.monotonic(), wait=True)
        self.tick()
        return written

    def until(self, name: str) -> float:
        """Tick until that is counted; how much."""
        end = time.monotonic() + 30
        while name not in self.tally.values():
            assert time.monotonic() < end
            self.tick()
            time.sleep(0.01)
        return self.tally.values()[name]


@contextmanager
def recording(state: Path, settings: Results, kind: type[Store] = Store) -> Iterator[Record]:
    with kind.open(store_path(state)) as store:
        store.begin_run(FACTS)
        record = Record(state, store, settings)
        yield record
        record.keeper.stop(time.monotonic())


def pictured(state: Path) -> list[int]:
    return sorted(int(folder.name) for folder in (state / "pictures").glob("*/*"))


def test_on_a_disk_that_pictures_would_fill_the_oldest_go_and_every_verdict_is_committed(small_disk: Path) -> None:
    with recording(small_disk, Results()) as record:
        for _ in range(30):
            record.inspect()
        assert record.store.ledger().ng == 30
        kept = pictured(small_disk)
        assert kept == list(range(31 - len(kept), 31))
        assert 2 <= len(kept) < 10
        assert free_bytes(small_disk) > kept_free(small_disk) / 2
        assert [type(one) for one in record.news] == [RoomShort]
        assert record.tally.values()["pictures_pruned_total/room"] == 30 - len(kept)


def test_where_others_fill_the_disk_new_pictures_are_left_out_until_there_is_room(small_disk: Path) -> None:
    foreign = small_disk / "foreign"
    with recording(small_disk, Results()) as record:
        foreign.write_bytes(b"x" * (free_bytes(small_disk) - kept_free(small_disk) + 1000))
        assert record.inspect().directory is None
        assert pictured(small_disk) == []
        assert record.tally.values()["pictures_left_out_total"] == 1
        record.tick(later=100)
        assert [type(one) for one in record.news] == [RoomShort]
        foreign.unlink()
        for later in range(200, 10_000, 100):
            # What was asked of a thread before there was room may still be answered.
            record.tick(later=later)
            if len(record.news) > 1:
                break
            time.sleep(0.01)
        assert [type(one) for one in record.news] == [RoomShort, RoomEnough]
        assert record.inspect().directory == plate_directory(small_disk, RUN, 2)
        assert record.store.ledger().ng == 2


def test_a_store_without_room_has_old_pictures_deleted(small_disk: Path) -> None:
    with recording(small_disk, Results()) as record:
        for _ in range(3):
            record.inspect()
        record.keeper.make_room(time.monotonic())
        assert record.until("pictures_pruned_total/room") == 1
        assert pictured(small_disk) == [2, 3]


def test_pictures_of_former_runs_are_counted_and_go_first(tmp_path: Path) -> None:
    for plate in range(100, 110):
        former = plate_directory(tmp_path, "f" * 32, plate)
        former.mkdir(parents=True)
        (former / "overview.jpg").write_bytes(b"x" * 1000)
    with recording(tmp_path, Results(retention=Retention(most_gb=3500e-9))) as record:
        assert record.until("pictures_pruned_total/size") == 7
        assert pictured(tmp_path) == [107, 108, 109]


class _SlowStore(Store):
    """A store whose answer to the pruning takes until the test lets it go on."""

    go_on = threading.Event()

    def prune(self, days: float, most: int = 100) -> list[tuple[str, int]]:
        self.go_on.wait(30)
        return super().prune(days, most)


def test_pictures_are_written_while_a_pruning_takes_long(tmp_path: Path) -> None:
    with recording(tmp_path, Results(), _SlowStore) as record:
        assert record.inspect().directory is not None
        _SlowStore.go_on.set()


class _BrokenStore(Store):
    def prune(self, days: float, most: int = 100) -> list[tuple[str, int]]:
        raise OverflowError(days, most)


def test_a_pruning_that_fails_in_any_way_is_logged_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with recording(tmp_path, Results(), _BrokenStore) as record:
        assert record.until("store_failures_total/pruning") == 1
        assert record.inspect().directory is not None
    assert "old results could not be deleted" in capsys.readouterr().out


def test_a_plate_whose_pictures_fail_in_any_way_is_let_go(tmp_path: Path) -> None:
    (tmp_path / "pictures").write_text("in the way")
    with recording(tmp_path, Results()) as record:
        written = record.inspect()
        assert (written.facts.plate, written.directory) == (1, None)
        assert record.tally.values()["store_failures_total/pictures"] == 1


def test_a_damaged_page_where_nothing_is_written_is_found_within_the_hour(tmp_path: Path) -> None:
    with Store.open(store_path(tmp_path)) as store:
        store.begin_run(FACTS)
        record = Record(tmp_path, store, Results())
        for _ in range(60):
            record.plate += 1
            store.commit_verdict(result(record.plate), decided_at=NOW)
        store.settle()
        with store.path.open("r+b") as file:
            file.seek(-8192, 2)
            file.write(b"\xa5" * 8192)
        record.tick(700.0)
        until = time.monotonic() + 30
        while record.keeper.damage is None:
            assert time.monotonic() < until
            record.tick(4400.0)
            time.sleep(0.01)
        record.keeper.stop(time.monotonic())
