"""What the store says of the archive's files, and which of them go."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from config.schema import Archive
from daemon.store.archive import Deleted, Retention, about, adopt, enter, fault_of, files, leave_out
from daemon.store.archive_files import archive_path, archive_room, most_bytes, remove, remove_parts, sha256_of
from daemon.store.columns import PLATE_COLUMNS
from daemon.store.marks import add_mark
from daemon.store.pictures import free_bytes, kept_free
from daemon.store.results import Store, store_path
from stages.mark import Mark, MarkKind
from stages.plate import Cause, Defect, PlateResult, Verdict
from stages.plc import Part
from tests.daemon.conftest import FACTS, RUN

NOW = datetime.now(UTC)
DAY = 86_400
DEFECT = Defect(1, 2, 3, 4, 9, 0.75, 2, 3, edge=False)


class Clock:
    """Time that services work, s."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Kept:
    """A store and its archive."""

    def __init__(self, state: Path, store: Store, clock: Clock) -> None:
        self.state, self.store, self.clock = state, store, clock
        self.directory = state / "archive"

    def add(self, plate: int, verdict: Verdict = Verdict.NG, size: int = 1000, *, marked: bool = False) -> Path:
        """A plate with a file of so many bytes."""
        causes = () if verdict is Verdict.OK else (Cause.DEFECT,)
        found = PlateResult(RUN, plate, verdict, causes, "", True, 9, 9, 1, 1, 1.0, defects=(DEFECT,))
        self.store.commit_verdict(found, decided_at=NOW)
        path = archive_path(self.directory, RUN, plate)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes([plate % 256]) * size)
        enter(self.store, plate, path, size, sha256_of(path))
        if marked:
            add_mark(self.store, Mark(plate, MarkKind.CONFIRMED, "anna", NOW, 1))
        return path

    def retention(self, **settings: float | None) -> Retention:
        return Retention(Archive.model_validate(settings), self.directory, lambda: True)

    @property
    def there(self) -> list[int]:
        on_disk = sorted(int(path.name[:6]) for path in self.directory.glob("*/*"))
        assert [one.plate for one in files(self.store)] == on_disk
        return on_disk


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    clock = Clock()
    with Store.open(store_path(tmp_path), clock=clock) as store:
        store.begin_run(FACTS)
        yield Kept(tmp_path, store, clock)


def test_a_plate_says_where_its_file_is_or_why_there_is_none(kept: Kept) -> None:
    path = kept.add(1)
    kept.add(2)
    leave_out(kept.store, 2, "the archive is behind")
    first, second = kept.store.plate(1), kept.store.plate(2)
    assert first is not None
    assert first.archive is not None
    assert (first.archive.path, first.archive.bytes) == ("archive/aaaaaaaa/000001.ome.tif", 1000)
    assert first.archive.sha256 == sha256_of(path)
    assert second is not None
    assert second.archive is not None
    assert (second.archive.path, second.archive.missing) == (None, "the archive is behind")


def test_a_plates_file_says_what_is_known_of_it_by_the_names_of_columns(kept: Kept) -> None:
    kept.store.seen(RUN, 1, NOW, "line 2/<a>.png", part=Part("=cmd|' /C calc'!A0", "B-7"), camera="21857")
    kept.add(1)
    said = about(kept.store, 1)
    assert (
        said.items()
        >= {
            "plate": "1",
            "run": RUN,
            "recipe": FACTS.recipe,
            "verdict": "NG",
            "seen_at": NOW.isoformat(),
            "image": "line 2/<a>.png",
            "part_id": "=cmd|' /C calc'!A0",
            "batch_id": "B-7",
            "camera": "21857",
        }.items()
    )
    assert said.keys() <= {column.name for column in PLATE_COLUMNS}
    assert about(kept.store, 99) == {}


def test_a_file_elsewhere_is_named_whole(kept: Kept, tmp_path_factory: pytest.TempPathFactory) -> None:
    kept.directory = tmp_path_factory.mktemp("disk")
    path = kept.add(1)
    (file,) = files(kept.store)
    assert file.path == path


def test_a_whole_file_without_a_row_is_entered_and_that_of_an_unknown_plate_is_not(kept: Kept) -> None:
    path = kept.add(1)
    kept.add(2)
    stranger = archive_path(kept.directory, RUN, 99)
    other_run = archive_path(kept.directory, "b" * 32, 1)
    for one in (stranger, other_run):
        one.parent.mkdir(exist_ok=True)
        one.write_bytes(b"x")
    leave_out(kept.store, 1, "the service ended")
    assert adopt(kept.store, kept.directory) == [stranger, other_run]
    assert [(one.plate, one.sha256 == sha256_of(path)) for one in files(kept.store)] == [(1, True), (2, False)]


def test_ok_plates_grow_old_sooner_and_marked_ones_never(kept: Kept) -> None:
    for plate, (verdict, marked) in enumerate(
        [(Verdict.NG, False), (Verdict.NG, True), (Verdict.OK, False), (Verdict.OK, True)], start=1
    ):
        kept.add(plate, verdict, marked=marked)
    retention = kept.retention(days=90, ok_days=14)
    kept.clock.now = 15 * DAY
    assert retention.age(kept.store) == Deleted(age=1)
    assert kept.there == [1, 2, 4]
    kept.clock.now = 91 * DAY
    assert retention.age(kept.store) == Deleted(age=1)
    assert kept.there == [2, 4]
    row = kept.store.plate(1)
    assert row is not None
    assert row.archive is not None
    assert row.archive.missing == "deleted for its age"
    assert kept.retention(days=None, ok_days=None).age(kept.store) == Deleted()


def test_beyond_its_size_unknown_files_go_first_then_ok_plates_then_the_oldest_and_marked_ones_last(kept: Kept) -> None:
    for plate in range(1, 7):
        verdict = Verdict.OK if plate == 4 else Verdict.NG
        kept.add(plate, verdict, marked=plate == 1)
    stranger = archive_path(kept.directory, RUN, 99)
    stranger.write_bytes(b"x" * 1000)
    size = kept.retention(most_gb=7e-6, least_free_gb=0)
    assert size.step(kept.store, 0, [stranger]) == Deleted()
    for most, left in ((6e-6, [1, 2, 3, 4, 5, 6]), (5e-6, [1, 2, 3, 5, 6]), (3e-6, [1, 5, 6]), (1e-6, [1])):
        size = kept.retention(most_gb=most, least_free_gb=0)
        size.step(kept.store, 0, [stranger] if stranger.exists() else [])
        assert kept.there == left


def test_where_others_fill_the_disk_files_give_way_before_pictures_do(small_disk: Path) -> None:
    with Store.open(store_path(small_disk)) as store:
        store.begin_run(FACTS)
        kept = Kept(small_disk, store, Clock())
        for plate in range(1, 5):
            kept.add(plate, size=100_000)
        retention, settings = kept.retention(most_gb=1), Archive()
        assert most_bytes(settings, small_disk) == pytest.approx(300_000, rel=0.1)
        assert retention.step(store, 100_000) == Deleted()
        room = archive_room(settings, kept.directory)
        (small_disk / "foreign").write_bytes(b"x" * (room + 50_000))
        assert archive_room(settings, kept.directory) < 0
        assert retention.step(store, 100_000).room == 2
        assert kept.there == [3, 4]
        assert free_bytes(small_disk) > kept_free(small_disk)


def test_whatever_path_the_store_gives_nothing_but_a_plates_file_is_deleted(kept: Kept, tmp_path: Path) -> None:
    mine, errors = tmp_path / "mine.txt", list[str]()
    mine.write_text("mine")
    assert not remove(mine, RUN, 1, errors)
    (tmp_path / "elsewhere").mkdir()
    target = tmp_path / "elsewhere" / "000001.ome.tif"
    target.write_text("mine")
    kept.directory.mkdir()
    (kept.directory / RUN[:8]).symlink_to(tmp_path / "elsewhere")
    assert not remove(archive_path(kept.directory, RUN, 1), RUN, 1, errors)
    assert mine.exists()
    assert target.exists()
    assert len(errors) == 2
    assert adopt(kept.store, kept.directory) == []


def test_what_was_half_written_is_deleted_and_what_is_whole_stays(kept: Kept) -> None:
    path = kept.add(1)
    part = path.with_name(".000002.ome.tif.part")
    part.write_bytes(b"half")
    remove_parts(kept.directory)
    assert path.exists()
    assert not part.exists()


def test_a_file_that_was_changed_or_is_gone_is_told(kept: Kept) -> None:
    path = kept.add(1)
    (file,) = files(kept.store)
    assert fault_of(file) is None
    path.write_bytes(b"changed")
    assert "checksum differs" in str(fault_of(file))
    path.unlink()
    assert "No such file" in str(fault_of(file))


def test_a_plate_that_is_deleted_for_its_age_takes_its_file_along(kept: Kept) -> None:
    from config.schema import Retention as Ages  # noqa: PLC0415 - two settings of one name
    from daemon.store.pictures import Pictures  # noqa: PLC0415
    from daemon.store.retention import prune  # noqa: PLC0415

    kept.add(1, marked=True)
    kept.add(2)
    kept.clock.now = 91 * DAY

    def forget(run: str, plate: int) -> None:
        remove(archive_path(kept.directory, run, plate), run, plate, [])

    prune(kept.store, Pictures(kept.state / "pictures"), Ages(days=90), forget)
    # The plate of the highest number stays, for numbers never repeat.
    assert kept.there == [2]
