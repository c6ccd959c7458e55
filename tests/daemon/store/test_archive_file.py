"""A plate's file: the same pixels for every reader, whole or not there, whatever its names are."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from daemon.store.archive_file import write_plate
from models.images import open_image

SHAPES = [(1300, 2100), (1025, 1), (1, 1), (512, 512), (3001, 1027)]


def picture(rows: int, columns: int) -> NDArray[np.uint8]:
    """Waves with noise: no two tiles are alike."""
    y, x = np.mgrid[:rows, :columns]
    noise = np.random.default_rng(5).normal(0, 4, (rows, columns))
    return np.asarray((128 + 60 * np.sin(x / 9 + y / 31) + noise).clip(0, 255), np.uint8)


def write(
    image: NDArray[np.uint8],
    path: Path,
    name: str = "P10B plate 7",
    about: dict[str, str] | None = None,
    proceed: Callable[[], object] = lambda: None,
) -> tuple[int, str]:
    return write_plate(image.copy(), path, name=name, about=about or {}, pitch_mm=(0.052, 0.0416), proceed=proceed)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_level_is_there_and_the_first_has_the_plates_pixels(tmp_path: Path, shape: tuple[int, int]) -> None:
    image, path = picture(*shape), tmp_path / "7.ome.tif"
    size, digest = write(image, path)
    assert (size, digest) == (path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())
    with tifffile.TiffFile(path) as file:
        levels = file.series[0].levels
        assert file.is_ome
        assert np.array_equal(levels[0].asarray(), image)
        wanted = image
        for level in levels[1:]:
            rows, columns = level.shape
            wanted = wanted[: 2 * rows, : 2 * columns]
            mean = wanted.reshape(rows, 2, columns, 2).mean((1, 3))
            wanted = level.asarray()
            assert np.abs(wanted - mean).max() <= 0.5
        assert max(levels[-1].shape) <= 1024 or min(levels[-1].shape) == 1
        assert all(level.keyframe.is_tiled for level in levels)


def test_it_is_read_as_a_sheet_like_any_image(tmp_path: Path) -> None:
    image, path = picture(1300, 2100), tmp_path / "7.ome.tif"
    write(image, path)
    with open_image(path) as source:
        assert (source.width, source.height, source.further_pages) == (2100, 1300, "")
        assert np.array_equal(source.rows(0, 1300), image)


@pytest.mark.skipif(shutil.which("vips") is None, reason="vips is not there: apt-get install libvips-tools")
def test_libvips_reads_the_same_pixels_at_every_level(tmp_path: Path) -> None:
    image, path, raw = picture(3001, 1027), tmp_path / "7.ome.tif", tmp_path / "raw"
    write(image, path)
    with tifffile.TiffFile(path) as file:
        levels = [level.asarray() for level in file.series[0].levels]
    for number, level in enumerate(levels):
        chosen = f"{path}[subifd={number - 1}]" if number else str(path)
        subprocess.run(["vips", "rawsave", chosen, raw], check=True)
        assert raw.read_bytes() == level.tobytes()


def test_viewers_are_told_the_size_of_a_pixel_and_hostile_names_say_no_more_than_they_are(tmp_path: Path) -> None:
    hostile = {
        "image": '../../x"><script>alert(1)</script>&amp;\x00\x1b]0;t\x07\u202e\udcff.png',
        "part": "]]><!DOCTYPE x>",
        "maker": "日本 é",
    }
    path = tmp_path / "7.ome.tif"
    write(picture(40, 30), path, name="'\"><Image/>&\x00\n", about=hostile)
    with tifffile.TiffFile(path) as file:
        assert file.ome_metadata is not None
        root = ET.fromstring(file.ome_metadata)
    spaces = {"o": root.tag[1:].partition("}")[0]}
    (image,) = root.findall("o:Image", spaces)
    assert image.get("Name", "").startswith("'\"><Image/>&\\x00")
    pixels = image.find("o:Pixels", spaces)
    assert pixels is not None
    assert (pixels.get("PhysicalSizeY"), pixels.get("PhysicalSizeX")) == ("0.052", "0.0416")
    values = {one.get("K"): one.text for one in root.iterfind(".//o:M", spaces)}
    assert values["part"] == hostile["part"]
    assert values["maker"] == hostile["maker"]
    assert values["image"] == '../../x"><script>alert(1)</script>&amp;\\x00\\x1b]0;t\\x07\\u202e\\xff.png'


def test_a_writing_that_is_broken_off_leaves_nothing(tmp_path: Path) -> None:
    def fails() -> None:
        fails.__dict__["calls"] = calls = fails.__dict__.get("calls", 0) + 1
        if calls > 2:
            raise OSError(errno.ENOSPC, "full")

    with pytest.raises(OSError, match="full"):
        write(picture(3001, 1027), tmp_path / "7.ome.tif", proceed=fails)
    assert list(tmp_path.iterdir()) == []


def test_on_a_full_disk_nothing_is_left(small_disk: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (2500, 2500), dtype=np.uint8)
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        write(noise, small_disk / "7.ome.tif")
    assert list(small_disk.iterdir()) == []
