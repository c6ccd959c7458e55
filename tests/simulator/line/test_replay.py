"""The replayed line delivers every sheet row for row, with the switch's edges where the sheets are."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from simulator.line.replay import Entry, Faults, LineSettings, Nothing, Opened, Replay, ReplayError, SheetLine
from stages.camera import Edge, Sheet, Strip

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


def test_what_cannot_pass_is_refused_with_what_was_found() -> None:
    with pytest.raises(ValueError, match="no sheets"):
        SheetLine([])
    with pytest.raises(ValueError, match="gap_rows is 0"):
        LineSettings(gap_rows=0)
    wide = SheetLine([sheet(10, 1, columns=65)], settings=line_settings())
    with pytest.raises(ValueError, match="columns 0 to 65"):
        wide.next_strip(np.zeros((32, WIDTH), np.uint8))
    with pytest.raises(ValueError, match="the buffer is uint8"):
        wide.next_strip(np.zeros((31, WIDTH), np.uint8))


# --- pictures that are opened when they are due --------------------------------------------------------------------


class Told:
    """A picture of 50 rows of one value that says what was done with it."""

    width, height = 40, 50

    def __init__(self, value: int, done: list[str], *, bad: range = range(0)) -> None:
        self.value, self.done, self.bad = value, done, bad
        done.append(f"open {value}")

    def rows(self, first: int, last: int) -> Image:
        if set(range(first, last)) & set(self.bad):
            raise ValueError("damaged")
        self.done.append(f"{self.value} {first}:{last}")
        return np.full((last - first, self.width), self.value, np.uint8)

    def close(self) -> None:
        self.done.append(f"close {self.value}")


def told(*values: int, done: list[str] | None = None, bad: range = range(0)) -> Replay:
    """A line of such pictures, in that order."""

    def opener(value: int) -> Opened:
        return Opened(Told(value, [] if done is None else done, bad=bad), 2, Sheet(f"{value}.png"))

    entries = (Entry(f"{value}.png", partial(opener, value)) for value in values)
    return Replay(entries, line_settings())


def test_a_picture_is_opened_when_due_read_strip_by_strip_and_closed_when_it_has_passed() -> None:
    done: list[str] = []
    line = told(7, 8, done=done)
    line.next_strip(np.zeros((32, WIDTH), np.uint8))
    assert done == ["open 7", "7 0:7"]
    deliver(line)
    assert done[2:] == ["7 7:39", "open 8", "7 39:50", "8 0:1", "close 7", "8 1:33", "8 33:50", "close 8"]


def test_what_still_passes_is_closed_with_the_line() -> None:
    done: list[str] = []
    line = told(7, done=done)
    line.next_strip(np.zeros((32, WIDTH), np.uint8))
    line.close()
    assert done[-1] == "close 7"


def test_a_picture_may_be_opened_before_its_strip_is_asked_for() -> None:
    done: list[str] = []
    line, buffer = told(7, 8, done=done), np.zeros((32, WIDTH), np.uint8)
    opened = []
    while True:
        if line.opens:
            line.open_next()
            assert not line.opens
        opened.append([word for word in done if word.startswith("open")])
        if line.next_strip(buffer) is None:
            break
        assert [word for word in done if word.startswith("open")] == opened[-1], "all was opened before"
    assert opened[-1] == ["open 7", "open 8"]


def test_a_rising_edge_says_which_sheet_comes() -> None:
    edges = edges_of(deliver(told(7, 8)))
    assert [None if edge.sheet is None else edge.sheet.image for edge in edges] == ["7.png", None, "8.png", None]


def test_a_sheet_without_pixels_keeps_the_switch_busy_for_its_rows() -> None:
    bad = Sheet("1.png", pixels=False)
    entries = [
        Entry("1.png", lambda: Opened(Nothing(16), 2, bad)),
        Entry("2.png", lambda: Opened(Told(77, []), 2, Sheet("2.png"))),
    ]
    delivered = deliver(Replay(iter(entries), line_settings()))
    nothing, shown = cut(delivered)
    assert nothing.shape == (16, WIDTH)
    assert nothing.max() <= 12
    assert shown[0, 10] == 77


def test_a_picture_damaged_in_the_middle_loses_those_strips_and_keeps_its_edges() -> None:
    whole = deliver(told(7))
    line = told(7, bad=range(10, 20))
    first = line.next_strip(np.zeros((32, WIDTH), np.uint8))
    with pytest.raises(ReplayError, match=r"7\.png, rows 7 to 39: damaged"):
        line.next_strip(np.zeros((32, WIDTH), np.uint8))
    rest = deliver(line)
    assert first == whole[0][0]
    assert [strip.block for strip, _ in rest] == [strip.block for strip, _ in whole][2:]
    assert rest[0][0].first_row == 64
    assert [edge for strip, _ in rest for edge in strip.edges] == edges_of(whole)[1:]
