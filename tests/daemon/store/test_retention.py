"""Retention: what is too old or too large goes, with its pictures, and nothing else."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from config.schema import Retention
from daemon.store.pictures import plate_directory
from daemon.store.results import RunFacts, Store, store_path
from daemon.store.retention import prune
from stages.plate import Cause

RUN = "a" * 32
NOW = datetime(2026, 5, 4, tzinfo=UTC)


def test_age_takes_plates_with_their_pictures_and_size_takes_pictures_alone(tmp_path: Path) -> None:
    with Store.open(store_path(tmp_path)) as store:
        store.begin_run(RunFacts(RUN, "P10B", simulated=True))
        for plate in range(1, 7):
            store.seen(RUN, plate, NOW - timedelta(days=10 - plate))
            directory = plate_directory(tmp_path, RUN, plate)
            directory.mkdir(parents=True)
            (directory / "overview.jpg").write_bytes(b"x" * 1000)
            store.set_pictures(plate, directory)
        store.close_open(RUN, Cause.SHUTDOWN)
        done = prune(store, tmp_path / "pictures", Retention(days=7.5, most_gb=2500e-9), NOW)
        assert (done.plates, done.pictures, done.errors) == (2, 2, ())
        assert [row.plate for row in store.plates()] == [6, 5, 4, 3]
        assert len(list((tmp_path / "pictures").glob("*/*"))) == 2
        assert prune(store, tmp_path / "pictures", Retention(days=None, most_gb=None), NOW).plates == 0


def test_many_old_plates_go_in_several_transactions(tmp_path: Path) -> None:
    with Store.open(store_path(tmp_path)) as store:
        store.begin_run(RunFacts(RUN, "P10B", simulated=True))
        for plate in range(1, 26):
            store.seen(RUN, plate, NOW - timedelta(days=10))
        store.close_open(RUN, Cause.SHUTDOWN)
        store.prune(NOW, Retention(days=1), batch=10)
        assert [row.plate for row in store.plates()] == [25]
