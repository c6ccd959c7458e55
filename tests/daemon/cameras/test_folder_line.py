"""A folder's images as a line: in natural order, each opened when it is due and read strip by strip."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from daemon.cameras.folder import FolderLine
from simulator.line.replay import Image, ReplayError
from tests.simulator.line.test_replay import WIDTH, cut, deliver, edges_of, line_settings


class Opened:
    """A picture of 50 rows, all of the value that its file is named after, that says what was done with it."""

    width, height = 40, 50

    def __init__(self, path: Path, done: list[str], *, bad: range = range(0)) -> None:
        self.name, self.done, self.bad = path.stem, done, bad
        done.append(f"open {self.name}")

    def rows(self, first: int, last: int) -> Image:
        if set(range(first, last)) & set(self.bad):
            raise ValueError("damaged")
        self.done.append(f"{self.name} {first}:{last}")
        return np.full((last - first, self.width), int(self.name), np.uint8)

    def close(self) -> None:
        self.done.append(f"close {self.name}")


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).touch()


def test_a_folder_passes_in_natural_order_without_masks(tmp_path: Path) -> None:
    touch(tmp_path, "100.PNG", "20.png", "20_mask.png", "3.tif", "annotations.json")
    done: list[str] = []
    line = FolderLine(tmp_path, lambda path: Opened(path, done), 2, settings=line_settings())
    assert [int(plate[0, 10]) for plate in cut(deliver(line))] == [3, 20, 100]


def test_numbers_within_names_count_by_their_value(tmp_path: Path) -> None:
    touch(tmp_path, "b1.png", "a10.png", "a9x2.png", "a9x10.png", "A1.png", "a.png", "a01.png")
    line = FolderLine(tmp_path, lambda path: Opened(path, []))
    names = [path.name for path in line.files]
    assert names == ["a.png", "A1.png", "a01.png", "a9x2.png", "a9x10.png", "a10.png", "b1.png"]


def test_an_image_is_opened_when_due_read_strip_by_strip_and_closed_when_it_has_passed(tmp_path: Path) -> None:
    touch(tmp_path, "7.png", "8.png")
    done: list[str] = []
    line = FolderLine(tmp_path, lambda path: Opened(path, done), settings=line_settings())
    line.next_strip(np.zeros((32, WIDTH), np.uint8))
    assert done == ["open 7", "7 0:7"]
    deliver(line)
    assert done[2:] == ["7 7:39", "open 8", "7 39:50", "8 0:1", "close 7", "8 1:33", "8 33:50", "close 8"]


def test_what_still_passes_is_closed_with_the_line(tmp_path: Path) -> None:
    touch(tmp_path, "7.png")
    done: list[str] = []
    line = FolderLine(tmp_path, lambda path: Opened(path, done), settings=line_settings())
    line.next_strip(np.zeros((32, WIDTH), np.uint8))
    line.close()
    assert done[-1] == "close 7"


def test_an_unreadable_file_is_reported_by_name_and_the_line_goes_on(tmp_path: Path) -> None:
    touch(tmp_path, "1.png", "77.png")

    def opener(path: Path) -> Opened:
        if path.name == "1.png":
            raise ValueError("this is no image")
        return Opened(path, [])

    line = FolderLine(tmp_path, opener, settings=line_settings())
    with pytest.raises(ReplayError, match=r"1\.png: this is no image") as caught:
        line.next_strip(np.zeros((32, WIDTH), np.uint8))
    assert caught.value.sheet == 0
    assert [int(plate[0, 10]) for plate in cut(deliver(line))] == [77]


def test_an_image_damaged_in_the_middle_loses_those_strips_and_keeps_its_edges(tmp_path: Path) -> None:
    touch(tmp_path, "7.png")
    whole = deliver(FolderLine(tmp_path, lambda path: Opened(path, []), settings=line_settings()))
    line = FolderLine(tmp_path, lambda path: Opened(path, [], bad=range(10, 20)), settings=line_settings())
    first = line.next_strip(np.zeros((32, WIDTH), np.uint8))
    with pytest.raises(ReplayError, match=r"7\.png, rows 7 to 39: damaged"):
        line.next_strip(np.zeros((32, WIDTH), np.uint8))
    rest = deliver(line)
    assert first == whole[0][0]
    assert [strip.block for strip, _ in rest] == [strip.block for strip, _ in whole][2:]
    assert rest[0][0].first_row == 64
    assert [edge for strip, _ in rest for edge in strip.edges] == edges_of(whole)[1:]


def test_a_folder_without_images_is_no_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no images"):
        FolderLine(tmp_path, lambda path: Opened(path, []))
