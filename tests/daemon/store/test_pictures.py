"""Folders of pictures: where a plate's lie, and which go first."""

import os
from pathlib import Path

from daemon.store.pictures import plate_directory, prune_pictures, remove


def test_a_plates_pictures_lie_in_a_folder_of_its_run_and_number(tmp_path: Path) -> None:
    directory = plate_directory(tmp_path, "0123456789abcdef" * 2, 7)
    assert directory == tmp_path / "pictures" / "01234567" / "000007"


def pictures_of(directory: Path, size: int, age: float) -> Path:
    directory.mkdir(parents=True)
    (directory / "overview.jpg").write_bytes(b"x" * size)
    os.utime(directory, (1e9 - age, 1e9 - age))
    return directory


def test_the_oldest_pictures_go_until_the_rest_fits(tmp_path: Path) -> None:
    old = pictures_of(tmp_path / "aaaaaaaa" / "1", 1000, age=30)
    middle = pictures_of(tmp_path / "bbbbbbbb" / "2", 1000, age=20)
    new = pictures_of(tmp_path / "bbbbbbbb" / "3", 1000, age=10)
    assert prune_pictures(tmp_path, None).directories == 0
    assert prune_pictures(tmp_path, 3000e-9).directories == 0
    pruned = prune_pictures(tmp_path, 2500e-9)
    assert (pruned.directories, pruned.bytes, pruned.errors) == (1, 1000, ())
    assert [path.exists() for path in (old, old.parent, middle, new)] == [False, False, True, True]
    assert prune_pictures(tmp_path, 1e-9).directories == 2
    assert not list(tmp_path.iterdir())
    assert prune_pictures(tmp_path / "none", 1.0).directories == 0


def test_removing_pictures_that_are_gone_is_no_error(tmp_path: Path) -> None:
    assert remove(tmp_path / "none") is None
