"""Single tiles of an archived plate."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import tifffile

from daemon.store.archive_file import TILE, levels_of, write_plate
from daemon.store.archive_tiles import ArchiveTiles, NoTileError, TileDamagedError, TileError, TileGoneError

SIZE = (1300, 1101)


@pytest.fixture(scope="module")
def plate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("archive") / "000001.ome.tif"
    pixels = np.random.default_rng(1).integers(0, 256, SIZE, np.uint8)
    write_plate(pixels, path, name="plate 1", about={})
    return path


def copy_of(plate: Path, folder: Path, content: bytes | None = None) -> Path:
    path = folder / plate.name
    path.write_bytes(plate.read_bytes() if content is None else content)
    return path


def test_every_tile_of_every_level_is_what_the_archive_holds(plate: Path) -> None:
    tiles = ArchiveTiles()
    with tifffile.TiffFile(plate) as file:
        levels = [level.asarray() for level in file.series[0].levels]
    assert [level.shape for level in levels] == levels_of(*SIZE)
    for number, level in enumerate(levels):
        rows, columns = level.shape
        for y in range(0, rows, TILE):
            for x in range(0, columns, TILE):
                found = tiles.tile(plate, SIZE, number, x // TILE, y // TILE)
                np.testing.assert_array_equal(found, level[y : y + TILE, x : x + TILE])


@pytest.mark.parametrize("place", [(0, 3, 0), (0, 0, 3), (1, 2, 0), (2, 0, 0), (-1, 0, 0), (0, -1, 0), (0, 0, 10**18)])
def test_a_tile_beyond_the_plate_is_none(plate: Path, place: tuple[int, int, int]) -> None:
    with pytest.raises(NoTileError):
        ArchiveTiles().tile(plate, SIZE, *place)


def test_a_file_of_a_plate_of_another_size_is_not_believed(plate: Path) -> None:
    with pytest.raises(TileDamagedError):
        ArchiveTiles().tile(plate, (SIZE[0], SIZE[1] - 1), 0, 0, 0)


def test_a_file_that_is_gone_or_cannot_be_opened_is_said_to_be(plate: Path, tmp_path: Path) -> None:
    tiles, path = ArchiveTiles(), copy_of(plate, tmp_path)
    tiles.tile(path, SIZE, 0, 0, 0)
    path.unlink()
    with pytest.raises(TileGoneError):
        tiles.tile(path, SIZE, 0, 0, 0)
    path.symlink_to(plate)
    with pytest.raises(TileGoneError):
        tiles.tile(path, SIZE, 0, 0, 0)


@pytest.mark.parametrize("kind", ["fifo", "folder", "empty", "text", "other picture"])
def test_what_is_no_file_of_ours_is_refused_and_never_waited_for(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "000001.ome.tif"
    match kind:
        case "fifo":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "empty":
            path.touch()
        case "text":
            path.write_text("no picture")
        case _:
            tifffile.imwrite(path, np.zeros(SIZE, np.uint8), compression="zlib", tile=(TILE, TILE))
    with pytest.raises(TileError):
        ArchiveTiles().tile(path, SIZE, 0, 0, 0)


def test_a_file_that_was_replaced_is_looked_at_anew(plate: Path, tmp_path: Path) -> None:
    tiles, path = ArchiveTiles(), copy_of(plate, tmp_path)
    tiles.tile(path, SIZE, 0, 0, 0)
    other = tmp_path / "other"
    write_plate(np.full((600, 1200), 7, np.uint8), other, name="another", about={})
    other.replace(path)
    assert (tiles.tile(path, (600, 1200), 0, 0, 0) == 7).all()
    with pytest.raises(TileDamagedError):
        tiles.tile(path, SIZE, 0, 0, 0)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9])
def test_a_file_that_was_cut_off_gives_pixels_that_are_right_or_none(plate: Path, tmp_path: Path, share: float) -> None:
    content = plate.read_bytes()
    path = copy_of(plate, tmp_path, content[: int(len(content) * share)])
    expected = ArchiveTiles().tile(plate, SIZE, 0, 0, 0)
    try:
        found = ArchiveTiles().tile(path, SIZE, 0, 0, 0)
    except TileError:
        return
    np.testing.assert_array_equal(found, expected)


def test_whatever_bytes_are_changed_it_says_so_in_its_own_words_or_gives_a_tile(plate: Path, tmp_path: Path) -> None:
    content, rng = plate.read_bytes(), np.random.default_rng(2)
    with tifffile.TiffFile(plate) as file:
        directory = file.pages.first.offset
    refused = []
    for turn in range(60):
        changed = bytearray(content)
        first = (0, directory, len(content) - 3000)[turn % 3]
        for at in rng.integers(first, min(len(content), first + 400), 6):
            changed[at] = rng.integers(256)
        path = copy_of(plate, tmp_path, bytes(changed))
        try:
            assert ArchiveTiles().tile(path, SIZE, 1, 0, 0).shape == (TILE, TILE)
        except TileError as error:
            refused.append(str(error))
    assert len(refused) > 10
    assert not any(str(tmp_path) in words for words in refused)
