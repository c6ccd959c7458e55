"""The folder camera: every image is a sheet, in natural order and in bands; one that cannot be read says why."""

from __future__ import annotations

import itertools
import struct
import tracemalloc
import zlib
from collections.abc import Iterable
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
from stages.camera import CameraError, Loss, NoStrip, Sheet, Strip
from stages.plate import Cause
from tests.daemon.cameras.conformance import Delivered, conforms

ROWS, WIDTH, COLUMNS, FIRST, OFFSET = 64, 600, 400, 100, 64
RECIPE = Recipe.model_validate({"name": "any", "columns": {"first": FIRST, "last": FIRST + COLUMNS}})


def camera(folder: Path, plates: int | None = None, passed: int = 0, bits: int | None = None) -> FolderCamera:
    keys = {"source": "folder", "folder": folder, "width": WIDTH, "strip_rows": ROWS, "gap_rows": 80, "bits": bits}
    config = with_overrides(load_config(None), {f"camera.{key}": value for key, value in keys.items()})
    return FolderCamera(CameraOrder(config, RECIPE, folder, plates, passed))


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


def test_a_folder_comes_round_again_until_as_many_have_passed_as_are_asked_for(tmp_path: Path) -> None:
    write(tmp_path, "1.tif", 50)
    (tmp_path / "2.tif").touch()
    with capture_logs() as logs:
        answers = drive(camera(tmp_path, plates=5))
    assert answers[-1] is NoStrip.ENDED
    assert [sheet.image for sheet in sheets(answers)] == ["1.tif", "2.tif", "1.tif", "2.tif", "1.tif"]
    assert len(logs) == 1, "what is wrong with a file is said once"
    assert len(sheets(drive(camera(tmp_path, plates=1)))) == 1


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


def sheets(answers: Iterable[Strip | NoStrip]) -> list[Sheet]:
    """What was said of the sheets that passed."""
    edges = [edge for strip in answers if isinstance(strip, Strip) for edge in strip.edges]
    return [edge.sheet for edge in edges if edge.rising and edge.sheet is not None]


def said(sheet: Sheet) -> tuple[str, bool, list[Cause]]:
    return sheet.image, sheet.pixels, [cause for cause, _ in sheet.faults]


def test_every_image_is_a_sheet_and_one_that_cannot_be_shown_says_why(tmp_path: Path) -> None:
    write(tmp_path, "1.tif", 50)
    (tmp_path / "2.png").write_bytes(b"no image")
    (tmp_path / "3.png").touch()
    write(tmp_path, "4.tif", 70, columns=COLUMNS + 1)
    write(tmp_path, "5.tif", 70, columns=COLUMNS - 1)
    data = write(tmp_path, "6.tif", 70)
    (tmp_path / "6.tif").write_bytes((tmp_path / "6.tif").read_bytes()[:-2000])
    (tmp_path / "7.png").mkdir()
    (tmp_path / "8.png").symlink_to("nowhere")
    image = write(tmp_path, "9.tif", 90)
    one = camera(tmp_path)
    with capture_logs() as logs:
        delivered = conforms(one, ROWS, WIDTH, strips=1000)
    assert data.size
    assert [said(sheet) for sheet in sheets(strip for strip, _ in delivered)] == [
        ("1.tif", True, []),
        ("2.png", False, [Cause.UNREADABLE]),
        ("3.png", False, [Cause.UNREADABLE]),
        ("4.tif", False, [Cause.WRONG_WIDTH]),
        ("5.tif", False, [Cause.WRONG_WIDTH]),
        ("6.tif", False, [Cause.UNREADABLE]),
        ("7.png", False, [Cause.UNREADABLE]),
        ("8.png", False, [Cause.UNREADABLE]),
        ("9.tif", True, []),
    ]
    np.testing.assert_array_equal(plates(delivered)[8], image)
    assert [line["image"] for line in logs] == [f"{n}.{'tif' if n in (4, 5, 6) else 'png'}" for n in range(2, 9)]
    assert one.status().losses == {Loss.UNREADABLE: 7}


def test_an_image_as_wide_as_the_camera_is_a_row_of_it(tmp_path: Path) -> None:
    image = write(tmp_path, "1.tif", 70, columns=WIDTH)
    (found,) = plates(conforms(camera(tmp_path), ROWS, WIDTH, strips=1000))
    np.testing.assert_array_equal(found, image[:, FIRST : FIRST + COLUMNS])


def test_an_image_that_is_no_sheet_costs_no_memory(tmp_path: Path) -> None:
    side = 20_000
    stream = zlib.compress(bytes((side + 1) * 2000), 1)
    header = struct.pack(">II5B", side, 2000, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", stream), (b"IEND", b""))
    packed = (struct.pack(">I", len(b)) + k + b + struct.pack(">I", zlib.crc32(k + b)) for k, b in chunks)
    (tmp_path / "1.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(packed))
    tracemalloc.start()
    try:
        (sheet,) = sheets(drive(camera(tmp_path)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert said(sheet) == ("1.png", False, [Cause.WRONG_WIDTH])
    assert f"{side:,} px wide" in sheet.faults[0][1]
    assert peak < side * 2000 / 4


def test_a_file_that_vanishes_before_it_is_due_still_passes(tmp_path: Path) -> None:
    write(tmp_path, "1.tif", 50)
    write(tmp_path, "2.tif", 50)
    one = camera(tmp_path)
    one.open(lambda _: None)
    (tmp_path / "2.tif").unlink()
    one.start()
    answers: list[Strip | NoStrip] = []
    buffer = np.zeros((ROWS, WIDTH), np.uint8)
    while not answers or answers[-1] is not NoStrip.ENDED:
        answers.append(one.next_strip(buffer, 0.1))
    one.close()
    assert [said(sheet)[:2] for sheet in sheets(answers)] == [("1.tif", True), ("2.tif", False)]


def test_a_file_of_several_pages_passes_and_says_so(tmp_path: Path) -> None:
    page = np.full((200, COLUMNS), 90, np.uint8)
    with tifffile.TiffWriter(tmp_path / "1.tif") as writer:
        writer.write(page)
        writer.write(page)
    with tifffile.TiffWriter(tmp_path / "2.tif") as writer:
        writer.write(page)
        writer.write(page[::2, ::2], subfiletype=1)
    found = [said(sheet) for sheet in sheets(drive(camera(tmp_path)))]
    assert found == [("1.tif", True, [Cause.FURTHER_PAGES]), ("2.tif", True, [])], "a small copy is no sheet"


def test_values_of_unknown_depth_are_in_doubt_and_camera_bits_says_it(tmp_path: Path) -> None:
    deep = np.arange(200 * COLUMNS, dtype=np.uint16).reshape(200, COLUMNS) % 4096
    tifffile.imwrite(tmp_path / "1.tif", deep)
    (doubtful,) = sheets(drive(camera(tmp_path)))
    assert said(doubtful) == ("1.tif", True, [Cause.DEPTH])
    one = camera(tmp_path, bits=12)
    (found,) = plates(conforms(one, ROWS, WIDTH, strips=1000))
    assert found.max() == 255
    (stated,) = sheets(drive(camera(tmp_path, bits=12)))
    assert said(stated) == ("1.tif", True, [])
    (dark,) = sheets(drive(camera(tmp_path, bits=14)))
    assert "says 14 bits, but the values reach 4,095 of 16,383" in dark.warnings[0]


def test_files_that_are_no_sheets_are_said_once(tmp_path: Path) -> None:
    write(tmp_path, "1.tif", 50)
    (tmp_path / "notes.txt").touch()
    (tmp_path / "\x1b[31m.txt").touch()
    with capture_logs() as logs:
        drive(camera(tmp_path))
    assert [(line["why"], line["count"], line["files"]) for line in logs] == [
        ("no images", 2, ["\\x1b[31m.txt", "notes.txt"])
    ]


def test_images_that_come_while_the_folder_is_replayed_are_said_at_its_end(tmp_path: Path) -> None:
    write(tmp_path, "1.tif", 50)
    one = camera(tmp_path)
    one.open(lambda _: None)
    write(tmp_path, "2.tif", 50)
    one.start()
    buffer = np.zeros((ROWS, WIDTH), np.uint8)
    with capture_logs() as logs:
        while one.next_strip(buffer, 0.1) is not NoStrip.ENDED:
            pass
        assert one.next_strip(buffer, 0.1) is NoStrip.ENDED
    one.close()
    assert [line["files"] for line in logs] == [["2.tif"]]


def test_a_camera_that_follows_another_goes_on_with_the_next_image(tmp_path: Path) -> None:
    for number in range(1, 5):
        write(tmp_path, f"{number}.tif", 50)
    assert [sheet.image for sheet in sheets(drive(camera(tmp_path, passed=2)))] == ["3.tif", "4.tif"]
    again = sheets(drive(camera(tmp_path, plates=9, passed=6)))
    assert [sheet.image for sheet in again] == ["3.tif", "4.tif", "1.tif"]


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
    assert [line["event"] for line in logs] == ["rows of an image cannot be read"]
    assert "1.tif, rows" in logs[0]["error"]


def test_a_folder_of_which_nothing_can_be_read_comes_to_its_end(tmp_path: Path) -> None:
    for number in range(150):
        (tmp_path / f"{number}.png").write_bytes(b"no image")
    with capture_logs():
        found = sheets(drive(camera(tmp_path)))
    assert [sheet.image for sheet in found] == [f"{number}.png" for number in range(150)]


def test_a_folder_without_images_is_said_when_it_is_opened(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match=r"camera\.folder.*holds no images"):
        camera(tmp_path).open(lambda _: None)
    with pytest.raises(CameraError, match=r"camera\.folder.*No such file"):
        camera(tmp_path / "gone").open(lambda _: None)
