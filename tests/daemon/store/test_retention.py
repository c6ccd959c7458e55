"""Retention: what is too old or too large goes, with its pictures, and nothing else, whatever a clock says."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from config.schema import Retention
from daemon.store.pictures import Pictures, plate_directory
from daemon.store.results import RunFacts, Store, store_path
from daemon.store.retention import Pruning, prune
from stages.plate import Cause

DAY = 86_400.0
NOW = datetime(2026, 5, 4, tzinfo=UTC)


class Service:
    """A store and its pictures in use, run by run, with a wall clock and a clock that counts the seconds of work."""

    store: Store
    pictures: Pictures

    def __init__(self, state: Path) -> None:
        self.state = state
        self.wall = NOW
        self.worked = 0.0
        self.run = ""
        self.plate = 0
        self.start()

    def start(self) -> None:
        """Begin the next run; the machine was started anew, so that its clock of work begins anywhere."""
        if self.run:
            self.store.close()
        self.run = f"{len(self.run) and int(self.run[:8], 16) + 1:08x}".ljust(32, "0")
        self.worked = 17.0
        self.store = Store.open(store_path(self.state), clock=lambda: self.worked)
        self.store.begin_run(RunFacts(self.run, "P10B", simulated=True))
        self.pictures = Pictures(self.state / "pictures")
        self.pictures.count(self.store.knows)

    def inspect(self, plates: int = 1) -> None:
        """Plates with a verdict and 1,000 bytes of pictures each."""
        for _ in range(plates):
            self.plate += 1
            self.store.seen(self.run, self.plate, self.wall)
            self.store.close_open(self.run, Cause.SHUTDOWN)
            directory = plate_directory(self.state, self.run, self.plate)
            directory.mkdir(parents=True)
            (directory / "overview.jpg").write_bytes(b"x" * 1000)
            self.store.set_pictures(self.plate, directory)
            self.pictures.add(self.run, self.plate)

    def work(self, days: float) -> None:
        """Time passes by both clocks."""
        self.worked += days * DAY
        self.wall += timedelta(days=days)

    def prune(self, days: float | None = 90.0, most_gb: float | None = None) -> Pruning:
        return prune(self.store, self.pictures, Retention(days=days, most_gb=most_gb))

    @property
    def kept(self) -> list[int]:
        return [row.plate for row in reversed(self.store.plates(limit=None))]

    @property
    def pictured(self) -> list[int]:
        return sorted(int(folder.name) for folder in (self.state / "pictures").glob("*/*"))


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    made = Service(tmp_path)
    yield made
    made.store.close()


def test_age_takes_plates_with_their_pictures_and_size_takes_pictures_alone(service: Service) -> None:
    for _ in range(6):
        service.inspect()
        service.work(1)
    done = service.prune(days=4.5, most_gb=2500e-9)
    assert (done.plates, done.aged.plates, done.oversized.plates, done.failure) == (2, 2, 2, None)
    assert (done.aged.bytes, done.oversized.bytes) == (2000, 2000)
    assert service.kept == [3, 4, 5, 6]
    assert service.pictured == [5, 6]
    assert service.prune(days=None) == Pruning()


def test_age_counts_over_runs_and_not_while_no_service_works(service: Service) -> None:
    service.inspect()
    service.work(50)
    service.inspect()
    service.wall += timedelta(days=300)
    service.start()
    service.work(39)
    service.inspect()
    assert service.prune().plates == 0
    service.work(2)
    assert service.prune().plates == 1
    assert service.kept == service.pictured == [2, 3]


@pytest.mark.parametrize("jump", [400, -400, -20_000, 20_000], ids=lambda days: f"{days}_days")
def test_a_clock_that_is_wrong_at_a_start_deletes_nothing_then_nor_when_it_is_right_again(
    service: Service, jump: int
) -> None:
    service.inspect(4)
    for shift in (jump, -jump, jump, -jump):
        service.wall += timedelta(days=shift)
        service.start()
        assert service.prune() == Pruning()
        service.inspect()
        assert service.prune() == Pruning()
    assert service.kept == service.pictured == list(range(1, 9))


def test_a_clock_that_jumps_while_the_service_works_deletes_nothing(service: Service) -> None:
    for jump in (400, -800, 20_000, -19_600):
        service.inspect()
        service.wall += timedelta(days=jump)
        service.work(1)
        assert service.prune() == Pruning()
    assert service.kept == service.pictured == [1, 2, 3, 4]


def test_plates_of_a_wrong_clock_grow_old_as_all_others_do(service: Service) -> None:
    service.wall = datetime(1970, 1, 1, tzinfo=UTC)
    service.inspect()
    service.wall = NOW + timedelta(days=5000)
    service.inspect()
    service.wall = NOW
    service.work(91)
    service.inspect()
    assert service.prune().plates == 2
    assert service.kept == service.pictured == [3]


def test_the_longest_age_keeps_all_plates_and_the_size_still_counts(service: Service) -> None:
    service.inspect(3)
    service.work(1000)
    done = service.prune(days=36_500, most_gb=1500e-9)
    assert (done.plates, done.oversized.plates, done.failure) == (0, 2, None)
    assert service.kept == [1, 2, 3]
    assert service.pictured == [3]


def test_what_the_store_says_of_pictures_deletes_nothing_elsewhere(service: Service, tmp_path: Path) -> None:
    precious = tmp_path.parent / f"{tmp_path.name}-precious"
    precious.mkdir()
    (precious / "file").write_text("kept")
    service.inspect(2)
    with closing(sqlite3.connect(service.store.path, isolation_level=None)) as other:
        other.execute("UPDATE plates SET pictures = ? WHERE plate = 1", (str(precious),))
        other.execute("UPDATE plates SET pictures = ? WHERE plate = 2", (f"../{precious.name}",))
    service.work(91)
    service.inspect()
    assert service.prune().plates == 2
    assert (precious / "file").read_text() == "kept"
    assert service.pictured == [3]


def test_many_old_plates_go_in_several_transactions(service: Service) -> None:
    service.inspect(25)
    service.work(2)
    assert [plate for _, plate in service.store.prune(1.0, most=10)] == list(range(1, 11))
    assert service.prune(days=1).plates == 14
    assert service.kept == [25]


def test_a_store_that_fails_says_so_beside_what_was_deleted(service: Service) -> None:
    service.inspect(3)
    service.work(91)
    with closing(sqlite3.connect(service.store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        done = service.prune(most_gb=1500e-9)
    assert done.failure is not None
    assert done.failure.kind == "locked"
    assert (done.plates, done.oversized.plates) == (0, 2)
