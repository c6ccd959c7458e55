"""The folder camera: images in natural order and in bands; those that cannot be read do not end the line."""

from __future__ import annotations

import itertools
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import tifffile
from structlog.testing import capture_logs

from config.load import load_config, with_overrides
from config.schema import Recipe
from daemon.cameras.folder import FolderCamera
from daemon.cameras.registry import CameraOrder
from models.machine.memory import available_bytes
from stages.camera import CameraError, Loss, NoStrip, Strip
from tests.daemon.cameras.conformance import Delivered, conforms

ROWS, WIDTH, COLUMNS, FIRST, OFFSET = 64, 600, 400, 100, 64
RECIPE = Recipe.model_validate({"name": "any", "columns": {"first": FIRST, "last": FIRST + COLUMNS}})


def camera(folder: Path, plates: int | None = None) -> FolderCamera:
    keys = {"source": "folder", "folder": folder, "width": WIDTH, "strip_rows": ROWS, "gap_rows": 80}
    config = with_overrides(load_config(None), {f"camera.{key}": value for key, value in keys.items()})
    return FolderCamera(CameraOrder(config, RECIPE, folder, plates))


def write(folder: Path, name: str, value: int, rows: int = 200, columns: int = COLUMNS) -> np.ndarray[tuple[int, int]]:
    image = np.full((rows, columns), value, np.uint8)
    image[:, 3] = np.arange(rows) % 251
    tifffile.imwrite(folder / name, image, rowsperstrip=16, compression="zlib")
    return image


def plates(delivered: list[Delivered]) -> list[np.ndarray[tuple[int, int]]]:
    """The sheets as a faultless reader would cut them."""
    rows = np.concatenate([pixels for _, pixels in delivered])
    edges = [edge.row + OFFSET for strip, _ in delivered for edge in strip.edges]
    return [rows[first:last, FIRST : FIRST + COLUMNS] for first, last in zip(edges[::2], edges[1::2], strict=True)]


def drive(one: FolderCamera, most: int = 10_000) -> list[Strip | NoStrip]:
    one.open(lambda _: None)
    one.start()
    buffer = np.zeros((ROWS, WIDTH), np.uint8)
    answers = []
    try:
        for _ in range(most):
            answers.append(one.next_strip(buffer, 0.1))
            if answers[-1] is NoStrip.ENDED:
                break
    finally:
        one.close()
    return answers


def test_it_keeps_the_rules_and_replays_each_image_pixel_for_pixel_in_natural_order(tmp_path: Path) -> None:
    images = {name: write(tmp_path, name, value) for name, value in (("10.tif", 90), ("2.tif", 70), ("1.tif", 50))}
    found = plates(conforms(camera(tmp_path), ROWS, WIDTH, strips=1000))
    assert len(found) == 3
    for plate, name in zip(found, ("1.tif", "2.tif", "10.tif"), strict=True):
        np.testing.assert_array_equal(plate, images[name])


def test_a_folder_comes_round_again_while_plates_are_asked_for(tmp_path: Path) -> None:
    write(tmp_path, "1.tif", 50)
    answers = drive(camera(tmp_path, plates=3), most=60)
    edges = [edge for strip in answers if isinstance(strip, Strip) for edge in strip.edges]
    assert len(edges) > 6
    assert NoStrip.ENDED not in answers


def test_an_image_streams_in_bands_whatever_its_size(tmp_path: Path) -> None:
    rows = 40_000
    tifffile.imwrite(tmp_path / "1.tif", np.zeros((rows, COLUMNS), np.uint8), rowsperstrip=64)
    one = camera(tmp_path)
    tracemalloc.start()
    try:
        answers = drive(one)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sum(strip.rows for strip in answers if isinstance(strip, Strip)) > rows
    assert peak < rows * COLUMNS / 4


def test_an_image_larger_than_the_memory_of_the_machine_begins_to_pass(tmp_path: Path) -> None:
    rows = (available_bytes() + (1 << 34)) // COLUMNS
    path = tmp_path / "1.tif"
    tifffile.imwrite(path, shape=(rows, COLUMNS), dtype=np.uint8, bigtiff=True, rowsperstrip=1 << 16)
    assert path.stat().st_blocks * 512 < path.stat().st_size / 100, "the file must be full of holes"
    answers = drive(camera(tmp_path), most=50)
    assert all(isinstance(answer, Strip) for answer in answers)


def test_images_that_cannot_be_read_or_do_not_fit_are_left_out_and_the_line_goes_on(tmp_path: Path) -> None:
    write(tmp_path, "1.tif", 50)
    (tmp_path / "2.png").write_bytes(b"no image")
    write(tmp_path, "3.tif", 70, columns=WIDTH)
    image = write(tmp_path, "4.tif", 90)
    one = camera(tmp_path)
    with capture_logs() as logs:
        delivered = conforms(one, ROWS, WIDTH, strips=1000)
    np.testing.assert_array_equal(plates(delivered)[1], image)
    assert len(plates(delivered)) == 2
    assert [line["error"].partition(" ")[0] for line in logs] == ["2.png:", "3.tif"]
    assert one.status().losses == {Loss.UNREADABLE: 2}


def test_an_image_damaged_in_the_middle_lacks_rows_and_is_told_of_once(tmp_path: Path) -> None:
    write(tmp_path, "1.tif", 50, rows=1000)
    with tifffile.TiffFile(tmp_path / "1.tif") as tiff:
        page = tiff.pages.first
        assert isinstance(page, tifffile.TiffPage)
        place, length = page.dataoffsets[20], page.databytecounts[20]
    data = bytearray((tmp_path / "1.tif").read_bytes())
    data[place : place + length] = b"\xff" * length
    (tmp_path / "1.tif").write_bytes(data)
    one = camera(tmp_path)
    with capture_logs() as logs:
        answers = drive(one)
    strips = [answer for answer in answers if isinstance(answer, Strip)]
    jumps = [second.first_row - first.first_row for first, second in itertools.pairwise(strips)]
    assert set(jumps) == {ROWS, 2 * ROWS}
    assert sum(len(strip.edges) for strip in strips) == 2
    assert [line["event"] for line in logs] == ["an image is left out"]
    assert "1.tif, rows" in logs[0]["error"]


def test_a_folder_of_which_nothing_can_be_read_is_no_line(tmp_path: Path) -> None:
    for number in range(101):
        (tmp_path / f"{number}.png").write_bytes(b"no image")
    one = camera(tmp_path)
    with capture_logs() as logs, pytest.raises(CameraError, match=r"101 images in a row.*100\.png"):
        drive(one)
    assert len(logs) == 100


def test_a_folder_without_images_is_said_when_it_is_opened(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match=r"camera\.folder.*holds no images"):
        camera(tmp_path).open(lambda _: None)
    with pytest.raises(CameraError, match=r"camera\.folder.*No such file"):
        camera(tmp_path / "gone").open(lambda _: None)
