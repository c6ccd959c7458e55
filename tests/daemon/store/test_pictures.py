"""Folders of pictures: where a plate's lie, which go first, and that nothing else is ever deleted."""

from __future__ import annotations

import os
from pathlib import Path

from daemon.store.pictures import KEPT_FREE_BYTES, Pictures, free_bytes, kept_free, plate_directory

RUN = "0123456789abcdef" * 2
OLD = "f" * 32


def test_a_plates_pictures_lie_in_a_folder_of_its_run_and_number(tmp_path: Path) -> None:
    assert plate_directory(tmp_path, RUN, 7) == tmp_path / "pictures" / "01234567" / "000007"


def written(state: Path, run: str, plate: int, size: int = 1000) -> Path:
    directory = plate_directory(state, run, plate)
    directory.mkdir(parents=True)
    (directory / "overview.jpg").write_bytes(b"x" * size)
    return directory


def counted(state: Path, *known: str) -> Pictures:
    pictures = Pictures(state / "pictures")
    pictures.count(lambda run: run in known)
    return pictures


def left(state: Path) -> list[int]:
    return sorted(int(folder.name) for folder in (state / "pictures").glob("*/*"))


def test_the_oldest_pictures_go_until_the_rest_fits(tmp_path: Path) -> None:
    for plate in (1, 2, 3):
        written(tmp_path, RUN, plate)
    pictures = counted(tmp_path, RUN[:8])
    assert pictures.keep_within(3000).plates == 0
    removed = pictures.keep_within(2500)
    assert (removed.plates, removed.bytes, removed.errors) == (1, 1000, ())
    assert left(tmp_path) == [2, 3]
    assert pictures.keep_within(0).plates == 2
    assert not list((tmp_path / "pictures").iterdir())
    assert pictures.keep_within(0).plates == 0
    assert Pictures(tmp_path / "none").keep_within(0).plates == 0


def test_numbers_say_what_is_oldest_and_no_time_of_a_file(tmp_path: Path) -> None:
    for plate in range(8, 13):
        os.utime(written(tmp_path, RUN, plate), (2e9 - plate, 2e9 - plate))
    counted(tmp_path, RUN[:8]).keep_within(2000)
    assert left(tmp_path) == [11, 12]


def test_pictures_of_runs_that_the_store_does_not_know_go_first(tmp_path: Path) -> None:
    """A store that was damaged and moved away leaves pictures of higher numbers than those of the new one."""
    written(tmp_path, OLD, 5000)
    written(tmp_path, RUN, 1)
    counted(tmp_path, RUN[:8]).keep_within(1000)
    assert left(tmp_path) == [1]


def test_what_is_written_after_the_count_is_counted_too(tmp_path: Path) -> None:
    written(tmp_path, RUN, 1)
    pictures = counted(tmp_path, RUN[:8])
    for plate in (2, 3):
        written(tmp_path, RUN, plate)
        assert pictures.add(RUN, plate) == 1000
    assert pictures.bytes == 3000
    pictures.keep_within(1500)
    assert left(tmp_path) == [3]
    assert pictures.bytes == 1000


def test_a_count_may_be_stopped(tmp_path: Path) -> None:
    written(tmp_path, RUN, 1)
    pictures = Pictures(tmp_path / "pictures")
    pictures.stop()
    pictures.count(lambda _: True)
    assert pictures.counted_at is None


def test_links_are_not_followed_and_what_is_not_a_plates_is_left_alone(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    for inner in (elsewhere, elsewhere / "000001", elsewhere / "000002"):
        inner.mkdir()
        (inner / "precious").write_text("kept")
    folder = tmp_path / "state" / "pictures"
    (folder / "01234567").mkdir(parents=True)
    (folder / "01234567" / "000001").symlink_to(elsewhere)
    (folder / "01234567" / "notes").mkdir()
    (folder / "ffffffff").symlink_to(elsewhere)
    (written(tmp_path / "state", RUN, 2) / "link").symlink_to(elsewhere)
    pictures = counted(tmp_path / "state", RUN[:8])
    pictures.keep_within(0)
    errors = [*pictures.remove(RUN, 1).errors, *pictures.remove(OLD, 2).errors]
    assert all("its pictures stay" in error for error in errors)
    assert len(errors) == 2
    assert sorted(path.name for path in elsewhere.rglob("*")) == ["000001", "000002", *["precious"] * 3]
    assert sorted(path.name for path in (folder / "01234567").iterdir()) == ["000001", "notes"]


def test_removing_pictures_that_are_gone_is_no_error(tmp_path: Path) -> None:
    assert Pictures(tmp_path / "none").remove(RUN, 1).errors == ()


def test_a_plate_whose_pictures_are_there_no_more_takes_nothing_with_it(tmp_path: Path) -> None:
    gone = written(tmp_path, RUN, 1)
    written(tmp_path, RUN, 2)
    pictures = counted(tmp_path, RUN[:8])
    (gone / "overview.jpg").unlink()
    gone.rmdir()
    removed = pictures.keep_within(1000)
    assert (removed.plates, removed.bytes) == (0, 1000)
    assert left(tmp_path) == [2]


def test_of_a_small_disk_a_third_is_kept_free_and_of_a_large_one_a_gigabyte(small_disk: Path) -> None:
    assert kept_free(small_disk / "not" / "there") == 1 << 20
    assert free_bytes(small_disk / "not" / "there") == 3 << 20
    assert kept_free(Path("/")) <= KEPT_FREE_BYTES
