"""The replayed line delivers every sheet row for row, with the switch's edges where the sheets are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from simulator.line.replay import Faults, FolderLine, LineSettings, Replay, ReplayError, SheetLine
from stages.camera import Edge, Strip

Image = NDArray[np.uint8]
WIDTH = 64
OFFSET = 5


def sheet(rows: int, value: int, columns: int = 40) -> Image:
    image = np.full((rows, columns), value, np.uint8)
    image[:, 0] = np.arange(rows) % 251
    return image


def line_settings(faults: Faults | None = None, *, strip_rows: int = 32, gap_rows: int = 20) -> LineSettings:
    return LineSettings(WIDTH, strip_rows, gap_rows, OFFSET, faults=faults or Faults())


def deliver(line: Replay, strip_rows: int = 32, most: int = 10_000) -> list[tuple[Strip, Image]]:
    delivered = []
    buffer = np.zeros((strip_rows, WIDTH), np.uint8)
    for _ in range(most):
        strip = line.next_strip(buffer)
        if strip is None:
            break
        delivered.append((strip, buffer[: strip.rows].copy()))
    return delivered


def edges_of(delivered: list[tuple[Strip, Image]]) -> list[Edge]:
    return [edge for strip, _ in delivered for edge in strip.edges]


def cut(delivered: list[tuple[Strip, Image]]) -> list[Image]:
    """Plates as a faultless reader of the protocol would cut them."""
    camera = np.concatenate([pixels for _, pixels in delivered])
    rows = [edge.row + OFFSET for edge in edges_of(delivered)]
    return [camera[first:last] for first, last in zip(rows[::2], rows[1::2], strict=True)]


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 150), min_size=1, max_size=5),
    strip_rows=st.integers(2, 90),
    gap_rows=st.integers(8, 60),
    column=st.integers(0, WIDTH - 40),
)
def test_every_sheet_comes_back_row_for_row_whatever_the_strips(
    lengths: list[int], strip_rows: int, gap_rows: int, column: int
) -> None:
    sheets = [sheet(rows, 100 + index) for index, rows in enumerate(lengths)]
    line = SheetLine(
        sheets, column, plates=len(sheets), settings=line_settings(strip_rows=strip_rows, gap_rows=gap_rows)
    )
    delivered = deliver(line, strip_rows)
    plates = cut(delivered)
    assert len(plates) == len(sheets)
    for plate, image in zip(plates, sheets, strict=True):
        np.testing.assert_array_equal(plate[:, column : column + 40], image)
        assert plate[:, :column].size == 0 or plate[:, :column].max() <= 12


@settings(max_examples=40, deadline=None)
@given(
    strip_rows=st.integers(2, 90),
    short=st.frozensets(st.integers(0, 20)),
    bouncing=st.frozensets(st.integers(0, 2)),
    lost=st.frozensets(st.integers(0, 20), max_size=3),
)
def test_blocks_rows_counts_and_levels_hang_together(
    strip_rows: int, short: frozenset[int], bouncing: frozenset[int], lost: frozenset[int]
) -> None:
    faults = Faults(lost_strips=lost, short_strips=short, bouncing_sheets=bouncing)
    line = SheetLine(
        [sheet(70, 90), sheet(33, 120)], 3, plates=3, settings=line_settings(faults, strip_rows=strip_rows)
    )
    level, count, end, block = False, 0, 0, -1
    for strip, _ in deliver(line, strip_rows):
        assert strip.level == level
        assert strip.block > block
        assert strip.first_row >= end
        assert (strip.first_row == end) == (strip.block == block + 1)
        for edge in strip.edges:
            count += 1
            assert edge.count == count
            assert edge.rising != level
            assert edge.row < strip.first_row + strip.rows
            level = edge.rising
        end, block = strip.first_row + strip.rows, strip.block
    assert not level or lost  # the last falling edge may lie in a lost strip at the very end


def test_the_end_delivers_the_trailing_edge_and_the_offset_then_none_for_good() -> None:
    line = SheetLine([sheet(50, 80)], plates=1, settings=line_settings())
    delivered = deliver(line)
    falling = edges_of(delivered)[-1]
    last, _ = delivered[-1]
    assert not falling.rising
    assert last.first_row + last.rows >= falling.row + OFFSET + 20
    assert line.next_strip(np.zeros((32, WIDTH), np.uint8)) is None


def test_a_line_without_end_cycles_through_its_sheets() -> None:
    line = SheetLine([sheet(30, 90), sheet(40, 120)], settings=line_settings())
    delivered = deliver(line, most=60)
    rows = [edge.row for edge in edges_of(delivered)]
    lengths = [last - first for first, last in zip(rows[::2], rows[1::2], strict=False)]
    assert lengths[:6] == [30, 40, 30, 40, 30, 40]


def test_a_lost_strip_is_a_jump_in_block_and_rows_and_keeps_its_edges() -> None:
    plain = deliver(SheetLine([sheet(60, 90)], plates=1, settings=line_settings()))
    lossy = deliver(SheetLine([sheet(60, 90)], plates=1, settings=line_settings(Faults(lost_strips=frozenset({0})))))
    assert [strip.block for strip, _ in lossy] == [strip.block for strip, _ in plain][1:]
    assert lossy[0][0].first_row == 32
    assert edges_of(lossy) == edges_of(plain)


def test_a_short_strip_says_so_and_loses_no_row() -> None:
    image = sheet(60, 90)
    delivered = deliver(SheetLine([image], plates=1, settings=line_settings(Faults(short_strips=frozenset({1})))))
    assert delivered[1][0].rows == 16
    assert delivered[2][0].first_row == 48
    np.testing.assert_array_equal(cut(delivered)[0][:, :40], image)


def test_rows_beyond_the_valid_ones_are_left_as_they_are() -> None:
    line = SheetLine([sheet(60, 90)], plates=1, settings=line_settings(Faults(short_strips=frozenset({0}))))
    buffer = np.full((32, WIDTH), 255, np.uint8)
    strip = line.next_strip(buffer)
    assert strip is not None
    assert (buffer[strip.rows :] == 255).all()
    assert (buffer[: strip.rows] != 255).all()


def test_a_stale_strip_repeats_block_edges_and_pixels() -> None:
    delivered = deliver(
        SheetLine([sheet(60, 90)], plates=1, settings=line_settings(Faults(stale_strips=frozenset({1}))))
    )
    assert delivered[1][0] == delivered[2][0]
    np.testing.assert_array_equal(delivered[1][1], delivered[2][1])
    assert delivered[3][0].block == 2
    assert delivered[3][0].first_row == 64


def test_a_bouncing_switch_settles_on_the_new_level() -> None:
    delivered = deliver(
        SheetLine([sheet(60, 90)], plates=1, settings=line_settings(Faults(bouncing_sheets=frozenset({0}))))
    )
    rising = [edge.rising for edge in edges_of(delivered)]
    assert rising == [True, False, True, False, True, False, True, False, True, False]
    assert edges_of(delivered)[0].row == 20


def test_a_touching_sheet_shows_no_falling_edge_between() -> None:
    faults = Faults(touching_sheets=frozenset({1}))
    sheets = [sheet(60, 90), sheet(45, 120), sheet(30, 70)]
    delivered = deliver(SheetLine(sheets, plates=3, settings=line_settings(faults)))
    plates = cut(delivered)
    assert [len(plate) for plate in plates] == [105, 30]
    np.testing.assert_array_equal(plates[0][:, :40], np.concatenate(sheets[:2]))


def test_a_line_may_start_in_the_middle_of_a_sheet() -> None:
    image = sheet(100, 90)
    delivered = deliver(SheetLine([image], plates=2, settings=line_settings(Faults(starts_high=True))))
    assert delivered[0][0].level is True
    first = edges_of(delivered)[0]
    assert (first.count, first.row, first.rising) == (1, 50 - OFFSET, False)
    np.testing.assert_array_equal(delivered[0][1][:, :40], image[50:82])


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


def test_what_cannot_pass_is_refused_with_what_was_found(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no sheets"):
        SheetLine([])
    with pytest.raises(ValueError, match="holds no images"):
        FolderLine(tmp_path, lambda path: Opened(path, []))
    with pytest.raises(ValueError, match="gap_rows is 0"):
        LineSettings(gap_rows=0)
    wide = SheetLine([sheet(10, 1, columns=65)], settings=line_settings())
    with pytest.raises(ReplayError, match="columns 0 to 65"):
        wide.next_strip(np.zeros((32, WIDTH), np.uint8))
    with pytest.raises(ValueError, match="the buffer is uint8"):
        wide.next_strip(np.zeros((31, WIDTH), np.uint8))
