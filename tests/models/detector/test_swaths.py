from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from config.schema import Recipe, Windows
from models.detector.swaths import (
    GRID,
    HALO,
    MOST_WINDOWS,
    cut,
    most_px,
    most_windows,
    own_area,
    rows_seen,
    shape_of,
    swath_of,
    swaths_across,
)


@given(st.integers(1, 2000), st.integers(1, 2000), st.sampled_from([(650, 600), (64, 32), (100, 98)]))
def test_own_areas_are_a_partition_of_the_plate(rows: int, columns: int, cut: tuple[int, int]) -> None:
    size, stride = cut
    across, down = np.zeros(columns, int), np.zeros(rows, int)
    for x in range(0, columns, stride):
        x0, _, x1, _ = own_area(x, 0, min(size, columns - x), min(size, rows), columns, size, stride)
        across[x + x0 : x + x1] += 1
    for y in range(0, rows, stride):
        _, y0, _, y1 = own_area(0, y, min(size, columns), min(size, rows - y), columns, size, stride)
        down[y + y0 : y + y1] += 1
    assert (across == 1).all()
    assert (down == 1).all()


@given(st.integers(1, 300), st.integers(1, 64))
def test_swaths_part_a_band_into_as_few_as_can_be_of_like_length(across: int, most: int) -> None:
    parts = swaths_across(across, most)
    assert [column for part in parts for column in part] == list(range(across))
    assert max(map(len, parts)) <= most
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert len(parts) == -(-across // most)
    assert all(swath_of(column, across, most) == part for part in parts for column in part)


@given(st.integers(3, 3000), st.data(), st.sampled_from(["half", "full"]))
def test_a_swath_of_any_windows_has_bounded_memory_and_a_window_at_least(
    size: int, data: st.DataObject, resolution: str
) -> None:
    windows = Windows(size=size, stride=2 * data.draw(st.integers(1, (size - 1) // 2)))
    recipe = Recipe.model_validate({"name": "any", "windows": windows, "resolution": resolution})
    most = most_windows(windows, recipe.resolution)
    assert 1 <= most <= MOST_WINDOWS
    assert most == 1 or most_px(recipe) < 6_500_000


def test_nine_windows_of_the_default_size_are_computed_at_once_and_three_at_full_resolution() -> None:
    assert [most_windows(Windows(), resolution) for resolution in ("half", "full")] == [9, 3]


@given(st.integers(0, 40), st.integers(0, 9), st.integers(700, 3000), st.integers(700, 3000), st.integers(0, 400))
def test_a_piece_holds_what_is_seen_around_it_wherever_the_pixels_begin(
    row: int, column: int, rows: int, columns: int, dropped: int
) -> None:
    plate = np.arange(rows * columns, dtype=np.uint32).astype(np.uint8).reshape(rows, columns)
    x, y = min(column * 600, (columns - 1) // 600 * 600), min(row * 600, (rows - 1) // 600 * 600)
    width, height = min(650, columns - x), min(650, rows - y)
    first, last = rows_seen(y, 650)
    top = min(dropped, first)
    piece = cut(plate[top:last], x, y, width, height, size=650, top=top)
    x0, y0, x1, y1 = piece.inner
    assert np.shares_memory(piece.pixels, plate)
    assert piece.x % GRID == piece.y % GRID == 0
    assert (piece.x + x0, piece.y + y0) == (x, y)
    assert np.array_equal(piece.pixels[y0:y1, x0:x1], plate[y : y + height, x : x + width])
    down, across = piece.pixels.shape
    assert min(x, HALO) <= x0 < HALO + GRID
    assert min(y, HALO) <= y0 < HALO + GRID
    assert across - x1 >= min(HALO, columns - x - width)
    assert down - y1 >= min(HALO - GRID, rows - y - height)
    assert piece.shape.rows >= down
    assert piece.shape.columns >= across


def test_the_pieces_of_a_plate_have_few_shapes_however_long_it_is() -> None:
    """Each shape takes memory for good in the process that computes it."""
    shapes = set()
    for rows in range(1, 3000):
        y = (rows - 1) // 600 * 600
        seen = range(*rows_seen(y, 650))
        shapes.add(shape_of(np.broadcast_to(np.uint8(0), (min(rows, seen.stop) - seen.start, 700)), 650))
    assert {shape.rows for shape in shapes} <= {124 * eighths for eighths in range(1, 9)}
